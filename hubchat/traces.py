"""The way of a message as OpenTelemetry spans, where an operator asks for them; where not, there is no `Traces` at all.

Spans are made when they are over, from times that cost next to nothing to keep. What belongs to one entry is known
without a byte on the wire: its trace's id, and whether it is kept, come from log, channel and seq, so that all nodes
agree. Spans hold counts and times, and nothing of anybody (law 8).
"""

import asyncio
import random
import secrets
import struct
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from time import monotonic
from typing import Final, NamedTuple, Protocol

from hubchat.errors import HubError

LINKS: Final = 128  # of one span, as OpenTelemetry's own limit

_SPREAD: Final = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: consecutive seqs fall evenly over all numbers (Knuth, 6.4)
_ALL: Final = 1 << 64
_PLACE: Final = struct.Struct("!QQQ")


class Placed(Protocol):
    """Something with a place in a log."""

    @property
    def channel(self) -> int: ...

    @property
    def seq(self) -> int: ...


class Appended(Placed, Protocol):
    """An entry that was just committed."""

    @property
    def kind(self) -> str: ...


class Asked(Protocol):
    """What somebody asked the log for. Times are monotonic, s."""

    @property
    def channel(self) -> int: ...

    @property
    def came_at(self) -> float | None: ...

    @property
    def waiting_since(self) -> float: ...


class Became(Protocol):
    """What became of it."""

    @property
    def seq(self) -> int: ...

    @property
    def changed(self) -> bool: ...


class Place(NamedTuple):
    """A span's trace and its own id."""

    trace: int
    span: int


class Step(NamedTuple):
    """A span that is over; times are monotonic, s."""

    name: str
    place: Place
    parent: Place | None
    began: float
    ended: float
    told: Mapping[str, int | str]
    links: Sequence[Place] = ()
    is_served: bool = False


class Taker(Protocol):
    """Whoever takes spans away, at once and without waiting."""

    @property
    def dropped(self) -> int: ...

    def add(self, step: Step) -> None: ...

    def close(self) -> None: ...


class Traces:
    """What the parts of the way say when they are done with a message. Nothing here waits, whoever is told or not.

    `came_at` is when the frame came that is being taken just now; what is submitted meanwhile came with it.
    """

    def __init__(self, taker: Taker, ratio: float, log_id: int) -> None:
        self.log_id = log_id
        self.came_at: float | None = None
        self._taker = taker
        self._add = taker.add
        self._ratio = ratio
        self._kept = int(ratio * _ALL)
        self._handed_out: list[tuple[Place, float, Mapping[str, int]]] = []

    @property
    def dropped(self) -> int:
        """Spans that nobody took."""
        return self._taker.dropped

    async def close(self) -> None:
        """Sends what waits, for a moment."""
        await asyncio.to_thread(self._taker.close)

    # ------------------------------------------------------------ the way of a message

    def committed(
        self,
        entries: Sequence[Appended],
        began: float,
        asked: Iterable[tuple[Asked, Became | HubError]] = (),
    ) -> None:
        """A transaction has just committed these, for what was asked."""
        ended = monotonic()
        ways = [(entry, way) for entry in entries if (way := self.way_of(entry.channel, entry.seq)) is not None]
        if not ways:
            return
        items = {
            (item.channel, became.seq): item
            for item, became in asked
            if not isinstance(became, HubError) and became.changed
        }
        told = {"hubchat.entries": len(entries), "hubchat.items": len(items)}
        shared: tuple[Place, ...] = ()
        if len(entries) > 1:
            batch = Place(secrets.randbits(128), secrets.randbits(64))
            self._add(Step("batch", batch, None, began, ended, told, [way for _, way in ways[:LINKS]]))
            shared = (batch,)
        for entry, way in ways:
            item = items.get((entry.channel, entry.seq))
            self._add(Step("commit", _new(way), way, began, ended, told, shared))
            if item is not None:
                self._add(Step("wait", _new(way), way, item.waiting_since, began, {}))
            if item is not None and item.came_at is not None:
                self._add(Step("receive", _new(way), way, item.came_at, item.waiting_since, {}))
            first = began if item is None else item.came_at or item.waiting_since
            self._add(Step(entry.kind, way, None, first, ended, {}))

    def carried(self, channel: int, first: int, count: int, began: float) -> None:
        """The bus has just taken these entries of a channel."""
        self._each("publish", [(channel, seq) for seq in range(first, first + count)], began)

    def heard(self, batch: Sequence[Placed], began: float) -> None:
        """Entries of another node came by the bus and have passed the gate, or wait before it."""
        self._each("hear", [(one.channel, one.seq) for one in batch], began)

    def handed_out(self, batch: Sequence[Placed], began: float, readers: int) -> None:
        """They are bytes now, and go out with this turn to so many readers of this node."""
        told = {"hubchat.entries": len(batch), "hubchat.readers": readers}
        self._handed_out += [
            (way, began, told) for one in batch if (way := self.way_of(one.channel, one.seq)) is not None
        ]

    def written(self) -> None:
        """All that was handed out is written."""
        if self._handed_out:
            handed_out, self._handed_out = self._handed_out, []
            ended = monotonic()
            for way, began, told in handed_out:
                self._add(Step("fan-out", _new(way), way, began, ended, told))

    def way_of(self, channel: int, seq: int) -> Place | None:
        """The trace of an entry and the span that all its steps belong to; None where it is not kept."""
        if (channel + seq) * _SPREAD % _ALL >= self._kept:
            return None
        digest = blake2b(_PLACE.pack(self.log_id, channel, seq), digest_size=24).digest()
        return Place(int.from_bytes(digest[:16]), int.from_bytes(digest[16:]))

    # ------------------------------------------------------------ requests

    def answered(self, method: str, route: str, status: int, began: float, request: str) -> None:
        """A request has its answer. `route` is the template that its path fits, never the path."""
        if random.random() < self._ratio:
            told: dict[str, int | str] = {
                "http.request.method": method,
                "http.response.status_code": status,
                "hubchat.request": request,
            }
            if route:
                told["http.route"] = route
            place = Place(secrets.randbits(128), secrets.randbits(64))
            self._add(Step(f"{method} {route}".strip(), place, None, began, monotonic(), told, is_served=True))

    # ------------------------------------------------------------ inside

    def _each(self, name: str, places: Iterable[tuple[int, int]], began: float) -> None:
        ended = monotonic()
        for channel, seq in places:
            if (way := self.way_of(channel, seq)) is not None:
                self._add(Step(name, _new(way), way, began, ended, {}))


def _new(way: Place) -> Place:
    return Place(way.trace, random.getrandbits(64) or 1)
