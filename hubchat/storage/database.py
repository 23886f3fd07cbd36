"""Engines, and the two ways in: `read(fn)` and `write(fn)`, one hop and one transaction each.

Storage functions are synchronous over a SQLAlchemy connection, the same for both databases. On SQLite they
run in threads (one writer, four readers), on PostgreSQL by `run_sync` over asyncpg.
"""

import asyncio
import logging
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeAlias, TypeVar
from weakref import WeakSet

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, InvalidRequestError, MultipleResultsFound, NoResultFound, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from hubchat.errors import HubError

log = logging.getLogger(__name__)
T = TypeVar("T")
Connection: TypeAlias = sa.Connection
"""What storage functions take; nobody else speaks SQL over it."""
Work = Callable[[Connection], T]

READERS: Final = 4  # threads that read on SQLite: more only wait for the interpreter
BUSY_MS: Final = 5_000  # how long SQLite waits for another process's write
CONNECT_S: Final = 5.0
LEAVE_S: Final = 5.0  # for what a node that stops has under way with a server that hangs; a stop takes less than 10 s
HANG_UP_S: Final = 0.2  # in which transactions notice that their connection was cut off
CLOSE_S: Final = 1.0  # what is under way by then waits for a server that does not answer
STATEMENT_MS: Final = 10_000  # a statement longer than this is a fault, and is ended by PostgreSQL
WAL_PAGES: Final = 4_000
"""Of SQLite's write-ahead log (16 MB) before it is written back: pages of an index that many messages touch are then
written once, not four times (seen: a tenth less CPU and a fifth less time a batch than with the usual 1,000)."""
POOL: Final = 12  # PostgreSQL connections a node; waiting for one longer than CONNECT_S: unavailable


CLOCK_MS: Final = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",  # unixepoch('subsec') is from 3.42 on
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
}
"""The database's own time, in SQL: nodes' clocks may differ."""


class Unavailable(HubError):
    """The database can't be reached, is full, read-only or locked. Nothing was stored.

    `cause` is for operators: SQLite's name of the error, or PostgreSQL's SQLSTATE; empty where nothing answered.
    """

    def __init__(self, cause: str = "") -> None:
        super().__init__("database_unavailable", retry_after_ms=1_000)
        self.cause = cause


class Locked(HubError):
    """A channel is held by another transaction for over 2 s, or two waited for each other. Nothing was stored."""

    def __init__(self) -> None:
        super().__init__("overloaded", retry_after_ms=500)


class OutcomeUnknown(HubError):
    """The connection broke while committing: it may or may not be stored."""

    def __init__(self) -> None:
        super().__init__("outcome_unknown", retry_after_ms=1_000)


class Database(Protocol):
    """Where everything is kept."""

    dialect: Literal["sqlite", "postgresql"]
    reads: int
    """Read transactions since it was opened."""

    async def read(self, work: Work[T]) -> T:
        """Runs `work` in one read transaction. Raises Unavailable."""

    async def write(self, work: Work[T]) -> T:
        """Runs `work` in one transaction and commits it. Raises Unavailable or OutcomeUnknown."""

    async def foreign_writes(self) -> int | None:
        """A number that changes when another process wrote; None where that can't be told."""

    async def tidy(self) -> bool:
        """Leaves nothing of what was deleted beside the tables, as far as that is ours to do; whether it could be."""

    @property
    def is_left(self) -> bool:
        """Whether the server is waited for no more."""

    def hurry(self) -> None:
        """The node stops: a server that does not answer is waited for `LEAVE_S` from now on, and then is away."""

    async def close(self) -> None: ...


def new_id() -> int:
    """A random id from 1 to 2^53 - 2, never counted up; 2^53 - 1 is the access channel's."""
    return 1 + secrets.randbelow(2**53 - 2)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def open_database(url: str | None, folder: Path, *, patient: bool = False) -> Database:
    """The database at `url`, or SQLite in `folder`. A patient one waits for locks, and for what takes minutes."""
    path = sqlite_path(url, folder)
    return PostgresDatabase(url or "", patient=patient) if path is None else SqliteDatabase(path)


