"""`hubchat serve` as an operator runs it: a process that is started, asked and stopped."""

import json
import os
import pty
import re
import shutil
import signal
import socket
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.program import Program, Running, one_line, read_terminal, wait_until
from tests.servers import PostgresServer, free_port

STOP_S = 2.0


@pytest.fixture
def hubchat(tmp_path: Path) -> Program:
    return Program(tmp_path / "data")


@pytest.fixture
def running(hubchat: Program) -> Iterator[Running]:
    with hubchat.serving() as running:
        yield running


@contextmanager
def live(running: Running) -> Iterator[ClientConnection]:
    """A guest's connection, once welcomed."""
    with connect(f"ws://localhost:{running.port}/live", subprotocols=[Subprotocol("hubchat.v1.json")]) as made:
        assert "welcome" in json.loads(made.recv(timeout=10))
        yield made


def test_it_says_where_it_is_and_answers_there(running: Running) -> None:
    wait_until(lambda: running.url in running.said, "the address is not told")
    assert httpx2.get(f"{running.url}/api/v1/hub").json()["demo"] is False
    assert httpx2.get(f"http://127.0.0.1:{running.port}/healthz").json() == {"ok": True}
    assert "server" not in httpx2.get(f"{running.url}/healthz").headers


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_within_two_seconds_and_says_bye(running: Running, how: signal.Signals) -> None:
    with live(running) as connection:
        began_s = time.monotonic()
        assert running.stop(how) == 0
        assert time.monotonic() - began_s < STOP_S
        said = json.loads(connection.recv(timeout=1))
        assert said["bye"]["code"] == 1012
    assert "Traceback" not in running.logged


def test_a_request_that_never_ends_does_not_hold_up_the_stop(running: Running) -> None:
    with socket.create_connection(("127.0.0.1", running.port)) as slow:
        slow.sendall(_half_a_request(running.port))
        time.sleep(0.2)
        began_s = time.monotonic()
        assert running.stop(signal.SIGINT) == 0
        assert time.monotonic() - began_s < STOP_S


def test_a_second_interrupt_ends_it_at_once(running: Running) -> None:
    with socket.create_connection(("127.0.0.1", running.port)) as slow:
        slow.sendall(_half_a_request(running.port))
        time.sleep(0.2)
        began_s = time.monotonic()
        assert running.stop(signal.SIGINT, signal.SIGINT) == 130
        assert time.monotonic() - began_s < 0.8  # the request alone would hold it for a second


def test_a_taken_port_is_named_with_what_to_try(hubchat: Program) -> None:
    port = free_port()
    hubchat.environment["MAKELEVEL"] = "1"  # as make gives to what it runs
    with socket.create_server(("127.0.0.1", port)):
        done = hubchat.run("serve", "--port", str(port))
        demo = hubchat.run("serve", "--demo", "--port", str(port))
        del hubchat.environment["MAKELEVEL"]
        plain_demo = hubchat.run("serve", "--demo", "--port", str(port))
    plainly = f"hubchat: port {port} is taken; name another one by --port or HUBCHAT_PORT"
    assert (done.returncode, one_line(done), one_line(plain_demo)) == (1, plainly, plainly)
    assert (demo.returncode, one_line(demo)) == (1, f"hubchat: port {port} is taken; try: make run PORT={port + 1}")
    assert not hubchat.data.exists()


def test_behind_a_proxy_it_says_also_where_it_listens(hubchat: Program) -> None:
    hubchat.environment["HUBCHAT_URL"] = "https://hub.example.org"
    with hubchat.serving() as running:
        wait_until(lambda: "Ctrl-C" in running.said, "the address is not told")
        assert f"at https://hub.example.org, listening on localhost at port {running.port}" in running.said
        assert "HUBCHAT_TRUSTED_PROXIES is not set" in running.logged


def test_a_second_hub_on_the_same_folder_is_refused_until_the_first_has_ended(hubchat: Program) -> None:
    with hubchat.serving() as running:
        done = hubchat.run("serve", "--port", "0")
        assert done.returncode == 1
        assert one_line(done).startswith(
            f"hubchat: a hub runs on the data folder {hubchat.data} already (process {running.process.pid})"
        )
        hubchat.tell("user", "add", "ana")
        assert running.stop(signal.SIGKILL) == -signal.SIGKILL
    with hubchat.serving() as again:
        assert again.stop() == 0


def test_nodes_on_postgresql_may_share_a_folder(tmp_path: Path, postgres: PostgresServer) -> None:
    name = postgres.create_database()
    hubchat = Program(tmp_path / "data", {"HUBCHAT_DATABASE_URL": postgres.url(name)})
    with hubchat.serving() as first, hubchat.serving() as second:
        assert first.stop() == second.stop() == 0
    postgres.drop_database(name)


def test_a_hub_whose_database_is_deleted_says_that_it_cannot_serve(hubchat: Program, running: Running) -> None:
    assert httpx2.get(f"{running.url}/readyz").status_code == 200
    shutil.rmtree(hubchat.data)
    assert httpx2.get(f"{running.url}/readyz").status_code == 503
    assert httpx2.get(f"{running.url}/healthz").status_code == 200
    assert running.stop() == 0
    assert running.logged.count("the database file was deleted") == 1


