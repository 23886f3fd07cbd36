"""What `hubchat doctor` finds, and that it says what to do."""

import asyncio
import os
import resource
import socket
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hubchat import doctor, settings, starting
from hubchat.doctor import Finding
from hubchat.settings import Settings
from hubchat.storage.database import now_ms
from hubchat.storage.looks import Look
from tests.cli.conftest import Call
from tests.redis_servers import RedisServer
from tests.servers import PostgresServer, free_port


def found(data: Path, **given: object) -> Settings:
    return settings.load(data=data, **given)


def test_a_hub_in_order_is_all_well(hubchat: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBCHAT_PORT", str(free_port()))
    hubchat("user", "add", "ana")
    told = hubchat("doctor")
    assert (told.code, told.err) == (0, "")
    subjects = ("settings", "data folder", "database", "clock", "port", "open files")
    assert [line.split(maxsplit=1)[0] for line in told.out.splitlines()] == ["ok"] * len(subjects)
    for subject, line in zip(subjects, told.out.splitlines(), strict=True):
        assert subject in line


def test_before_the_first_start_nothing_is_wrong_and_nothing_is_made(hubchat: Call, data: Path) -> None:
    assert hubchat("doctor").code == 0
    assert not data.exists()


def test_what_is_wrong_ends_with_code_1_and_what_to_do(hubchat: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBCHAT_DATABASE_URL", f"postgresql://hub:a-secret-word@127.0.0.1:{free_port()}/hub")
    told = hubchat("doctor")
    assert told.code == 1
    assert "wrong database: the database can't be reached\n      see that it runs" in told.out
    assert "a-secret-word" not in told.out + told.err


def test_a_wrong_setting_is_the_only_finding(hubchat: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBCHAT_PORT", "a-secret-word")
    told = hubchat("doctor")
    assert told.code == 1
    assert told.out.startswith("wrong settings: HUBCHAT_PORT")
    assert "a-secret-word" not in told.out


def test_traces_that_cannot_be_made_are_said(hubchat: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBCHAT_PORT", str(free_port()))
    monkeypatch.setenv("HUBCHAT_TRACES", "http://127.0.0.1:4318")
    assert hubchat("doctor").code == 0
    monkeypatch.setitem(
        sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None
    )  # as if it were not installed
    told = hubchat("doctor")
    assert told.code == 1
    assert "wrong traces: HUBCHAT_TRACES needs OpenTelemetry" in told.out
    assert "pip install 'hubchat[traces]'" in told.out
    assert (
        hubchat("serve").err
        == "hubchat: HUBCHAT_TRACES needs OpenTelemetry, which is not installed: pip install 'hubchat[traces]'\n"
    )


def test_redis_is_looked_at_where_it_is_set(hubchat: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    with RedisServer(password="a-secret-word") as server:
        monkeypatch.setenv("HUBCHAT_REDIS_URL", server.url)
        assert "ok    bus: Redis answers" in hubchat("doctor").out
        monkeypatch.setenv("HUBCHAT_REDIS_URL", f"redis://:wrong@127.0.0.1:{server.port}")
        told = hubchat("doctor")
    assert told.code == 1
    assert "wrong bus: Redis can't be reached, or lets nobody in\n      see that it runs" in told.out
    assert "a-secret-word" not in told.out + told.err


async def test_a_database_that_answers_is_told_with_its_schema(tmp_path: Path, database_url: str) -> None:
    database, clock = await doctor.database_found(found(tmp_path, database_url=database_url))
    assert database.todo == clock.todo == ""
    assert "not there yet" in database.said or "no hub was started on it yet" in database.said


def test_a_newer_schema_is_told(data: Path) -> None:
    data.mkdir()
    with sqlite3.connect(data / "hubchat.db") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    connection.close()
    database, _ = asyncio.run(doctor.database_found(found(data)))
    assert "newer" in database.said
    assert database.todo


def test_a_folder_open_to_others_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert doctor.folder_found(found(tmp_path)).todo == f"chmod 700 {tmp_path}"
    tmp_path.chmod(0o700)
    assert doctor.folder_found(found(tmp_path)).todo == ""


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").touch(0o600)
    assert doctor.folder_found(found(tmp_path / "data")).todo


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(doctor, "DISK_BYTES", 1 << 60)
    assert "make room" in doctor.folder_found(found(tmp_path)).todo


def test_clocks_that_disagree_are_told() -> None:
    assert doctor.clock_found(Look(now_ms(), "0001", True)).todo == ""
    assert "NTP" in doctor.clock_found(Look(now_ms() - 60_000, "0001", True)).todo


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"url": "https://hub.example.org", "trusted_proxies": "127.0.0.1"}, ""),
        ({"url": "http://localhost:8000"}, ""),
        ({"url": "https://localhost:8443"}, ""),
        ({}, ""),
        ({"url": "https://hub.example.org"}, "HUBCHAT_TRUSTED_PROXIES is not set"),
        ({"url": "http://hub.example.org"}, "https"),
        ({"host": "0.0.0.0"}, "HUBCHAT_URL is not set"),
        ({"url": "https://hub.example.org", "trusted_proxies": "127.0.0.1,0.0.0.0/0"}, "PROXIES is everybody"),
        ({"trusted_proxies": "::/0"}, "PROXIES is everybody"),
    ],
)
def test_settings_that_do_not_go_together_are_told_as_the_start_tells_them(
    tmp_path: Path, given: dict[str, str], named: str
) -> None:
    chosen = found(tmp_path, **given)
    (told,) = doctor.settings_found(chosen)
    warned = [line for line in starting.warnings(chosen) if "web client" not in line]
    assert bool(told.todo) == bool(named)
    assert warned == ([f"{told.said}; {told.todo}"] if named else [])
    assert named in f"{told.said}; {told.todo}"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HUBCHAT_WORKERS", "4", "HUBCHAT_WORKERS: several processes need Redis"),
        ("HUBCHAT_TRUSTED_PROXIES", "foo", "HUBCHAT_TRUSTED_PROXIES: want addresses or networks"),
        ("HUBCHAT_TRUSTED_PROXIES", "127.0.0.1, 10.1.2.3/8", "HUBCHAT_TRUSTED_PROXIES: want addresses or networks"),
        ("HUBCHAT_PROT", "8001", "HUBCHAT_PROT is no setting; HUBCHAT_PORT is one"),
        ("HUBCHAT_SIGN_UP", "closed", "HUBCHAT_SIGN_UP is no setting; HUBCHAT_SIGNUP is one"),
        ("HUBCHAT_XYZZY", "1", "HUBCHAT_XYZZY is no setting"),
    ],
)
def test_a_wrong_setting_is_found_and_refused_at_start_in_the_same_words(
    hubchat: Call, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    looked, started = hubchat("doctor"), hubchat("serve")
    assert (looked.code, started.code) == (1, 1)
    assert looked.out.splitlines()[0].startswith(f"wrong settings: {said}")
    assert started.err.removeprefix("hubchat: ") in looked.out.removeprefix("wrong settings: ")


@pytest.mark.parametrize("value", ["127.0.0.1", "127.0.0.1,::1", " 10.0.0.0/8 , fd00::/8", ""])
def test_proxies_are_addresses_and_networks(hubchat: Call, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HUBCHAT_TRUSTED_PROXIES", value)
    monkeypatch.setenv("HUBCHAT_TEST_SOMETHING", "is the tests' own")
    assert "wrong settings" not in hubchat("doctor").out


def test_it_looks_at_what_serve_would_be_told(hubchat: Call) -> None:
    port = free_port()
    assert f"port {port}: free" in hubchat("doctor", "--port", str(port)).out
    told = hubchat("doctor", "--port", str(port), "--database-url", f"postgresql://hub@127.0.0.1:{port}/hub")
    assert "wrong database: the database can't be reached" in told.out


def test_a_file_that_is_no_database_is_told_at_start_in_the_same_words(hubchat: Call, data: Path) -> None:
    data.mkdir(mode=0o700)
    (data / "hubchat.db").write_text("my letters, " * 1_000)
    (line,) = hubchat("serve", "--port", str(free_port())).err.splitlines()
    said, todo = line.removeprefix("hubchat: ").split("; ")
    assert "damaged" in said
    assert f"wrong database: {said}\n      {todo}\n" in hubchat("doctor").out


def test_a_postgresql_that_lets_the_hub_do_nothing_says_why(hubchat: Call, postgres: PostgresServer) -> None:
    name = postgres.create_database()
    postgres.execute("CREATE ROLE reader LOGIN")
    url = postgres.url(name)
    for wrong, why in [
        (postgres.url("nowhere"), "has no such database"),
        (url.replace("postgres@", "nobody@"), "does not let this user in"),
        (url.replace("postgres@", "reader@"), "may not write in the database"),
    ]:
        told = hubchat("serve", "--port", str(free_port()), "--database-url", wrong)
        assert (told.code, told.err.count("\n")) == (1, 1)
        assert why in told.err
    postgres.drop_database(name)
    postgres.execute("DROP ROLE reader")


def told_by_both(hubchat: Call, url: str) -> str:
    """What is wrong with a database, which `serve` and `doctor` say in the same words; the latter looks at the rest."""
    port = str(free_port())
    started, looked = (hubchat(word, "--port", port, "--database-url", url) for word in ("serve", "doctor"))
    assert (started.code, looked.code) == (1, 1)
    assert (started.out, started.err.count("\n")) == ("", 1)
    assert f"port {port}: free" in looked.out
    told = started.err.removeprefix("hubchat: ").removesuffix("\n")
    said, _, todo = told.partition("; ")
    assert f"wrong database: {said}\n      {todo}" in looked.out
    return told


def test_a_postgresql_that_cannot_keep_every_text_is_refused(hubchat: Call, postgres: PostgresServer) -> None:
    postgres.execute("CREATE DATABASE narrow ENCODING LATIN1 LOCALE 'C' TEMPLATE template0")
    try:
        told = told_by_both(hubchat, postgres.url("narrow"))
    finally:
        postgres.drop_database("narrow")
    assert told == (
        "the database's encoding is not UTF8, so it can't keep what members write; "
        "make another: createdb --encoding UTF8 --template template0"
    )


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (":99999/hub", "want postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with a port from 1 to 65535 or none"),
        ("/hub?foo=a-secret-word", "after its ? these can be set, and nothing else: host, port"),
        ("/hub?sslmode=verify-ful", "sslmode is one of disable, allow, prefer, require, verify-ca, verify-full"),
        ("/hub?sslmode=verify-full&sslrootcert=/nowhere.crt", "the file of sslrootcert can't be read (no such file"),
    ],
)
def test_a_wrong_address_is_one_line_for_both(hubchat: Call, rest: str, said: str) -> None:
    port = str(free_port())
    url = f"postgresql://hub:a-secret-word@127.0.0.1{rest}"
    started, looked = (hubchat(word, "--port", port, "--database-url", url) for word in ("serve", "doctor"))
    assert (started.code, looked.code) == (1, 1)
    assert started.err.startswith(f"hubchat: HUBCHAT_DATABASE_URL: {said}")
    assert started.err.count("\n") == 1
    assert f"wrong database: {started.err.removeprefix('hubchat: ')}      mend the setting" in looked.out
    assert f"port {port}: free" in looked.out
    assert "a-secret-word" not in started.err + looked.out + looked.err


