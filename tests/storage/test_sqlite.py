"""The write-ahead log of SQLite: written back beside what members write, never left to grow."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from hubchat.storage import sqlite
from hubchat.storage.database import Connection
from hubchat.storage.sqlite import SqliteDatabase
from tests.waiting import until

WAIT_S = 10.0
WORD = b"a-word-that-was-written"


@pytest.fixture
async def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqliteDatabase:
    """A database with one table, whose log is written back after ten rows."""
    monkeypatch.setattr(sqlite, "WRITTEN_BACK", 10)
    database = SqliteDatabase(tmp_path / "small.db")
    await database.write(lambda connection: connection.execute(sa.text("CREATE TABLE line (text TEXT)")))
    return database


def write(connection: Connection) -> None:
    connection.execute(sa.text("INSERT INTO line VALUES (:text)"), {"text": WORD.decode()})


async def test_what_was_written_is_written_back_into_the_file(small: SqliteDatabase) -> None:
    for _ in range(9):
        await small.write(write)
    assert WORD not in small.path.read_bytes()
    await small.write(write)
    await until(lambda: WORD in small.path.read_bytes(), WAIT_S)
    await small.close()


async def test_a_log_that_cannot_be_written_back_is_left_to_the_commits(small: SqliteDatabase) -> None:
    aside = small.path.rename(small.path.with_suffix(".aside"))
    small._changed = 10
    small._write_back()  # the file is not there: nothing is raised, nothing written
    aside.rename(small.path)
    for _ in range(11):
        await small.write(write)
    await until(lambda: WORD in small.path.read_bytes(), WAIT_S)
    await small.close()


async def test_a_log_that_nobody_writes_back_beside_does_not_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "WAL_PAGES", 20)
    database = SqliteDatabase(tmp_path / "small.db")
    await database.write(lambda connection: connection.execute(sa.text("CREATE TABLE line (text TEXT)")))
    for _ in range(200):
        await database.write(write)
    assert database.path.with_name("small.db-wal").stat().st_size < 40 * 4_200
    await database.close()
