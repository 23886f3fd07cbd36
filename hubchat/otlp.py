"""The line to an OpenTelemetry collector, in a thread of its own: what the collector does not take is dropped."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from importlib.util import find_spec
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from hubchat import __version__
from hubchat.errors import OperatorError
from hubchat.faults import log_fault
from hubchat.traces import Place, Step, Traces

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

log = logging.getLogger(__name__)

WAITING: Final = 8_192  # spans, some 4 MB: a second of a busy node; what comes beyond it is dropped and counted
BATCH: Final = 512  # spans in one request: some 60 KB, and 10 ms of encoding beside the loop
EVERY_S: Final = 1.0
SEND_S: Final = 5.0  # for one request, tried again within it; then its spans are dropped
CLOSE_S: Final = 1.0  # how long an end waits for what is still to be sent


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