def test_a_postgresql_without_tls_that_is_asked_for_it_says_so(hubchat: Call, postgres: PostgresServer) -> None:
    told = told_by_both(hubchat, postgres.url("postgres") + "?sslmode=require")
    assert told.startswith("PostgreSQL speaks no TLS, which sslmode in HUBCHAT_DATABASE_URL asks for")


def test_a_postgresql_that_is_read_only_is_refused_by_both(hubchat: Call, postgres: PostgresServer) -> None:
    name = postgres.create_database()
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    told = told_by_both(hubchat, postgres.url(name))
    assert told.startswith("PostgreSQL is read-only; name the server that is written to")
    postgres.drop_database(name)


def test_a_file_in_a_folder_that_is_not_there_is_refused_by_both(hubchat: Call, tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    told = told_by_both(hubchat, f"sqlite:///{folder}/hub.db")
    assert told == (
        f"the database's folder {folder} can't be written (no such file or directory); "
        "make it, or name another file in HUBCHAT_DATABASE_URL"
    )
    (tmp_path / "file").touch()
    assert "(not a directory); give it to the user" in told_by_both(hubchat, f"sqlite:///{tmp_path}/file/hub.db")
    folder.mkdir()
    assert (
        "ok    database: SQLite; not there yet" in hubchat("doctor", "--database-url", f"sqlite:///{folder}/hub.db").out
    )


@pytest.mark.parametrize(
    ("given", "said", "todo"),
    [
        ({"workers": 8}, "", ""),
        ({"workers": 9}, "9 workers share 2 cores", "set HUBCHAT_WORKERS to 2"),
        ({"argon2_memory_kib": 1 << 20, "workers": 2}, "", ""),
        ({"argon2_memory_kib": 1 << 20, "password_threads": 3}, "hashing passwords may take 3,072 MB", "ARGON2_MEMORY"),
        ({"recent_bytes": 2 << 30}, "", ""),
        ({"recent_bytes": 2 << 30, "workers": 2}, "keeping newest entries may take 4,096 MB", "HUBCHAT_RECENT_BYTES"),
    ],
)
def test_more_than_the_machine_has_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, int], said: str, todo: str
) -> None:
    """On a machine of two cores and 2 GB."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1 << 19}.__getitem__)
    told = doctor.machine_found(found(tmp_path, redis_url="redis://127.0.0.1", **given))
    assert len(told) == bool(said)
    for finding in told:
        assert finding.said.startswith(said)
        assert todo in finding.todo


@pytest.mark.parametrize("url", ["sqlite:", "sqlite:hub.db", "sqlite://hub.db", "sqlite:///"])
def test_an_address_that_names_no_file_is_refused(hubchat: Call, url: str) -> None:
    told = hubchat("serve", "--database-url", url)
    assert (told.code, told.err) == (1, "hubchat: HUBCHAT_DATABASE_URL: want postgresql://… or sqlite:///…\n")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(b"HTTP/1.1 200 OK\r\n\r\n", "a hub is running there"), (b"220 mail ESMTP\r\n", "another program has it")],
)
def test_who_has_the_port_is_told(tmp_path: Path, answer: bytes, expected: str) -> None:
    with somebody_who_answers(answer) as port:
        finding = doctor.port_found(found(tmp_path, host="127.0.0.1", port=port))
    assert finding.said == expected
    assert bool(finding.todo) == (expected != "a hub is running there")


def test_a_free_port_is_well(tmp_path: Path) -> None:
    assert doctor.port_found(found(tmp_path, port=free_port())).todo == ""


def test_too_few_open_files_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def limits(hard: int) -> Finding:
        monkeypatch.setattr(resource, "getrlimit", lambda _: (256, hard))
        return doctor.files_found()

    assert "LimitNOFILE" in limits(1024).todo
    assert limits(doctor.FILES).todo == ""
    assert limits(resource.RLIM_INFINITY).todo == ""


@contextmanager
def somebody_who_answers(answer: bytes) -> Iterator[int]:
    """A listener that says this to the first who comes."""

    def serve() -> None:
        there, _ = listener.accept()
        with there:
            there.sendall(answer)
            there.recv(1024)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)
