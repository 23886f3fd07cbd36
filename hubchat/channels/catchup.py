"""Brings readers that join or lagged to where their channel stands: from `recent`, else from SQL.

A reader gets at most 64 KiB a turn and readers take turns; four reads are under way on a node. What a replay
read from SQL and what changed meanwhile is read again, so nothing deleted comes after its deletion.
"""

import asyncio
import logging
from collections import deque
from contextvars import Context
from time import monotonic
from typing import Final

from hubchat.channels.encoded import Encoded
from hubchat.channels.hub import Hub
from hubchat.channels.live import Live, Reader, Replay, Subscription
from hubchat.channels.turns import SLICE_S
from hubchat.errors import RESTARTING
from hubchat.faults import log_fault
from hubchat.storage.entries import read_range

log = logging.getLogger(__name__)

TURN_BYTES: Final = 64 * 1024  # as much as a socket that just said it may be written takes
READS: Final = 4
READ_ENTRIES: Final = 200  # about a turn's bytes, at 300 bytes an entry
RETRY_S: Final = 1.0  # after a failed read; the reader keeps its place


class _Read(Replay):
    """A page of the log, shared by the readers at the same place."""

    def __init__(self, live: Live, page: "asyncio.Task[list[Encoded]]") -> None:
        super().__init__()
        self.live = live
        self.page = page
        self.users = 0


