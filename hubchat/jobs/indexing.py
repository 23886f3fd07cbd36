"""Keeps the index of texts at most 2 s behind the log, and gives way to members' messages.

What this node commits wakes it; what others left, as after a crash, a restore or a command, it finds at the start and
each minute. One node at a time is in a channel. While members write it takes a tenth of the time, in small steps, for
on SQLite nobody else writes meanwhile: enough for a thousand messages a second; beyond that it is later.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from time import monotonic
from typing import Final

from hubchat.node import Node
from hubchat.storage import indexing
from hubchat.storage.database import Connection, now_ms
from hubchat.storage.fulltext import fulltext_of
from hubchat.storage.schema import read_hub, write_hub
from hubchat.wire import UNREAD_KINDS, Entry

log = logging.getLogger(__name__)

GATHER_S: Final = 0.5  # what comes meanwhile is put in together
SCAN_S: Final = 60.0
STEP: Final = 200  # entries: some 10 ms in which nobody else writes on SQLite
BUSY_STEP: Final = 40
CHANNELS: Final = 20  # a step: each is some look-ups more
BUSY_PAUSE: Final = 9.0  # times what a step took, while members write
TIDY_MS: Final = 86_400_000
AGAIN_MS: Final = 60_000  # after what could not be tidied, as beside a backup
PAUSE_S: Final = 0.01  # for messages that wait meanwhile
NEVER_S: Final = float("-inf")
REMOVED: Final = 500  # texts; after so many the index is tidied without waiting for the next day
TIDIED: Final = "fulltext_tidied_at"
CONCERNS: Final = frozenset({*UNREAD_KINDS, "edit", "delete"})


class Indexing:
    """One node's part of it."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._behind: dict[int, int] = {}  # channel → entries it has not seen, as far as is known
        self._woken = asyncio.Event()
        self._is_written = False  # something was committed here since the last step
        self._scanned_at = NEVER_S
        self._removed = 0
        self._tidied_at: int | None = None
        self._is_stuck = False
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        self.node.log.on_stored.append(self.note)
        self._task = asyncio.create_task(self._run(), context=Context())  # it works for all

    async def close(self) -> None:
        """Stops where it is; another node, or the next start, goes on from there."""
        self.node.log.on_stored.remove(self.note)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def note(self, entries: Sequence[Entry]) -> None:
        """Something was committed here."""
        self._is_written = True
        for entry in entries:
            if entry.kind in CONCERNS:
                self._behind[entry.channel] = self._behind.get(entry.channel, 0) + 1
        if self._behind:
            self._woken.set()

    async def _run(self) -> None:
        while True:
            try:
                await self._round()
                self._is_stuck = False
            except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
                if not self._is_stuck:  # once a trouble, however long it lasts
                    log.warning("search can't follow the log", extra={"cause": type(error).__name__})
                self._is_stuck = True
                self._scanned_at = NEVER_S
                await asyncio.sleep(GATHER_S)
            self.node.hub.counts.index_behind = sum(self._behind.values())
            try:
                async with asyncio.timeout(max(0.0, self._scanned_at + SCAN_S - monotonic())):
                    await self._woken.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(GATHER_S)

    async def _round(self) -> None:
        self._woken.clear()
        if monotonic() - self._scanned_at >= SCAN_S:
            await self.scan()
        await self.catch_up()
        if await self._is_untidy():
            await self.tidy()

    async def scan(self) -> None:
        """Looks for channels in which something was left to do."""
        self._behind |= await self.node.database.read(indexing.read_behind)
        self._scanned_at = monotonic()

    async def catch_up(self) -> None:
        """Steps on in all channels that are behind, in turn, until none is."""
        while self._behind:
            channels = list(self._behind)
            steps = [await self._step(channels[at : at + CHANNELS]) for at in range(0, len(channels), CHANNELS)]
            if not any(steps):
                await asyncio.sleep(GATHER_S)  # other nodes are at them

    async def _step(self, channels: list[int]) -> bool:
        """Whether any of them was free."""
        began, is_busy = monotonic(), self._is_written or self.node.log.waiting > 0
        self._is_written = False
        noted = {channel: self._behind[channel] for channel in channels}
        most = BUSY_STEP if is_busy else STEP
        done = await self.node.database.write(lambda connection: indexing.step(connection, channels, most))
        took_s = monotonic() - began
        self.node.hub.counts.index_s.observe(took_s)
        self._removed += done.removed
        for channel, behind in done.behind.items():
            came = self._behind[channel] - noted[channel]
            if behind is None and not came:
                del self._behind[channel]
            else:
                self._behind[channel] = (behind or 0) + came
        self.node.hub.counts.index_behind = sum(self._behind.values())
        await asyncio.sleep(took_s * BUSY_PAUSE if is_busy or self._is_written else 0)
        return bool(done.behind)

    # ------------------------------------------------------------ what was deleted

    async def _is_untidy(self) -> bool:
        if self._removed >= REMOVED:
            return True
        if self._tidied_at is None:
            self._tidied_at = await self.node.database.write(_read_tidied)
        return now_ms() - self._tidied_at > TIDY_MS

    async def tidy(self) -> None:
        """Leaves no deleted word in the files, as far as that is ours to do; on PostgreSQL autovacuum does it."""
        self._removed = 0
        begin = True
        while await self.node.database.write(lambda connection, begin=begin: _merge(connection, begin)):  # type: ignore[misc]
            begin = False
            await asyncio.sleep(PAUSE_S)
        if await self.node.database.tidy():
            self._tidied_at = at = now_ms()
            await self.node.database.write(lambda connection: write_hub(connection, TIDIED, str(at)))
        else:
            self._tidied_at = now_ms() - TIDY_MS + AGAIN_MS


def _merge(connection: Connection, begin: bool) -> bool:
    return fulltext_of(connection).merge(connection, begin=begin)


def _read_tidied(connection: Connection) -> int:
    """When the index was tidied last; a new one is tidy."""
    if (found := read_hub(connection, TIDIED)) is None:
        write_hub(connection, TIDIED, found := str(now_ms()))
    return int(found)


@asynccontextmanager
async def followed(node: Node) -> AsyncIterator[None]:
    """The index follows this node's log."""
    one = Indexing(node)
    one.open()
    try:
        yield
    finally:
        await one.close()