def sqlite_path(url: str | None, folder: Path) -> Path | None:
    """The file that a database is; None where a server keeps it."""
    if url is None:
        return folder / "hubchat.db"
    return Path(url.split("///", 1)[1]) if url.startswith("sqlite") else None


# ---------------------------------------------------------------- SQLite


class SqliteDatabase:
    """One file, one writing thread, four reading ones; each thread keeps its connection.

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

    async def read(self, work: Work[T]) -> T:
        self.reads += 1
        return await self._hop(self._readers, self._run, work, "BEGIN")

    async def write(self, work: Work[T]) -> T:
        return await self._hop(self._writer, self._run, work, "BEGIN IMMEDIATE")

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
        try:
            done = work(connection)
            connection.exec_driver_sql("COMMIT")
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
        log.warning("database: %s", _told(error))
        return Unavailable(_cause(error))


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


# ---------------------------------------------------------------- PostgreSQL

PLANS: Final = {
    "plan_cache_mode": "force_generic_plan",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
}
"""Every statement here goes from a few rows to others by an index. A planner that has no statistics yet, as after a
burst, reads whole partitions instead (seen: a batch's nonces in 4 ms, not 0.4), and plans each time anew."""


class PostgresDatabase:
    """A pool of asyncpg connections; the functions run in greenlets of the event loop.

    As on SQLite, whoever stops waiting does not stop a transaction: cancelled in the middle, it would leave its
    connection half used, and nobody could say what became of it.
    """

    dialect: Literal["sqlite", "postgresql"] = "postgresql"

    def __init__(self, url: str, *, patient: bool = False) -> None:
        self.url = url
        self.reads = 0
        self.is_left = False
        self._under_way: set[asyncio.Task[Any]] = set()  # Any: a transaction gives what it likes
        self._lines: WeakSet[Any] = WeakSet()  # Any: asyncpg's connections, which has no types
        self._leaving: asyncio.TimerHandle | None = None
        limits = {
            "statement_timeout": str(STATEMENT_MS),
            "lock_timeout": "2000",  # a channel held longer is set aside with its items
            "idle_in_transaction_session_timeout": "30000",
            **PLANS,
        }
        self.engine: AsyncEngine = create_async_engine(
            asyncpg_url(url),
            hide_parameters=True,  # they are members' words
            pool_size=POOL,
            max_overflow=0,
            pool_timeout=CONNECT_S,
            pool_use_lifo=True,
            connect_args={
                "timeout": CONNECT_S,
                "command_timeout": None if patient else STATEMENT_MS / 1000 + 2,
                "server_settings": {
                    "application_name": "hubchat",
                    "synchronous_commit": "on",
                    **({} if patient else limits),
                },
            },
        )

        @sa.event.listens_for(self.engine.sync_engine, "connect")
        def know(connection: Any, _record: object) -> None:
            self._lines.add(connection.driver_connection)

    async def read(self, work: Work[T]) -> T:
        self.reads += 1
        return await self._to_its_end(self._read(work))

    async def write(self, work: Work[T]) -> T:
        return await self._to_its_end(self._write(work))

    async def _to_its_end(self, transaction: Coroutine[None, None, T]) -> T:
        task = asyncio.create_task(transaction)
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits is told; nobody may wait any more

    async def _read(self, work: Work[T]) -> T:
        self._require_server()
        try:
            async with self.engine.connect() as connection:
                return await connection.run_sync(work)
        except asyncio.CancelledError:
            self._require_server()
            raise
        except Exception as error:
            raise self.translated(error) from error

    async def _write(self, work: Work[T]) -> T:
        self._require_server()
        committing = False
        try:
            async with self.engine.connect() as connection:
                async with connection.begin():
                    done = await connection.run_sync(work)
                    committing = True
                return done
        except asyncio.CancelledError:
            if committing and self.is_left:
                raise OutcomeUnknown from None
            self._require_server()
            raise
        except Exception as error:
            if committing and not isinstance(error, HubError):
                log.warning("database: lost while committing: %s", _told(error))
                raise OutcomeUnknown from error
            raise self.translated(error) from error

    def _require_server(self) -> None:
        if self.is_left:
            raise Unavailable

    async def foreign_writes(self) -> int | None:
        return None

    async def tidy(self) -> bool:
        """Autovacuum does it."""
        return True

    def hurry(self) -> None:
        loop = asyncio.get_running_loop()
        self._leaving = loop.call_later(LEAVE_S, self._leave)

    def _leave(self) -> None:
        """What waits for the server is told that it is away."""
        log.warning("the database does not answer, and is waited for no more")
        self.is_left = True
        self._hang_up()
        asyncio.get_running_loop().call_later(HANG_UP_S, self._cancel)

    def _hang_up(self) -> None:
        for line in list(self._lines):
            line.terminate()

    def _cancel(self) -> None:
        """What has no connection yet waits no longer for one."""
        for task in self._under_way:
            task.cancel()

    async def close(self) -> None:
        """Waits for what runs, for a moment, then closes every connection: in good order where the server answers."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=CLOSE_S)
        self._cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        if self._leaving is not None:
            self._leaving.cancel()
        hanging_up = asyncio.get_running_loop().call_later(CLOSE_S, self._hang_up)
        await self.engine.dispose()
        hanging_up.cancel()
        await asyncio.sleep(0)  # connections that were cut off end in the next turn

    def translated(self, error: Exception) -> Exception:
        """What to raise for what the database answered."""
        if isinstance(error, DBAPIError) and sqlstate(error) in _LOCKED:
            return Locked()
        if isinstance(error, NoResultFound | MultipleResultsFound):
            return error  # ours: SQLAlchemy has them among what a lost connection raises
        gone = isinstance(error, PoolTimeout | OSError | asyncio.TimeoutError | InvalidRequestError) or (
            isinstance(error, DBAPIError)
            and (error.connection_invalidated or sqlstate(error)[:2] in _GONE or sqlstate(error) == FORBIDDEN)
        )
        if not gone:
            return error
        log.warning("database: %s", _told(error))
        return Unavailable(_cause(error))


_GONE: Final = frozenset({"08", "53", "57", "58", "25", "XX", "28", "3D"})
"""SQLSTATE classes of a server that is away, full, shutting down or read-only, or lets nobody in."""


FORBIDDEN: Final = "42501"  # the hub's user may not: the database is somebody else's

_LOCKED: Final = frozenset({"55P03", "40P01", "40001"})
"""SQLSTATEs of a lock that was not had in time, of a deadlock, and of a conflict."""


def sqlstate(error: DBAPIError) -> str:
    """The five letters PostgreSQL gives with an error; empty elsewhere."""
    return getattr(error.orig, "sqlstate", None) or ""


def asyncpg_url(url: str) -> sa.URL:
    """`postgres://` and `postgresql://`, as people write them, for asyncpg, which calls `sslmode` `ssl`."""
    made = sa.make_url(url.replace("postgres://", "postgresql://", 1))
    if (mode := made.query.get("sslmode")) is not None:
        made = made.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return made.set(drivername="postgresql+asyncpg")


def _cause(error: BaseException) -> str:
    orig: Any = getattr(error, "orig", None) or error
    return getattr(orig, "sqlite_errorname", None) or getattr(orig, "sqlstate", None) or ""


def _told(error: BaseException) -> str:
    """What went wrong, without the statement's values: those are members' words."""
    return f"{type(getattr(error, 'orig', None) or error).__name__} {_cause(error)}"
