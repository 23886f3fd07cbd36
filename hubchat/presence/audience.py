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
    """Who reads a channel on one node: members once each, and how many guests."""

    accounts: frozenset[int]
    guests: int


NOBODY: Final = Room(frozenset(), 0)


class Audience:
    """Counts the people of channels whose subscriptions changed, on all nodes."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._told: dict[int, int] = {}
        self._said: dict[int, Room] = {}  # what other nodes know of ours
        self._elsewhere: dict[int, dict[int, Room]] = {}  # channel → node → who is there
        self._asks: set[int] = set()  # channels in which what others said may have been missed
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
            moved, self.hub.moved = self.hub.moved, set()
            try:
                for live in moved:
                    self._tell(live)
            except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
                log_fault(log, error)

    def _tell(self, live: Live) -> None:
        here = _here(live)
        self._say(live.id, here)
        rooms = [here, *self._elsewhere.get(live.id, {}).values()]
        people = len(frozenset().union(*(room.accounts for room in rooms))) + sum(room.guests for room in rooms)
        count = people if people >= LEAST else 0
        if count == self._told.get(live.id, 0):
            return
        if count:
            self._told[live.id] = count
        else:
            self._told.pop(live.id, None)
        self.hub.signal(live, _signal(live.id, count), members_only=False)

    # ------------------------------------------------------------ between nodes

    def _say(self, channel: int, here: Room) -> None:
        """Tells the nodes that follow a channel who reads it here, when that changed or they have to be asked."""
        asks = channel in self._asks
        self._asks.discard(channel)
        if here == self._said.get(channel, NOBODY) and not asks:
            return
        if here == NOBODY:
            self._said.pop(channel, None)
            self._elsewhere.pop(channel, None)
        else:
            self._said[channel] = here
        said = {"signal": "audience", "accounts": list(here.accounts), "guests": here.guests, "asks": asks}
        self.hub.bus.tell(channel, said)

    def _hear(self, node: int, channel: int, signal: Signal) -> None:
        """Another node says who reads a channel there; one that asks, or was not heard of before, is told the same."""
        live = self.hub.channels.get(channel)
        if live is None or not live.subscriptions:
            return
        rooms = self._elsewhere.setdefault(channel, {})
        if node not in rooms or signal["asks"]:
            self._said.pop(channel, None)
        room = Room(frozenset(signal["accounts"]), int(signal["guests"]))
        if room == NOBODY:
            rooms.pop(node, None)
        else:
            rooms[node] = room
        self.hub.moved.add(live)

    def _gapped(self, channels: Collection[int] | None) -> None:
        """What others said of these channels may have been missed, and what this node said of them too."""
        for live in self.hub.channels.values():
            if live.subscriptions and (channels is None or live.id in channels):
                self._said.pop(live.id, None)
                self._asks.add(live.id)
                self.hub.moved.add(live)

    def forget(self, node: int) -> None:
        """A node is gone, with everybody there."""
        for channel, rooms in self._elsewhere.items():
            if rooms.pop(node, None) is not None and (live := self.hub.channels.get(channel)) is not None:
                self.hub.moved.add(live)


def _here(live: Live) -> Room:
    accounts = frozenset(reader.account_id for reader in live.subscriptions if reader.account_id is not None)
    return Room(accounts, sum(reader.account_id is None for reader in live.subscriptions))


def _signal(channel: int, count: int) -> dict[str, object]:
    return {"signal": "audience", "channel": channel, "count": count}
