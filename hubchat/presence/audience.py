"""How many are in a room now: told to those in it from 5 up, at most once a second.

A count below 5 is told once, as 0, where more was told before: fewer would say who.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from hubchat import wire
from hubchat.channels.hub import Hub, Live, Reader, Subscription
from hubchat.faults import log_fault
from hubchat.framing import WireClass, message_frame

log = logging.getLogger(__name__)

LEAST: Final = 5
EVERY_S: Final = 1.0


class Audience:
    """Counts the people of channels whose subscriptions changed."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._told: dict[int, int] = {}
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
        people = {reader.account_id or id(reader) for reader in live.subscriptions}
        count = len(people) if len(people) >= LEAST else 0
        if count == self._told.get(live.id, 0):
            return
        if count:
            self._told[live.id] = count
        else:
            self._told.pop(live.id, None)
        message = _signal(live.id, count)

        def payload(kind: WireClass) -> bytes:
            return message_frame(kind, wire.encode(kind.dialect, message))

        self.hub.signal(live, payload, members_only=False)


def _signal(channel: int, count: int) -> dict[str, object]:
    return {"signal": "audience", "channel": channel, "count": count}
