"""Closes connections whose session or token has run out. What ends by somebody's doing comes by the access channel."""

import asyncio
import heapq
import itertools
import logging
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from hubchat.errors import SIGN_IN_ENDED, Close
from hubchat.faults import log_fault
from hubchat.storage.database import now_ms

log = logging.getLogger(__name__)

LOOK_S: Final = 0.5
AHEAD_MS: Final = 3_600_000  # only what ends within an hour is kept in order; the rest is looked at once in that time


class Ending(Protocol):
    """A connection that ends at some time."""

    ends_at_ms: int

    def bye(self, close: Close) -> None: ...


class Expiry:
    """Knows which connections end soon. Twice an hour it says `forget` to what keeps things for an hour."""

    def __init__(self, everybody: Callable[[], Iterable[Ending]], forget: Callable[[], None] = lambda: None) -> None:
        self._everybody = everybody
        self._forget = forget
        self._soon: list[tuple[int, int, Ending]] = []
        self._numbers = itertools.count()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def watch(self, connection: Ending) -> None:
        """Takes a new connection."""
        if connection.ends_at_ms < now_ms() + AHEAD_MS:
            heapq.heappush(self._soon, (connection.ends_at_ms, next(self._numbers), connection))

    async def _run(self) -> None:
        looked_at_ms = now_ms()
        while True:
            await asyncio.sleep(LOOK_S)
            now = now_ms()
            try:
                if now - looked_at_ms > AHEAD_MS // 2:
                    looked_at_ms = now
                    self._forget()
                    self._soon.clear()
                    for connection in self._everybody():
                        self.watch(connection)
                while self._soon and self._soon[0][0] <= now:
                    heapq.heappop(self._soon)[2].bye(SIGN_IN_ENDED)
            except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
                log_fault(log, error)
