"""Brings the schema up to date when a node or a command starts, under a lock, and refuses a newer one."""

import asyncio
import fcntl
import secrets
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from hubchat.access import INTERNAL
from hubchat.errors import OperatorError
from hubchat.storage.channels import ACCESS, insert_channel, read_channel
from hubchat.storage.database import Database, PostgresDatabase, SqliteDatabase
from hubchat.storage.tables import Hub

LOCK: Final = 0x68756263  # "hubc": pg_advisory_lock's key
WAIT_S: Final = 60.0  # for another node's migration


class SchemaNewer(OperatorError):
    """The database was made by a newer hubchat; this one must not touch it."""


async def migrate(database: Database) -> None:
    """Runs the migrations that are missing, one process at a time. Raises SchemaNewer, Unavailable."""
    if isinstance(database, SqliteDatabase):
        with await asyncio.to_thread(_lock_file, database.path.with_suffix(".lock")):
            await asyncio.to_thread(_migrate_sqlite, database.engine)
        return
    assert isinstance(database, PostgresDatabase), "there are two databases"
    await database.read(_check)  # raises Unavailable in plain words before Alembic would in others
    async with database.engine.connect() as connection:
        await connection.execute(sa.text("SET lock_timeout = 0"))
        await connection.execute(sa.text(f"SET statement_timeout = {int(WAIT_S * 1000)}"))
        await connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
        await connection.commit()
        try:
            await connection.run_sync(upgrade)
            await connection.commit()
        finally:
            await connection.rollback()
            await connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})
            await connection.commit()
            await connection.invalidate()  # its settings were for this alone


def upgrade(connection: sa.Connection) -> None:
    """Migrates, and makes what every hub has: the id of its history and the access channel."""
    _check(connection)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    if read_channel(connection, ACCESS) is None:
        insert_channel(connection, id=ACCESS, kind="access", presets=INTERNAL, title="")
        connection.execute(sa.insert(Hub), {"key": "log", "value": str(1 + secrets.randbelow(2**53 - 1))})


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


def _check(connection: sa.Connection) -> None:
    at = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory(str(Path(__file__).parent / "migrations")).walk_revisions()}
    if at is not None and at not in known:
        raise SchemaNewer(f"the database has schema {at}, which is newer than this hubchat: install the newer one")


def _migrate_sqlite(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            upgrade(connection)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise


def _lock_file(path: Path) -> "_Lock":
    return _Lock(path)


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
