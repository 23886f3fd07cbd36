"""One timer for all links: it looks at each every 5 s, so that a link needs no timer of its own.

Time is counted in rounds, not by the clock: a server that was asleep for a minute drops nobody when it wakes.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from hubchat.gateway.pauses import Pauses

if TYPE_CHECKING:
    from hubchat.gateway.link import Link

ROUND_S: Final = 5.0
SPOKES: Final = 50
"""Links are visited in 50 lots, 0.1 s apart: 50,000 silent links are 1,000 pings (some 5 ms) a lot, not one stall of
250 ms, and their pongs do not come all at once."""

UNFINISHED_BYTES: Final = 64 << 20
"""What all unfinished messages of a node may hold. The link whose bytes would pass it is closed with 1009: it is the
one that asks for more, and what others have begun may still be finished."""


class Keeper:
    """The links of one node, and what their unfinished messages hold. `round_s` is how often each link is visited."""

    def __init__(self, round_s: float = ROUND_S, bound_bytes: int = UNFINISHED_BYTES) -> None:
        self._tick_s = round_s / SPOKES
        self._bound_bytes = bound_bytes
        self._wheel: tuple[set[Link], ...] = tuple(set() for _ in range(SPOKES))
        self._next_spoke = 0
        self._turn = 0
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = 0.0
        self.pauses = Pauses()
        self.unfinished_bytes = 0

    def open(self) -> None:
        """Start the timer; wants a running loop."""
        self._wait(asyncio.get_running_loop())

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def links(self) -> int:
        """How many there are, those that are opening or closing too."""
        return sum(map(len, self._wheel))

    @property
    def lagging(self) -> int:
        """How many of them take less than is written."""
        return sum(link.paused for lot in self._wheel for link in lot)

    def join(self, link: "Link") -> None:
        link.spoke = self._next_spoke
        self._next_spoke = (self._next_spoke + 1) % SPOKES
        self._wheel[link.spoke].add(link)

    def leave(self, link: "Link") -> None:
        self._wheel[link.spoke].discard(link)

    def charge(self, size_bytes: int) -> bool:
        """Count bytes of unfinished messages in (or, below zero, out); false where that passes the bound."""
        self.unfinished_bytes += size_bytes
        return size_bytes <= 0 or self.unfinished_bytes <= self._bound_bytes

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self.pauses.note(loop.time(), loop.time() - self._due_s)
        self._wait(loop)
        self.turn()

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due_s = loop.time() + self._tick_s
        self._timer = loop.call_later(self._tick_s, self._tick)

    def turn(self) -> None:
        """Visit the next lot; SPOKES turns are a round."""
        lot = self._wheel[self._turn]
        self._turn = (self._turn + 1) % SPOKES
        for link in list(lot):  # a visit may end a link, and its leaving changes the lot
            link.visit()
