"""What a database is to all others: `read(fn)` and `write(fn)`, one hop and one transaction each.

Storage functions are synchronous over a SQLAlchemy connection, the same for both databases. On SQLite they run in
threads (sqlite.py), on PostgreSQL by `run_sync` over asyncpg (postgres.py).
"""

import secrets
import time
from collections.abc import Callable
from typing import Any, Final, Literal, Protocol, TypeAlias, TypeVar

import sqlalchemy as sa

from hubchat.errors import HubError

T = TypeVar("T")
Connection: TypeAlias = sa.Connection
"""What storage functions take; nobody else speaks SQL over it."""
Work = Callable[[Connection], T]

CLOCK_MS: Final = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",  # unixepoch('subsec') is from 3.42 on
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
}
"""The database's own time, in SQL: nodes' clocks may differ."""


class Unavailable(HubError):
    """The database can't be reached, is full, read-only or locked. Nothing was stored.

    `cause` is for operators: SQLite's name of the error, or PostgreSQL's SQLSTATE, or what postgres.py calls what has
    none; empty where nothing answered.
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
        """The node stops: a server that does not answer is waited for a moment more, and then is away."""

    async def close(self) -> None: ...


def new_id() -> int:
    """A random id from 1 to 2^53 - 2, never counted up; 2^53 - 1 is the access channel's."""
    return 1 + secrets.randbelow(2**53 - 2)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def cause_of(error: BaseException) -> str:
    """What the database calls it, as `Unavailable.cause` does."""
    orig: Any = getattr(error, "orig", None) or error
    return getattr(orig, "sqlite_errorname", None) or getattr(orig, "sqlstate", None) or ""


def told(error: BaseException) -> str:
    """What went wrong, without the statement's values: those are members' words."""
    return f"{type(getattr(error, 'orig', None) or error).__name__} {cause_of(error)}"
