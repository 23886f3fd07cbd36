"""Peers: whole families of processes are measured, and one that a machine doesn't have is told, not hidden."""

import re
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NoReturn

import pytest

from hubchat.storage.sqlite import sqlite_engine
from load import machine, speech
from load.compiler import CannotMeasureError
from load.peers import __main__ as installing
from load.peers import settings
from load.plan import Reading
from load.servers import Side, here

FAMILY = textwrap.dedent(
    """
    import os, sys, time
    child = os.fork()
    if child == 0:
        held = bytearray(64 << 20)
        held[::4096] = b"x" * len(held[::4096])
        while time.process_time() < 0.2:
            pass
        os.write(1, b"done")
        sys.stdin.read()
        os._exit(0)
    os.waitpid(child, 0)
    os.write(1, b"over")
    time.sleep(60)
    """
)


def test_a_worker_counts_with_its_master_while_it_lives_and_after() -> None:
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as master:
        try:
            assert master.stdin
            assert master.stdout
            assert master.stdout.read(4) == b"done"
            living_s = machine.cpu_s(master.pid)
            assert living_s >= 0.15  # of 0.2, in ticks of 10 ms
            assert machine.rss_bytes(master.pid) > 64 << 20
            master.stdin.close()
            assert master.stdout.read(4) == b"over"
            assert machine.cpu_s(master.pid) >= living_s
            assert machine.rss_bytes(master.pid) < 64 << 20
        finally:
            master.kill()


def test_a_peer_that_cannot_be_had_is_noted_with_the_reason() -> None:
    def missing() -> None:
        raise CannotMeasureError("Go is not installed")

    noted: list[Reading] = []
    there, absent = Side(_never, speech.plain), Side(_never, speech.plain, missing)
    assert here({"ws": there, "centrifuge": absent}, "fanout", noted.append) == {"ws": there}
    assert noted == [Reading("fanout", "centrifuge", 0, left_out="Go is not installed")]


def _never() -> NoReturn:
    raise AssertionError("nobody was to be started")


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ("nchan/nginx.conf", {"MODULE": "/usr/lib/nchan.so", "PORT": "4711"}),
        ("ejabberd/ejabberd.yml", {"PORT": "4711", "DATABASE_PORT": "4712", "DATABASE": "room"}),
    ],
)
def test_nothing_stays_open_in_a_peers_configuration(tmp_path: Path, source: str, values: dict[str, str]) -> None:
    written = settings.filled(source, tmp_path, **values).read_text()
    assert all(value in written for value in values.values())
    assert not re.search(r"^[^#]*@[A-Z_]+@", written, re.MULTILINE)


def test_the_databases_that_are_compared_keep_what_they_hold_alike(tmp_path: Path) -> None:
    """How much of it they hold in memory, and when they write it back, is what suits each best."""
    named = dict(re.findall(r'"(\w+)=([\w-]+)"', (settings.HERE / "socketio/server.js").read_text()))
    engine = sqlite_engine(tmp_path / "ours.db")
    with sqlite3.connect(tmp_path / "theirs.db") as theirs, engine.connect() as ours:
        for name in ("journal_mode", "synchronous"):
            theirs.execute(f"PRAGMA {name}={named[name]}")
            assert ours.exec_driver_sql(f"PRAGMA {name}").scalar() == theirs.execute(f"PRAGMA {name}").fetchone()[0]
    theirs.close()
    engine.dispose()


def test_the_machine_says_what_its_databases_lie_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.file_system(Path("/proc/self/fd")) == "proc"
    monkeypatch.setattr("tempfile.tempdir", "/proc")
    assert machine.describe().endswith(", databases on proc")


def test_a_value_without_a_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="@HOST@"):
        settings.filled("nchan/nginx.conf", tmp_path, HOST="127.0.0.1")


def test_who_may_not_install_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> NoReturn:
        raise CannotMeasureError("nginx with nchan is not installed")

    monkeypatch.setattr("load.peers.nginx.programs", missing)
    monkeypatch.setattr("load.peers.ejabberd_room.libraries", lambda: Path("/usr/lib"))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(installing, "_run", _never)
    installing.main()
    assert capsys.readouterr().out.endswith("run: sudo apt-get install nginx-light libnginx-mod-nchan\n")


def test_no_service_starts_while_packages_are_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(installing, "POLICY", policy)
    with installing._no_service_starts():
        assert subprocess.run([policy, "nginx", "start"]).returncode == 101
    assert not policy.exists()
    policy.write_text("theirs")
    with installing._no_service_starts():
        pass
    assert policy.read_text() == "theirs"
