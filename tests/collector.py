"""A collector of traces, as OpenTelemetry's takes them: OTLP over HTTP, kept in memory."""

import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Span(NamedTuple):
    """One span; `node` is who sent it, ids are as they came."""

    node: str
    name: str
    trace: bytes
    id: bytes
    parent: bytes
    began_ns: int
    ended_ns: int
    told: dict[str, Any]
    links: list[bytes]


class Collector:
    """Listens on loopback; a context manager. While it `hangs` it takes connections and answers nobody."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.spans: list[Span] = []
        self.hangs = False
        self._free = threading.Event()
        collector = self

        class Take(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if collector.hangs:
                    collector._free.wait()
                    return
                assert (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
                collector.bodies.append(body)
                collector.spans += _spans(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._free.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def traces(self) -> dict[bytes, list[Span]]:
        """What came, by trace."""
        found: dict[bytes, list[Span]] = defaultdict(list)
        for span in self.spans:
            found[span.trace].append(span)
        return found

    def trace_of(self, name: str) -> list[Span]:
        """The only trace that begins with a span of this name."""
        (found,) = [spans for spans in self.traces().values() if any(s.name == name and not s.parent for s in spans)]
        return found


def _spans(body: bytes) -> list[Span]:
    found = []
    for part in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = {one.key: one.value.string_value for one in part.resource.attributes}
        assert resource["service.name"] == "hubchat"
        for span in (span for scope in part.scope_spans for span in scope.spans):
            told = {one.key: getattr(one.value, one.value.WhichOneof("value") or "") for one in span.attributes}
            found.append(
                Span(
                    resource["service.instance.id"], span.name, span.trace_id, span.span_id, span.parent_span_id,
                    span.start_time_unix_nano, span.end_time_unix_nano, told, [link.trace_id for link in span.links],
                )
            )  # fmt: skip
    return found
