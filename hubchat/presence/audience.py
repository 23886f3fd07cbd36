"""How many are in a room now: told to those in it from 5 up, at most once a second.

A count below 5 is told once, as 0, where more was told before: fewer would say who.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from hubchat.channels.bus import Signal
from hubchat.channels.hub import Hub
from hubchat.channels.live import Live, Reader, Subscription
from hubchat.faults import log_fault

log = logging.getLogger(__name__)

LEAST: Final = 5
EVERY_S: Final = 1.0


class Room(NamedTuple):
    """Who reads a channel on one node: members once each, in rising order, and how many guests."""

    accounts: tuple[int, ...]  # a set would take five times the memory, for every channel that is read
    guests: int


NOBODY: Final = Room((), 0)


class Audience:
    """Counts the people of channels whose subscriptions changed, on all nodes."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._told: dict[int, int] = {}
        self._said: dict[int, Room | None] = {}  # what others know of ours; None: nobody knows, not there: of nobody
        self._elsewhere: dict[int, dict[int, Room]] = {}  # channel → node → who is there
        self._asks: set[int] = set()  # channels in which what others said may have been missed
        self._moved: set[int] = set()  # channels in which something changed elsewhere
        hub.on_signal["audience"] = self._hear
        hub.on_gap = self._gapped
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def afresh(self, reader: Reader, subscriptions: Iterable[Subscription]) -> None:
        """Tells one connection that lagged how many are in these rooms: 0 where that is not told any more."""
        for subscription in subscriptions:
            reader.signal(_signal(subscription.live.id, self._told.get(subscription.live.id, 0)))

    def welcome(self, reader: Reader, live: Live) -> None:
        """Tells one that comes in how many are there, where that is told at all."""
        if (count := self._told.get(live.id)) is not None:
            reader.signal(_signal(live.id, count))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            self.tell()

    def tell(self) -> None:
        """Counts where something changed, and tells it."""
        moved = {live.id for live in self.hub.moved} | self._moved  # of a channel that came again, both are there
        self.hub.moved, self._moved = set(), set()
        for channel in moved:
            try:
                self._tell(channel)
            except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
                log_fault(log, error)

    def _tell(self, channel: int) -> None:
        live = self.hub.channels.get(channel)
        here = _here(live) if live is not None else NOBODY
        self._say(channel, here)
        if here == NOBODY:
            self._elsewhere.pop(channel, None)  # whoever comes here next is told again
        rooms = [here, *self._elsewhere.get(channel, {}).values()]
        people = len({account for room in rooms for account in room.accounts}) + sum(room.guests for room in rooms)
        count = people if people >= LEAST else 0
        if count == self._told.get(channel, 0):
            return
        if count:
            self._told[channel] = count
        else:
            self._told.pop(channel, None)
        if live is not None:
            self.hub.signal(live, _signal(channel, count), members_only=False)

    # ------------------------------------------------------------ between nodes

    def _say(self, channel: int, here: Room) -> None:
        """Tells the nodes that follow a channel who reads it here, when that changed or they have to be asked."""
        asks = channel in self._asks
        self._asks.discard(channel)
        if here == self._said.get(channel, NOBODY) and not asks:
            return
        if here == NOBODY and self.hub.bus.is_ok:
            self._said.pop(channel, None)
        else:
            self._said[channel] = here
        said = {"signal": "audience", "accounts": list(here.accounts), "guests": here.guests, "asks": asks}
        self.hub.bus.tell(channel, said)

    def _hear(self, node: int, channel: int, signal: Signal) -> None:
        """Another node says who reads a channel there; one that asks, or was not heard of before, is told the same."""
        live = self.hub.channels.get(channel)
        rooms = self._elsewhere.get(channel, {})
        room = Room(tuple(sorted(signal["accounts"])), int(signal["guests"]))
        is_read = live is not None and _is_read(live)
        if signal["asks"] or (is_read and node not in rooms and room != NOBODY):
            self._said[channel] = None
            self._moved.add(channel)
        if is_read and room != rooms.get(node, NOBODY):
            if room == NOBODY:
                del rooms[node]
            else:
                self._elsewhere.setdefault(channel, rooms)[node] = room
            self._moved.add(channel)

    def _gapped(self, channels: Collection[int] | None) -> None:
        """What others said of these channels may have been missed, and what this node said of them too."""
        read = {live.id for live in self.hub.channels.values() if _is_read(live)}
        for channel in read | self._said.keys():
            if channels is None or channel in channels:
                self._said[channel] = None
                self._moved.add(channel)
                if channel in read:
                    self._asks.add(channel)

    def forget(self, node: int) -> None:
        """A node is gone, with everybody there."""
        for channel, rooms in self._elsewhere.items():
            if rooms.pop(node, None) is not None:
                self._moved.add(channel)


def _is_read(live: Live) -> bool:
    return any(subscription.admitted for subscription in live.subscriptions.values())


def _here(live: Live) -> Room:
    """Those who were let in: one who only asks is nobody here yet, and may never be."""
    readers = [reader for reader, subscription in live.subscriptions.items() if subscription.admitted]
    accounts = {reader.account_id for reader in readers if reader.account_id is not None}
    return Room(tuple(sorted(accounts)), sum(reader.account_id is None for reader in readers))


def _signal(channel: int, count: int) -> dict[str, object]:
    return {"signal": "audience", "channel": channel, "count": count}
