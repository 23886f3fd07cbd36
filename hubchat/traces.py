"""The way of a message as OpenTelemetry spans, where an operator asks for them; where not, there is no `Traces` at all.

Spans are made when they are over, from times that cost next to nothing to keep. What belongs to one entry is known
without a byte on the wire: its trace's id, and whether it is kept, come from log, channel and seq, so that all nodes
agree. Spans hold counts and times, and nothing of anybody (law 8).
"""

import asyncio
import logging
import random
import secrets
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from importlib.util import find_spec
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from hubchat import __version__
from hubchat.errors import HubError, OperatorError
from hubchat.faults import log_fault

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

log = logging.getLogger(__name__)

WAITING: Final = 8_192  # spans, some 4 MB: a second of a busy node; what comes beyond it is dropped and counted
BATCH: Final = 512  # spans in one request: some 60 KB, and 10 ms of encoding beside the loop
EVERY_S: Final = 1.0
SEND_S: Final = 5.0  # for one request, tried again within it; then its spans are dropped
CLOSE_S: Final = 1.0  # how long an end waits for what is still to be sent
LINKS: Final = 128  # of one span, as OpenTelemetry's own limit

_SPREAD: Final = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: consecutive seqs fall evenly over all numbers (Knuth, 6.4)
_ALL: Final = 1 << 64
_PLACE: Final = struct.Struct("!QQQ")


class TracesMissing(OperatorError):
    """Traces are asked for, and what makes them is not installed."""

    said = "HUBCHAT_TRACES needs OpenTelemetry, which is not installed"
    todo = "pip install 'hubchat[traces]'"

    def __init__(self) -> None:
        super().__init__(f"{self.said}: {self.todo}")


def is_installed() -> bool:
    """Whether traces can be made and sent."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http.trace_exporter") is not None
    except ModuleNotFoundError:  # not even the packages that it would be in
        return False


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


class Traces:
    """What the parts of the way say when they are done with a message. Nothing here waits, whoever is told or not.

    `came_at` is when the frame came that is being taken just now; what is submitted meanwhile came with it.
    """

    def __init__(self, send: "Sender", ratio: float, log_id: int) -> None:
        self.log_id = log_id
        self.came_at: float | None = None
        self._sender = send
        self._ratio = ratio
        self._kept = int(ratio * _ALL)
        self._handed_out: list[tuple[Place, float, Mapping[str, int]]] = []

    @property
    def dropped(self) -> int:
        """Spans that nobody took."""
        return self._sender.dropped

    async def close(self) -> None:
        """Sends what waits, for a moment."""
        await asyncio.to_thread(self._sender.close)

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

    def _add(self, step: Step) -> None:
        self._sender.add(step)


def _new(way: Place) -> Place:
    return Place(way.trace, random.getrandbits(64) or 1)


class Sender:
    """Takes steps from the loop and hands them to `export` in a thread of its own, which says whether they were taken.

    The thread may hang in `export`: then what is added is dropped at the bound, and counted.
    """

    def __init__(self, export: Callable[[list[Step]], bool], stop: Callable[[], None] = lambda: None) -> None:
        self._refused = 0  # counted by the loop
        self._untaken = 0  # counted by the thread
        self._export = export
        self._stop = stop
        self._waiting: deque[Step] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._is_told = False  # that nobody takes them
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        return self._refused + self._untaken

    def add(self, step: Step) -> None:
        waiting = self._waiting
        if len(waiting) >= WAITING:
            self._refused += 1
            return
        waiting.append(step)
        if len(waiting) == BATCH:
            self._wake.set()

    def close(self) -> None:
        """Waits for what is still to be sent, for a moment."""
        self._closing = True
        self._wake.set()
        self._thread.join(CLOSE_S)
        self._stop()

    def _run(self) -> None:
        while self._waiting or not self._closing:
            if len(self._waiting) < BATCH and not self._closing:
                self._wake.wait(EVERY_S)
                self._wake.clear()
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH))]
            if batch:
                self._send(batch)

    def _send(self, batch: list[Step]) -> None:
        try:
            is_taken = self._export(batch)
        except Exception as error:  # noqa: BLE001  # the edge of a thread: logged, and it goes on
            log_fault(log, error)
            is_taken = False
        if not is_taken:
            self._untaken += len(batch)
        if not is_taken and not self._is_told:
            log.warning("traces are not taken where HUBCHAT_TRACES says; they are dropped, and all else goes on")
        if is_taken and self._is_told:
            log.info("traces are taken again")
        self._is_told = not is_taken


def open_traces(endpoint: str, ratio: float, log_id: int, node: int) -> Traces:
    """Traces of a node, sent to an OTLP/HTTP collector. `ratio` of all ways are kept. Raises TracesMissing."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.sdk.trace.export import SpanExportResult
        from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
    except ImportError:
        raise TracesMissing from None
    # What it logs names the address, which may hold a password, at each try; `Sender` says it once, without
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    exporter = OTLPSpanExporter(endpoint=endpoint_of(endpoint), timeout=SEND_S)
    resource = Resource.create(
        {"service.name": "hubchat", "service.version": __version__, "service.instance.id": f"{node:x}"}
    )
    is_sampled = TraceFlags(TraceFlags.SAMPLED)

    def context(place: Place) -> SpanContext:
        return SpanContext(place.trace, place.span, is_remote=False, trace_flags=is_sampled)

    def span(step: Step, now_ns: int, now: float) -> "ReadableSpan":
        # Not by a tracer: it would take the ids and the times from where it is called
        return ReadableSpan(
            step.name,
            context=context(step.place),
            parent=context(step.parent) if step.parent is not None else None,
            resource=resource,
            attributes=step.told,
            links=[Link(context(place)) for place in step.links],
            kind=SpanKind.SERVER if step.is_served else SpanKind.INTERNAL,
            start_time=now_ns - int((now - step.began) * 1e9),
            end_time=now_ns - int((now - step.ended) * 1e9),
        )

    def export(steps: list[Step]) -> bool:
        now_ns, now = time_ns(), monotonic()
        return exporter.export([span(step, now_ns, now) for step in steps]) is SpanExportResult.SUCCESS

    return Traces(Sender(export, exporter.shutdown), ratio, log_id)


def endpoint_of(url: str) -> str:
    """Where traces are posted: at the collector's usual path, unless the address has one."""
    return url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/v1/traces"
