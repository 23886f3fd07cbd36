"""What Prometheus is told of a node: sums, of nobody and no channel (law 8)."""

import hmac
from collections.abc import Callable
from time import monotonic
from typing import Final, Literal, NamedTuple, Protocol

from prometheus_client import CONTENT_TYPE_LATEST, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hubchat import __version__
from hubchat.addresses import is_loopback
from hubchat.api.siblings import Siblings, together
from hubchat.errors import HubError
from hubchat.node import Node

FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""A proxy on this machine says in one of these for whom it asks: loopback is then no sign of an operator."""


class Pauses(Protocol):
    """How long the event loop kept everybody waiting."""

    @property
    def longest_s(self) -> float: ...


class Links(Protocol):
    """The gateway's connections, as far as they are counted."""

    @property
    def links(self) -> int: ...

    @property
    def lagging(self) -> int: ...

    @property
    def pauses(self) -> Pauses: ...

    unfinished_bytes: int


class Gateway(Protocol):
    """Where they are kept."""

    @property
    def keeper(self) -> Links: ...


class Watched(NamedTuple):
    """What is looked at when somebody asks."""

    node: Node
    keeper: Links


class Meter(NamedTuple):
    """One number. A counter only grows, until the process ends."""

    name: str
    kind: Literal["gauge", "counter"]
    what: str
    read: Callable[[Watched], float]


METERS: Final = (
    Meter("connections", "gauge", "live connections", lambda at: at.keeper.links),
    Meter("connections_lagging", "gauge", "connections that take less than is written", lambda at: at.keeper.lagging),
    Meter("catching_up", "gauge", "readers that are being brought to where their channels stand",
          lambda at: at.node.catchup.behind),
    Meter("unfinished_bytes", "gauge", "held by messages that have not come whole",
          lambda at: at.keeper.unfinished_bytes),
    Meter("channels", "gauge", "channels followed here", lambda at: len(at.node.hub.channels)),
    Meter("recent_bytes", "gauge", "kept of the newest entries", lambda at: at.node.hub.recent.bytes),
    Meter("deliveries", "counter", "entries handed to readers as they came, each once a reader",
          lambda at: at.node.hub.counts.deliveries),
    Meter("replayed", "counter", "entries handed to readers that joined or lagged",
          lambda at: at.node.catchup.replayed),
    Meter("replay_reads", "counter", "pages of the log that were read for them; none for what is kept in memory",
          lambda at: at.node.catchup.pages_read),
    Meter("writes", "counter", "writes to connections; fewer than deliveries, as many entries share one",
          lambda at: at.node.hub.counts.writes),
    Meter("reads", "counter", "questions to the database; those of members who come back at once share a few",
          lambda at: at.node.database.reads),
    Meter("waiting_items", "gauge", "messages and changes that wait for their commit", lambda at: at.node.log.waiting),
    Meter("refused_log", "counter", "messages refused because too many waited",
          lambda at: at.node.hub.counts.refused_log),
    Meter("refused_passwords", "counter", "sign-ins refused because too many waited",
          lambda at: at.node.passwords.refused),
    Meter("refused_held", "counter", "entries dropped that came too early, and are read from the log",
          lambda at: at.node.hub.counts.refused_held),
    Meter("gaps", "counter", "times that the bus may have lost something", lambda at: at.node.hub.counts.gaps),
    Meter("repairs", "counter", "times that the log was asked for what had not come",
          lambda at: at.node.hub.counts.repairs),
    Meter("bus_up", "gauge", "whether this node relies on the bus; 1 where there is no other node",
          lambda at: at.node.hub.bus.is_ok),
    Meter("bus_unpublished", "counter", "payloads that the bus did not take", lambda at: at.node.hub.bus.unpublished),
    Meter("peers", "gauge", "other nodes that live", lambda at: at.node.peers.count if at.node.peers else 0),
    Meter("loop_pause_seconds", "gauge", "the longest time within the last one to two minutes that nobody was served",
          lambda at: at.keeper.pauses.longest_s),
    Meter("jobs_waiting", "gauge", "background work that is to be done, or under way",
          lambda at: at.node.backlog.waiting),
    Meter("jobs_parked", "gauge", "background work that went wrong too often, and waits for an operator",
          lambda at: at.node.backlog.parked),
    Meter("traces_dropped", "counter", "spans that the collector did not take in time",
          lambda at: at.node.traces.dropped if at.node.traces is not None else 0),
    Meter("search_behind", "gauge", "entries that the index of texts has not seen yet",
          lambda at: at.node.hub.counts.index_behind),
    Meter("access_age_seconds", "gauge", "since lost rights were last known; over 1 nothing is handed out",
          lambda at: monotonic() - at.node.hub.fresh_at),
)  # fmt: skip


def of(node: Node, gateway: Gateway) -> list[Metric]:
    """Everything that is told of this process."""
    watched = Watched(node, gateway.keeper)
    told: list[Metric] = [InfoMetricFamily("hubchat", "which hubchat this is", {"version": __version__})]
    for meter in METERS:
        family = GaugeMetricFamily if meter.kind == "gauge" else CounterMetricFamily
        told.append(family(f"hubchat_{meter.name}", meter.what, float(meter.read(watched))))
    counts = node.hub.counts
    return [
        *told,
        *counts.commit_s.collect(),
        *counts.commit_items.collect(),
        *counts.index_s.collect(),
        *ProcessCollector(registry=None).collect(),
    ]


class Told(Collector):
    """What is written out, as the library wants it."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


async def show(request: Request) -> Response:
    """Of this process; where it is one of several workers, of all that answer, told apart by the label `worker`."""
    node: Node = request.state.node
    siblings: Siblings | None = request.state.siblings
    if not _may_see(request, node):
        raise HubError("path_unknown")
    told = of(node, request.state.gateway)
    if siblings is not None:
        told = together({siblings.number: told, **await siblings.ask()})
    return Response(generate_latest(Told(told)), media_type=CONTENT_TYPE_LATEST)


def _may_see(request: Request, node: Node) -> bool:
    """With the token that was set, else from this machine itself."""
    expected = node.settings.metrics_token
    if expected is not None:
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {expected}".encode())
    asker = request.client.host if request.client else ""
    asked = request.url.hostname or ""
    return is_loopback(asker) and is_loopback(asked) and not any(name in request.headers for name in FORWARDED)


ROUTES: Final = [Route("/metrics", show)]
