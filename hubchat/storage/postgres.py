"""PostgreSQL, by asyncpg: for several nodes, and for a hub that outgrows one machine."""

import asyncio
import logging
import ssl
from collections.abc import Coroutine
from typing import Any, Final, Literal, TypeVar
from weakref import WeakSet

import sqlalchemy as sa
from asyncpg.exceptions import TargetServerAttributeNotMatched  # type: ignore[import-untyped]  # it has no types
from sqlalchemy.exc import DBAPIError, InvalidRequestError, MultipleResultsFound, NoResultFound
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from hubchat.errors import HubError
from hubchat.storage.database import Locked, OutcomeUnknown, Unavailable, Work, cause_of, told
from hubchat.storage.postgres_address import read_address

log = logging.getLogger(__name__)
T = TypeVar("T")

CONNECT_S: Final = 5.0
LEAVE_S: Final = 5.0  # for what a node that stops has under way with a server that hangs; a stop takes less than 10 s
HANG_UP_S: Final = 0.2  # in which transactions notice that their connection was cut off
CLOSE_S: Final = 1.0  # what is under way by then waits for a server that does not answer
STATEMENT_MS: Final = 10_000  # a statement longer than this is a fault, and is ended by PostgreSQL
POOL: Final = 12  # PostgreSQL connections a node; waiting for one longer than CONNECT_S: unavailable

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
        """Raises SettingsError for an address that can't be meant."""
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
        address = read_address(url)
        self.engine: AsyncEngine = create_async_engine(
            address.url,
            hide_parameters=True,  # they are members' words
            pool_size=POOL,
            max_overflow=0,
            pool_timeout=CONNECT_S,
            pool_use_lifo=True,
            connect_args={
                "timeout": CONNECT_S,
                "command_timeout": None if patient else STATEMENT_MS / 1000 + 2,
                **address.options,
                "server_settings": {
                    "application_name": "hubchat",
                    **address.settings,
                    "synchronous_commit": "on",
                    **({} if patient else limits),
                },
            },
        )

        @sa.event.listens_for(self.engine.sync_engine, "connect")
        def know(connection: Any, _record: object) -> None:
            line = connection.driver_connection
            if line.get_settings().server_encoding != "UTF8":  # which the server tells each who comes
                line.terminate()
                raise Unavailable(ENCODING)
            self._lines.add(line)

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
                log.warning("database: lost while committing: %s", told(error))
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
        if isinstance(getattr(error, "orig", error).__cause__, TargetServerAttributeNotMatched):
            return Unavailable(READ_ONLY)  # none of several hosts is as target_session_attrs asks
        if not gone:
            return error
        log.warning("database: %s", told(error))
        return Unavailable(cause_of(error) or tls_cause(error))


_GONE: Final = frozenset({"08", "53", "57", "58", "25", "XX", "28", "3D"})
"""SQLSTATE classes of a server that is away, full, shutting down or read-only, or lets nobody in."""


READ_ONLY: Final = "25006"
FORBIDDEN: Final = "42501"  # the hub's user may not: the database is somebody else's
NO_TLS: Final = "tls_none"  # what has no SQLSTATE has names of ours: the server speaks none,
UNTRUSTED: Final = "tls_untrusted"  # shows a certificate that proves nothing,
TLS_BROKEN: Final = "tls"  # or does not understand us
ENCODING: Final = "encoding"  # the database can't keep every text

_LOCKED: Final = frozenset({"55P03", "40P01", "40001"})
"""SQLSTATEs of a lock that was not had in time, of a deadlock, and of a conflict."""


def sqlstate(error: DBAPIError) -> str:
    """The five letters PostgreSQL gives with an error; empty elsewhere."""
    return getattr(error.orig, "sqlstate", None) or ""


def tls_cause(error: Exception) -> str:
    """What was wrong with TLS; empty where nothing was."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return UNTRUSTED
    if isinstance(error, ssl.SSLError):
        return TLS_BROKEN
    return NO_TLS if isinstance(error, ConnectionError) and "rejected SSL" in str(error) else ""  # asyncpg's words
