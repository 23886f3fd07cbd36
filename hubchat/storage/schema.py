"""Brings the schema up to date when a node or a command starts, under a lock, and refuses a newer one."""

import asyncio
import fcntl
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from hubchat.errors import OperatorError
from hubchat.storage.database import Database
from hubchat.storage.postgres import PostgresDatabase
from hubchat.storage.sqlite import SqliteDatabase

HEAD: Final = "0005"  # the newest revision in migrations/versions; a test holds it
SERVES: Final = (HEAD, "0002")
"""Revisions whose code works on this schema too: during an upgrade the former release runs on beside the new one, and
is started again if it falls. A release that migrates names here the HEAD of the one before it."""
LOCK: Final = 0x68756263  # "hubc": pg_advisory_lock's key
WAIT_S: Final = 60.0  # for another node's migration


class SchemaNewer(OperatorError):
    """The database was made by a newer hubchat; this one must not touch it."""


async def migrate(database: Database) -> None:
    """Runs the migrations that are missing, one process at a time. Raises SchemaNewer, Unavailable."""
    if await database.read(is_current):  # also tells in plain words when the database can't be reached
        return
    if isinstance(database, SqliteDatabase):
        with await asyncio.to_thread(_Lock, database.path.with_suffix(".lock")):
            await asyncio.to_thread(_migrate_sqlite, database.engine)
        return
    assert isinstance(database, PostgresDatabase), "there are two databases"
    patient = PostgresDatabase(database.url, patient=True)
    try:
        await _migrate_postgres(patient.engine)
    except (DBAPIError, OSError, TimeoutError) as error:
        raise database.translated(error) from error
    finally:
        await patient.close()


def is_current(connection: sa.Connection) -> bool:
    """Whether the schema is the one that this code was written for, or a newer one that serves it."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return False
    if read_revision(connection) == HEAD:
        return True
    return sa.inspect(connection).has_table("hub") and HEAD in (read_hub(connection, "serves") or "").split()


def read_revision(connection: sa.Connection) -> str | None:
    """Which schema the database has; None for one whose making is under way."""
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(connection: sa.Connection) -> None:
    """Runs what is missing. Raises SchemaNewer."""
    from hubchat.storage import migrating  # Alembic takes a fifth of a second, which most starts can do without

    migrating.upgrade(connection)


def read_hub(connection: sa.Connection, key: str) -> str | None:
    """A fact about this hub."""
    return connection.execute(sa.text("SELECT value FROM hub WHERE key = :key"), {"key": key}).scalar()


def write_hub(connection: sa.Connection, key: str, value: str) -> None:
    connection.execute(
        sa.text(
            "INSERT INTO hub (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        ),
        {"key": key, "value": value},
    )


async def _migrate_postgres(engine: AsyncEngine) -> None:
    """Waits its turn for a minute; then it may take as long as it takes. The lock ends with the connection."""
    async with engine.connect() as connection:
        try:
            await connection.execute(sa.text(f"SET statement_timeout = {int(WAIT_S * 1000)}"))
            await connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
            await connection.execute(sa.text("SET statement_timeout = 0"))
            await connection.commit()
            await connection.run_sync(upgrade)
            await connection.commit()
        finally:
            await connection.invalidate()


def _migrate_sqlite(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            upgrade(connection)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise


class _Lock:
    """An exclusive lock on a file, held while the context lasts."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")
        path.chmod(0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __enter__(self) -> None:
        return

    def __exit__(self, *_: object) -> None:
        self._file.close()