class Catchup:
    """Every reader that is behind, each with its subscriptions that are."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._behind: dict[Reader, deque[Subscription]] = {}
        self._blocked: list[Subscription] = []  # in channels whose rights are being asked again
        self._reading: dict[tuple[int, int], _Read] = {}
        self._reads = asyncio.Semaphore(READS)
        self._tasks: set[asyncio.Task[None]] = set()
        self.replayed = 0  # entries, since the start
        self.pages_read = 0  # of the log, for entries that `recent` does not hold

    @property
    def behind(self) -> int:
        """Readers that are being caught up just now."""
        return len(self._behind) + sum(read.users for read in self._reading.values())

    def add(self, subscription: Subscription) -> None:
        """Takes a subscription with a position; it enters the readers in the turn in which it has reached them."""
        live = subscription.live
        if subscription.position is not None and subscription.position >= live.at and live.opened:
            subscription.position = live.at
            self.hub.enter(subscription)
            return
        self._behind.setdefault(subscription.reader, deque()).append(subscription)
        self.hub.turns.schedule()

    def forget(self, reader: Reader) -> None:
        """Drops a reader that is gone or lags again; its subscriptions keep their positions."""
        self._behind.pop(reader, None)

    def turn(self) -> None:
        """At a turn's end, before its replies and entries are written; what is left goes with the next one.

        While the hub hands out nothing, nothing is replayed: what is at hand may be newer than the right to it.
        """
        if self.hub.is_stale():
            return
        blocked, self._blocked = self._blocked, []
        for subscription in blocked:
            if subscription.is_current and not subscription.reader.lagging:
                self._behind.setdefault(subscription.reader, deque()).append(subscription)
        deadline = monotonic() + SLICE_S
        for reader in list(self._behind):
            subscriptions = self._behind.pop(reader, None)
            try:
                if subscriptions and self._advance(reader, subscriptions):
                    self._behind[reader] = subscriptions  # at the end: readers take turns
            except Exception as error:  # noqa: BLE001  # one reader's fault is no other's
                self._give_up(reader, error)
            if monotonic() > deadline:
                break
        if self._behind:
            self.hub.turns.schedule()

    def _give_up(self, reader: Reader, error: Exception) -> None:
        """It comes again, and is not left standing where it is."""
        log_fault(log, error, "a reader can't be caught up:")
        reader.bye(RESTARTING)

    def _advance(self, reader: Reader, subscriptions: deque[Subscription]) -> bool:
        """Posts up to a turn's bytes from `recent`. False when the reader is done, lags, or waits for a read."""
        parts: list[bytes] = []
        room = TURN_BYTES
        waits = False
        while subscriptions and room > 0 and not waits and not reader.lagging:
            subscription = subscriptions[0]
            live, position = subscription.live, subscription.position
            if not subscription.is_current or position is None:
                subscriptions.popleft()
            elif live.blocked:
                self._blocked.append(subscriptions.popleft())
            elif position >= live.at:
                subscriptions.popleft()
                subscription.position = live.at
                self.hub.enter(subscription)
            elif (encoded := self.hub.recent.get(live.id, position + 1)) is not None:
                data = encoded.frame(reader.kind)
                parts.append(data)
                room -= len(data)
                subscription.position = position + 1
            else:
                waits = True
                self._read_later(reader, subscriptions)
        if parts:
            self.replayed += len(parts)
            self.hub.turns.post(reader, b"".join(parts))
        return bool(subscriptions) and not waits and not reader.lagging

    def _read_later(self, reader: Reader, subscriptions: deque[Subscription]) -> None:
        task = asyncio.create_task(self._read(reader, subscriptions))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, reader: Reader, subscriptions: deque[Subscription]) -> None:
        """Posts a turn's bytes of the first subscription from SQL, then lets the reader go on."""
        subscription = subscriptions[0]
        live, page = subscription.live, None
        read = self._shared(live, (subscription.position or 0) + 1)
        try:
            page = await asyncio.shield(read.page)
        except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
            log.warning("replay waits for the database", extra={"cause": type(error).__name__})
            await asyncio.sleep(RETRY_S)
        finally:
            read.users -= 1
            if not read.users:
                live.replays.discard(read)
        if page is not None and subscription.is_current and not (reader.lagging or live.blocked or self.hub.is_stale()):
            try:
                self._post_page(subscription, page, read.changed)
            except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it comes again
                return self._give_up(reader, error)
        if not reader.lagging and subscriptions:
            waiting = self._behind.setdefault(reader, subscriptions)
            if waiting is not subscriptions:  # others were added while this one was read
                waiting.extendleft(reversed(subscriptions))
            self.hub.turns.schedule()

    def _post_page(self, subscription: Subscription, page: list[Encoded], changed: set[int]) -> None:
        parts: list[bytes] = []
        room = TURN_BYTES
        position = subscription.position or 0
        if not page or page[0].seq > position + 1:  # what is between is not kept any more
            position = page[0].seq - 1 if page else subscription.live.at
        for encoded in page:
            stale = encoded.seq in changed or encoded.target in changed
            if room <= 0 or stale or encoded.seq != position + 1 or encoded.seq > subscription.live.at:
                break
            data = encoded.frame(subscription.reader.kind)
            parts.append(data)
            room -= len(data)
            position = encoded.seq
        subscription.position = position
        if parts:
            self.replayed += len(parts)
            self.hub.turns.post(subscription.reader, b"".join(parts))

    def _shared(self, live: Live, first: int) -> _Read:
        """The read of a page from `first`, one for all who are at the same place."""
        key = (live.id, first)
        read = self._reading.get(key)
        if read is None:
            read = self._reading[key] = _Read(live, asyncio.create_task(self._query(live, first), context=Context()))
            read.page.add_done_callback(lambda _: self._reading.pop(key, None))
            live.replays.add(read)
        read.users += 1
        return read

    async def _query(self, live: Live, first: int) -> list[Encoded]:
        async with self._reads:
            self.pages_read += 1
            entries = await self.hub.database.read(
                lambda connection: read_range(connection, live.id, first, live.at, READ_ENTRIES)
            )
        return [Encoded(entry) for entry in entries]

    async def close(self) -> None:
        pages = [read.page for read in self._reading.values()]
        for task in [*self._tasks, *pages]:
            task.cancel()
        await asyncio.gather(*self._tasks, *pages, return_exceptions=True)
