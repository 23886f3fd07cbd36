"""One joined write per connection and turn of the event loop, however much that turn brought (law 4)."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from time import monotonic
from typing import Final, Protocol

from hubchat.channels.counts import Counts
from hubchat.framing import WireClass

SLICE_S: Final = 0.010  # writing to 2,000 readers takes 12 ms; longer than this, others get their turn
LOOK_EVERY: Final = 64  # writes between looks at the clock


class Way(Protocol):
    """The way out of a connection."""

    @property
    def write(self) -> Callable[[bytes], None]:
        """Takes finished frames, whatever the state of the connection; it may call back `paused`."""


class Sink(Protocol):
    """What bytes go to: a connection, as far as the hub is concerned."""

    kind: WireClass

    @property
    def link(self) -> Way:
        """Asked at each write, because a link changes what writing is as it opens, slows down and ends."""


class Turns:
    """Gathers what is posted in a turn, and writes it at the turn's end; `before` adds to it just before.

    `replay` is asked before that for what readers missed, so that it goes out with the reply that it follows.
    While a large turn is being written in slices, what is posted waits for the next one. `written` hears of its end.
    """

    def __init__(
        self,
        before: Callable[[dict[Sink, list[bytes]]], dict[Sink, bytes]],
        counts: Counts,
        written: Callable[[], None] | None = None,
    ) -> None:
        self._before = before
        self._counts = counts
        self._all_written = written
        self.replay: Callable[[], None] = _nothing
        self._context = Context()  # of nobody in particular, whoever posted first
        self._posted: dict[Sink, list[bytes]] = {}
        self._outgoing: dict[Sink, bytes] = {}
        self._scheduled = False
        self._wanted = False

    def post(self, sink: Sink, data: bytes) -> None:
        """Queues finished frames for the end of this turn."""
        if (waiting := self._posted.get(sink)) is not None:
            waiting.append(data)
        else:
            self._posted[sink] = [data]
            self.schedule()

    def schedule(self) -> None:
        """Makes sure that what came since the last turn's end gets one."""
        self._wanted = True
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._write, context=self._context)

    def settle(self, sink: Sink) -> None:
        """Writes now what a turn under way still holds for `sink`: before its subscriptions change."""
        if (data := self._outgoing.pop(sink, None)) is not None:
            sink.link.write(data)

    def flush(self, sink: Sink) -> None:
        """Writes now all that is posted for `sink`: before it is closed."""
        self.settle(sink)
        if (waiting := self._posted.pop(sink, None)) is not None:
            sink.link.write(b"".join(waiting))

    def forget(self, sink: Sink) -> None:
        """Drops what is posted for a connection that is gone."""
        self._outgoing.pop(sink, None)
        self._posted.pop(sink, None)

    def _write(self) -> None:
        try:
            if not self._outgoing:
                self._wanted = False
                self.replay()
                posted, self._posted = self._posted, {}
                self._outgoing = self._before(posted)
                self._counts.writes += len(self._outgoing)
            self._write_slice()
            if self._all_written is not None and not self._outgoing:
                self._all_written()
        finally:  # whatever was wrong with this turn, the next one comes
            self._scheduled = bool(self._outgoing) or self._wanted
            if self._scheduled:
                asyncio.get_running_loop().call_soon(self._write, context=self._context)

    def _write_slice(self) -> None:
        outgoing = self._outgoing
        deadline = monotonic() + SLICE_S
        while outgoing:
            for _ in range(min(LOOK_EVERY, len(outgoing))):
                if not outgoing:  # `settle` took one from inside a write
                    return
                sink, data = outgoing.popitem()  # detached: `paused` fires inside the write
                write = sink.link.write  # looked up before it is called: half the price of a method
                write(data)
            if monotonic() > deadline:
                return


def _nothing() -> None:
    """Nobody is behind where nobody catches up."""