def test_folder_and_files_are_the_hubs_own_alone(hubchat: Program, running: Running) -> None:
    wait_until(lambda: (hubchat.data / "first-admin").exists(), "no link for the first administrator")
    assert stat.S_IMODE(hubchat.data.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in hubchat.data.iterdir()}
    assert "hubchat.db" in modes
    assert set(modes.values()) == {0o600}


def test_the_first_administrator_comes_by_the_link_in_the_file(hubchat: Program) -> None:
    with hubchat.serving() as running:
        path = hubchat.data / "first-admin"
        wait_until(path.exists, "no link for the first administrator")
        wait_until(lambda: str(path) in running.said, "the file is not named")
        link = path.read_text().strip()
        assert link.split("#")[1] not in running.said
        form = {"handle": "ada", "name": "Ada", "password": "seven-otters-in-the-rain", "agreed": True}
        answer = httpx2.post(f"{running.url}/api/v1/signup", json={**form, "invite": link.split("#")[1]})
        assert answer.status_code == 201, answer.text
        assert answer.json()["me"]["role"] == "admin"
        assert running.stop() == 0
    with hubchat.serving() as again:
        wait_until(lambda: again.url in again.said, "the address is not told")
        time.sleep(0.2)
        assert "administrator" not in again.said
        assert not path.exists()


def test_a_terminal_is_shown_the_link_and_no_file_holds_it(hubchat: Program) -> None:
    ours, theirs = pty.openpty()
    try:
        with hubchat.serving(stdout=theirs):
            shown = read_terminal(ours, lambda text: "#" in text and text.endswith("\n"))
            assert re.search(r"http://localhost:\d+/sign-up#[\w-]{20,}", shown)
            assert not (hubchat.data / "first-admin").exists()
    finally:
        os.close(ours)
        os.close(theirs)


def test_no_path_and_no_handle_is_ever_logged(hubchat: Program) -> None:
    hubchat.environment["HUBCHAT_LOG_LEVEL"] = "debug"
    with hubchat.serving() as running:
        httpx2.get(f"{running.url}/groups/a-telling-slug?q=a-telling-query")
        httpx2.get(f"{running.url}/api/v1/people/a-telling-handle", headers={"Cookie": "x=a-telling-cookie"})
        httpx2.post(f"{running.url}/api/v1/session", json={"login": "a-telling-handle", "password": "a-telling-word"})
        assert running.stop() == 0
    assert "telling" not in running.logged + running.said


def test_what_commands_do_beside_the_server_counts_there(hubchat: Program, running: Running) -> None:
    hubchat.tell("user", "add", "ana", "--password-stdin", said="seven-otters\n")
    group = int(hubchat.tell("group", "add", "lobby", "--title", "Lobby", "--visibility", "public", "--owner", "ana"))
    token = hubchat.tell("token", "ana")
    with httpx2.Client(base_url=f"{running.url}/api/v1/") as client:
        assert client.get("me", headers={"Authorization": f"Bearer {token}"}).json()["handle"] == "ana"
        answer = client.post("session", json={"login": "ana", "password": "seven-otters"})
        assert answer.status_code == 200, answer.text
    with live(running) as guest:
        guest.send(json.dumps({"do": "subscribe", "id": 1, "channel": group}))
        assert json.loads(guest.recv(timeout=10))["ok"]["channel"] == group
        assert hubchat.tell("say", "lobby", "from elsewhere", "--as", "ana") == "1"
        heard = json.loads(guest.recv(timeout=5))
    assert (heard["channel"], heard["seq"], heard["text"]) == (group, 1, "from elsewhere")


def test_a_newer_database_is_left_alone(hubchat: Program) -> None:
    hubchat.tell("user", "add", "ana")
    with sqlite3.connect(hubchat.data / "hubchat.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("UPDATE hub SET value = '9998 9999' WHERE key = 'serves'")
    connection.close()
    done = hubchat.run("serve", "--port", "0")
    assert done.returncode == 1
    assert "newer" in one_line(done)


def test_a_database_that_cannot_be_reached_is_told_without_its_secret(hubchat: Program) -> None:
    url = f"postgresql://hub:a-secret-word@127.0.0.1:{free_port()}/hub"
    done = hubchat.run("serve", "--port", "0", "--database-url", url)
    assert done.returncode == 1
    assert one_line(done).startswith("hubchat: the database can't be reached; see that it runs")
    assert "a-secret-word" not in done.stderr


def test_without_the_redis_that_is_set_it_starts_all_the_same_and_says_so(hubchat: Program) -> None:
    with hubchat.serving("--redis-url", f"redis://:a-secret-word@127.0.0.1:{free_port()}") as running:
        wait_until(lambda: "Redis can't be reached" in running.logged, "it is not said")
        assert "a-secret-word" not in running.logged


def test_it_starts_within_two_seconds_of_work(hubchat: Program) -> None:
    """CPU time, which others on the machine cannot stretch. The first start may compile, and makes the database."""
    hubchat.environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with hubchat.serving():
        pass
    with hubchat.serving() as running:
        fields = Path(f"/proc/{running.process.pid}/stat").read_text().rpartition(")")[2].split()
        assert (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") < 2


def _half_a_request(port: int) -> bytes:
    head = f"POST /api/v1/session HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n"
    return head.encode() + b'Content-Length: 100\r\n\r\n{"login":'
