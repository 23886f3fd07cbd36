"""Writes that nobody waits for: noted now, stored together at most once a second."""

import asyncio
import logging
from collections.abc import Callable, Hashable, Mapping
from contextvars import Context
from typing import Final, Generic, TypeVar

from hubchat.storage.database import Connection, Database

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

log = logging.getLogger(__name__)

GATHER_S: Final = 1.0
WAITING: Final = 100_000  # notes while the database is away; later ones are dropped, for the next one says as much


class Noted(Generic[K, V]):
    """Stores the newest value noted for each key by `write_many`. What a crash takes is a second of notes."""

    def __init__(self, database: Database, write_many: Callable[[Connection, Mapping[K, V]], None]) -> None:
        self._database = database
        self._write_many = write_many
        self._waiting: dict[K, V] = {}
        self._task: asyncio.Task[None] | None = None

    def note(self, key: K, value: V) -> None:
        if key in self._waiting or len(self._waiting) < WAITING:
            self._waiting[key] = value
        if self._task is None:
            self._task = asyncio.create_task(self._later(), context=Context())  # it stores for many

    async def close(self) -> None:
        """Stores what waits, if it can be stored."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._waiting:
            await self._store()

    async def _later(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(GATHER_S)
                await self._store()
        finally:
            self._task = None

    async def _store(self) -> None:
        noted, self._waiting = self._waiting, {}
        try:
            await self._database.write(lambda connection: self._write_many(connection, noted))
        except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and tried again
            log.warning("notes wait for the database: %s", type(error).__name__)
            self._waiting = {**noted, **self._waiting}
