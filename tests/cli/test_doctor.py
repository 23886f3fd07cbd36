"""What `hubchat doctor` finds, and that it says what to do."""

import asyncio
import resource
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hubchat import doctor, settings
from hubchat.doctor import Finding
from hubchat.settings import Settings
from hubchat.storage.database import now_ms
from hubchat.storage.looks import Look
from tests.cli.conftest import Call
from tests.redis_servers import RedisServer
from tests.servers import free_port


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
    assert "wrong database: PostgreSQL can't be reached\n      see that it runs" in told.out
    assert "a-secret-word" not in told.out + told.err


def test_a_wrong_setting_is_the_only_finding(hubchat: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBCHAT_PORT", "a-secret-word")
    told = hubchat("doctor")
    assert told.code == 1
    assert told.out.startswith("wrong settings: HUBCHAT_PORT")
    assert "a-secret-word" not in told.out


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


def test_plain_http_for_everybody_is_told(tmp_path: Path) -> None:
    assert doctor.settings_found(found(tmp_path, url="https://hub.example.org")).todo == ""
    assert doctor.settings_found(found(tmp_path, url="http://localhost:8000")).todo == ""
    assert "https" in doctor.settings_found(found(tmp_path, url="http://hub.example.org")).todo


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
