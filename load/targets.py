"""The numbers to hold, as far as one node and this folder's peers can show them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from load.plan import Reading


class Readings:
    """What was measured, asked for by what it is."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        self._values = {
            (r.scenario, r.peer, r.case, r.round, name): value for r in readings for name, value in r.values.items()
        }

    def rounds(self, scenario: str, peer: str, case: int, name: str) -> dict[int, float]:
        """One value by round."""
        wanted = (scenario, peer, case, name)
        return {key[3]: value for key, value in self._values.items() if (*key[:3], key[4]) == wanted}

    def middle(self, scenario: str, peer: str, case: int, name: str) -> float | None:
        """The median over the rounds, or None when it was not measured."""
        return _middle(list(self.rounds(scenario, peer, case, name).values()))

    def between(self, scenario: str, name: str, case: int, other: int) -> float | None:
        """The median of what one case of hubchat's is to another within each round."""
        ours, theirs = (self.rounds(scenario, "hubchat", one, name) for one in (case, other))
        return _middle([ours[turn] / theirs[turn] for turn in ours.keys() & theirs.keys() if theirs[turn]])

    def cases(self, scenario: str, peer: str, name: str) -> dict[int, float]:
        """The medians of one value by case, in the cases' order."""
        found = {key[2] for key in self._values if (key[0], key[1], key[4]) == (scenario, peer, name)}
        return {case: self.middle(scenario, peer, case, name) or 0.0 for case in sorted(found)}

    def ratio(self, scenario: str, other: str, case: int, name: str) -> float | None:
        """The median of what hubchat is to `other` within each round."""
        ours, theirs = (self.rounds(scenario, peer, case, name) for peer in ("hubchat", other))
        return _middle([ours[turn] / theirs[turn] for turn in ours.keys() & theirs.keys()])


def _middle(values: list[float]) -> float | None:
    return median(values) if values else None


Seen = Callable[[Readings], float | None]


@dataclass(frozen=True)
class Target:
    """A row of the table: what is held, to which limit, and how it is read. `most`: the limit is an upper one."""

    what: str
    limit: float
    unit: str
    seen: Seen
    most: bool = False

    def holds(self, seen: float) -> bool:
        """Whether that is good enough."""
        return seen <= self.limit if self.most else seen >= self.limit


def _value(scenario: str, name: str, case: int = 0, peer: str = "hubchat") -> Seen:
    return lambda readings: readings.middle(scenario, peer, case, name)


def _beside(scenario: str, name: str, case: int, other: int) -> Seen:
    """What one case is to another of ours, within each round."""
    return lambda readings: readings.between(scenario, name, case, other)


def _times(other: str, scenario: str, name: str, case: int) -> Seen:
    return lambda readings: readings.ratio(scenario, other, case, name)


def _of_ws(in_flight: int) -> Seen:
    return _times("ws", "fanout", "deliveries_per_s", in_flight)


def _of_socketio(readers: int) -> Seen:
    return _times("socketio", "durable", "messages_per_s", readers)


_POSTGRES = "hubchat-postgresql"
_CPU = _times("epoll", "fanout", "cpu_us_per_delivery", 1)
_NODE_CPU = "node CPU a message, 50 readers"

TARGETS = [
    Target("2,000 readers, message by message: CPU a delivery of a C epoll loop", 1.3, "×", _CPU, most=True),
    *(
        Target(f"2,000 readers, {case} in flight: deliveries/s of ws", limit, "×", _of_ws(case))
        for case, limit in ((1, 1), (16, 6), (64, 15))
    ),
    Target("idle signed-in connection with 5 subscriptions", 6_144, "B", _value("idle", "bytes"), most=True),
    *(
        Target(f"durable on SQLite, {case:,} readers", limit, "/s", _value("durable", "messages_per_s", case))
        for case, limit in ((50, 15_000), (200, 6_000), (1000, 1_700))
    ),
    *(
        Target(f"durable on SQLite, {case:,} readers: messages/s of Socket.IO", 10, "×", _of_socketio(case))
        for case in (50, 200, 1000)
    ),
    Target(
        "durable on SQLite: delivery p99, 50 readers", 15, "ms", _value("durable", "delivery_p99_ms", 50), most=True
    ),
    Target(f"durable on SQLite: {_NODE_CPU}", 65, "µs", _value("durable", "cpu_us_per_message", 50), most=True),
    Target("durable on PostgreSQL, 50 readers", 8_000, "/s", _value("durable", "messages_per_s", 50, _POSTGRES)),
    Target(
        f"durable on PostgreSQL: {_NODE_CPU}",
        65,
        "µs",
        _value("durable", "cpu_us_per_message", 50, _POSTGRES),
        most=True,
    ),
    Target(
        "two nodes with Redis between them: durable messages/s of one",
        2 / 3,
        "×",
        _beside("nodes", "messages_per_s", 2, 1),
    ),
    Target(
        "two nodes: CPU a message of both, of one", 1.5, "×", _beside("nodes", "cpu_us_per_message", 2, 1), most=True
    ),
    Target("10,000 members come back to 5 channels each", 8, "s", _value("storm", "seconds", 10_000), most=True),
    Target("the same: questions to the database a member", 1, "", _value("storm", "reads_each", 10_000), most=True),
    Target("1,000 stalled readers: node memory for each", 65_536, "B", _value("slow", "rss_each", 1000), most=True),
    Target("the same: both kernels' memory for each", 524_288, "B", _value("slow", "kernel_each", 1000), most=True),
    Target(
        "the same: what each grows by, once its socket is full",
        16_384,
        "B",
        _value("slow", "grows_each", 1000),
        most=True,
    ),
    Target("the same: good readers' p99", 1.5, "×", _beside("slow", "delivery_p99_ms", 1000, 0), most=True),
    Target(
        "the same: entries missing or doubled once 20 read again", 0, "", _value("slow", "again_slips", 1000), most=True
    ),
    Target("history, 10 million entries: a page's p99", 10, "ms", _value("history", "p99_ms", 10_000_000), most=True),
    Target("signed-in connects", 1_500, "/s", _value("connect", "per_s")),
    Target("start to ready, new data folder", 2, "s", _value("starts", "first_s"), most=True),
    Target("start to ready, folder in use", 2, "s", _value("starts", "again_s"), most=True),
]
