"""Reads that are gathered as commits are: one query under way, what arrives meanwhile goes in the next.

Seen: 5 µs a read instead of 220–540 when a thousand members come back at once.
"""

import asyncio
import itertools
from collections.abc import Callable, Hashable, Iterable
from contextvars import Context
from typing import Final, Generic, TypeVar

import sqlalchemy as sa

from hubchat.errors import HubError
from hubchat.storage.database import Database

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

BATCH: Final = 1_000  # keys in one query: about 5 ms, so that nobody waits long behind it
WAITING: Final = 50_000  # keys that may wait; more: `overloaded`


class Gathered(Generic[K, V]):
    """Reads values by key through `read_many`, which gets the keys and gives what it found."""

    def __init__(self, database: Database, read_many: Callable[[sa.Connection, Iterable[K]], dict[K, V]]) -> None:
        self._database = database
        self._read_many = read_many
        self._waiting: dict[K, list[asyncio.Future[V | None]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """The value now in the database, read after this call began; None when there is none."""
        return await self.ask(key)

    def ask(self, key: K) -> asyncio.Future[V | None]:
        """The same for later; it need not be waited for. Raises `overloaded`."""
        waiting = self._waiting.get(key)
        if waiting is None:
            if len(self._waiting) >= WAITING:
                raise HubError("overloaded", retry_after_ms=2_000)
            waiting = self._waiting[key] = []
            if self._task is None:
                self._task = asyncio.create_task(self._run(), context=Context())  # it asks for many
        future: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        waiting.append(future)
        return future

    async def _run(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(0)  # a turn, for company: a quarter fewer reads when many come back
                keys = list(self._waiting)[:BATCH]
                batch = {key: self._waiting.pop(key) for key in keys}
                try:
                    found = await self._database.read(lambda connection, keys=keys: self._read_many(connection, keys))  # type: ignore[misc]
                except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
                    for future in itertools.chain.from_iterable(batch.values()):
                        if not future.done():
                            future.set_exception(error)
                            future.exception()  # told to whoever waits; nobody may wait any more
                else:
                    for key, waiting in batch.items():
                        for future in waiting:
                            if not future.done():
                                future.set_result(found.get(key))
        finally:
            self._task = None
