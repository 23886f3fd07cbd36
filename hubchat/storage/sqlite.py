"""SQLite: one file in the data folder, and nothing else to install."""

import asyncio
import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Final, Literal, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from hubchat.storage.database import Unavailable, Work, cause_of, told

log = logging.getLogger(__name__)
T = TypeVar("T")

READERS: Final = 4  # threads that read on SQLite: more only wait for the interpreter
BUSY_MS: Final = 5_000  # how long SQLite waits for another process's write
WRITTEN_BACK: Final = 4_000
"""Rows changed on SQLite before the write-ahead log is written back, beside members' messages, by a thread of its own:
within a commit they waited for it (seen: p99 of a delivery 37 ms, and 19 ms so)."""
WAL_PAGES: Final = 32_000
"""Of that log (128 MB), where a commit writes back the rest itself, so that the log begins anew and does not grow."""


class SqliteDatabase:
    """One file, one writing thread, four reading ones, and one that writes the log back; each keeps its connection.

    The file must stay where it is. SQLite would go on with one that was deleted, and all that is written then is lost
    with the process; so each transaction looks first, which takes some 4 µs.
    """

    dialect: Literal["sqlite", "postgresql"] = "sqlite"
    is_left = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reads = 0
        self.engine = sqlite_engine(path)
        self._own = threading.local()
        self._opened: list[sa.Connection] = []
        self._file: tuple[int, int] | None = None  # device and inode of what was opened
        self._is_gone = False
        self._writer = ThreadPoolExecutor(1, "sqlite-write")
        self._readers = ThreadPoolExecutor(READERS, "sqlite-read")
        self._log_keeper = ThreadPoolExecutor(1, "sqlite-log")
        self._changed = 0  # rows, since the log was written back
        self._is_writing_back = False

    async def read(self, work: Work[T]) -> T:
        self.reads += 1
        return await self._hop(self._readers, self._run, work, "BEGIN")

    async def write(self, work: Work[T]) -> T:
        done: T = await self._hop(self._writer, self._run, work, "BEGIN IMMEDIATE")
        if self._changed >= WRITTEN_BACK and not self._is_writing_back:
            self._is_writing_back = True
            self._log_keeper.submit(self._write_back)
        return done

    def _write_back(self) -> None:
        """Copies what the log holds into the file, as far as no reader needs it; writers go on meanwhile."""
        self._changed = 0
        with contextlib.suppress(DBAPIError, sqlite3.Error, Unavailable):  # else a commit does it, and tells
            self._connection().exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").one()
        self._is_writing_back = False

    async def foreign_writes(self) -> int | None:
        def version() -> int:
            try:
                return int(self._connection().exec_driver_sql("PRAGMA data_version").scalar_one())
            except (DBAPIError, sqlite3.Error) as error:
                raise self._broken(error) from error

        return await self._hop(self._writer, version)

    async def tidy(self) -> bool:
        """Empties the write-ahead log, which keeps what was deleted until it is written over; not beside a long reader.

        It does not wait for one: members' messages would wait with it.
        """

        def truncate() -> bool:
            try:
                connection = self._connection()
                connection.exec_driver_sql("PRAGMA busy_timeout=0")
                try:
                    return not connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
                finally:
                    connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_MS}")
            except (DBAPIError, sqlite3.Error) as error:
                raise self._broken(error) from error

        return await self._hop(self._writer, truncate)

    def hurry(self) -> None:
        """There is nobody to wait for."""

    async def close(self) -> None:
        """Waits for what runs, then closes every connection."""
        await asyncio.to_thread(self._writer.shutdown)
        await asyncio.to_thread(self._readers.shutdown)
        await asyncio.to_thread(self._log_keeper.shutdown)
        for connection in self._opened:
            connection.close()  # the last one to close takes the write-ahead log, and what it held, with it
        self.engine.dispose()

    async def _hop(self, pool: ThreadPoolExecutor, act: Callable[..., T], *given: object) -> T:
        """Runs it there, with the ids that this task's log lines carry."""
        return await asyncio.get_running_loop().run_in_executor(pool, copy_context().run, act, *given)

    def _run(self, work: Work[T], begin: str) -> T:
        try:
            connection = self._connection()
            connection.exec_driver_sql(begin)
        except (DBAPIError, sqlite3.Error) as error:
            raise self._broken(error) from error
        driver = _driver_of(connection)
        before = driver.total_changes
        try:
            done = work(connection)
            connection.exec_driver_sql("COMMIT")
            if changed := driver.total_changes - before:
                self._changed += changed
            return done
        except BaseException as error:
            self._roll_back(connection)
            if isinstance(error, OperationalError | sqlite3.OperationalError | sqlite3.DatabaseError):
                raise self._broken(error) from error
            raise

    def _connection(self) -> sa.Connection:
        """This thread's connection. Raises Unavailable where the file is not the one that was opened."""
        if self._file is not None:
            self._require_file()
        connection: sa.Connection | None = getattr(self._own, "connection", None)
        if connection is None or connection.closed:
            connection = self._own.connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._opened.append(connection)
            self._file = self._file or self._file_there()
        return connection

    def _require_file(self) -> None:
        """Says once that the file was deleted or replaced, and once that it is back."""
        was_gone, self._is_gone = self._is_gone, self._file_there() != self._file
        if self._is_gone:
            if not was_gone:
                log.error(
                    "the database file was deleted, moved or replaced: nothing is stored any more. "
                    "Put it back as it was; or stop the hub, see that the right file is there, and start it again"
                )
            raise Unavailable
        if was_gone:
            log.warning("the database file is back")

    def _file_there(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _roll_back(self, connection: sa.Connection) -> None:
        try:
            connection.exec_driver_sql("ROLLBACK")
        except (DBAPIError, sqlite3.Error):  # a failed COMMIT may have ended the transaction already
            connection.close()
            self._opened.remove(connection)
            self._own.connection = None

    def _broken(self, error: BaseException) -> Unavailable:
        log.warning("database: %s", told(error))
        return Unavailable(cause_of(error))


def _driver_of(connection: sa.Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection), "it was opened by SQLite's driver"
    return driver


def sqlite_engine(path: Path) -> sa.Engine:
    """An engine whose transactions are begun and ended by statements of ours."""
    engine = sa.create_engine(
        f"sqlite:///{path}",
        poolclass=sa.pool.NullPool,
        hide_parameters=True,  # they are members' words
        connect_args={"timeout": BUSY_MS / 1000, "check_same_thread": False, "isolation_level": None},
        skip_autocommit_rollback=True,
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",  # an acknowledged message survives a power cut
            "secure_delete=ON",  # what is deleted leaves no bytes behind
            "foreign_keys=ON",
            f"busy_timeout={BUSY_MS}",
            "cache_size=-2048",  # 2 MB a connection: each commit of another empties it
            "temp_store=MEMORY",
            f"wal_autocheckpoint={WAL_PAGES}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine
