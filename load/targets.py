"""The numbers to hold, as far as one machine and this folder's peers can show them; and what must never be."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from load.plan import Reading


class Readings:
    """What was measured, asked for by what it is."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        readings = list(readings)
        self._values = {
            (r.scenario, r.peer, r.case, r.round, name): value for r in readings for name, value in r.values.items()
        }
        self.left_out = {r.peer: r.left_out for r in readings if r.left_out}  # and why

    def rounds(self, scenario: str, peer: str, case: int, name: str) -> dict[int, float]:
        """One value by round."""
        wanted = (scenario, peer, case, name)
        return {key[3]: value for key, value in self._values.items() if (*key[:3], key[4]) == wanted}

    def middle(self, scenario: str, peer: str, case: int, name: str) -> float | None:
        """The median over the rounds, or None when it was not measured."""
        return _middle(list(self.rounds(scenario, peer, case, name).values()))

    def worst(self, scenario: str, peer: str, case: int, name: str) -> float | None:
        """The highest of all rounds: what has to hold always is not held in most of them."""
        return max(self.rounds(scenario, peer, case, name).values(), default=None)

    def slips(self) -> float | None:
        """All that hubchat promises not to do and did, over all scenarios and rounds."""
        ours = [x for key, x in self._values.items() if key[1].startswith("hubchat") and key[4] in PROMISES]
        return sum(ours) if ours else None

    def told(self, scenario: str, peer: str, case: int, name: str) -> float | None:
        """The worst of what has to hold always, the median of all else."""
        told = self.worst if name in ALWAYS else self.middle
        return told(scenario, peer, case, name)

    def between(self, scenario: str, name: str, case: int, other: int) -> float | None:
        """The median of what one case of hubchat's is to another within each round."""
        ours, theirs = (self.rounds(scenario, "hubchat", one, name) for one in (case, other))
        return _middle([ours[turn] / theirs[turn] for turn in ours.keys() & theirs.keys() if theirs[turn]])

    def cases(self, scenario: str, peer: str, name: str) -> dict[int, float]:
        """The medians of one value by case, in the cases' order."""
        found = {key[2] for key in self._values if (key[0], key[1], key[4]) == (scenario, peer, name)}
        return {case: self.middle(scenario, peer, case, name) or 0.0 for case in sorted(found)}

    def ratio(self, scenario: str, other: str, case: int, name: str, ours: str = "hubchat") -> float | None:
        """The median of what `ours` is to `other` within each round."""
        own, theirs = (self.rounds(scenario, peer, case, name) for peer in (ours, other))
        return _middle([own[turn] / theirs[turn] for turn in own.keys() & theirs.keys()])


PROMISES = ("missing", "doubled", "out_of_order", "gaps", "errors", "again_slips")
"""What has to be 0 of hubchat, in every round."""

ALWAYS = (*PROMISES, "replay_reads", *(f"{what}_max_ms" for what in ("revoked", "came", "went")))
"""Of what the worst round is told, not the middle one."""


def broken(readings: Iterable[Reading]) -> list[str]:
    """A line for each reading in which hubchat did not keep what it promises."""
    lines = []
    for reading in readings:
        slips = [f"{reading.values[name]:.0f} {name}" for name in PROMISES if reading.values.get(name)]
        if slips and reading.peer.startswith("hubchat"):
            case = f" {reading.case:,}" if reading.case else ""
            lines.append(f"{reading.scenario}{case}, {reading.peer}, round {reading.round}: {', '.join(slips)}")
    return lines


def _middle(values: list[float]) -> float | None:
    return median(values) if values else None


Seen = Callable[[Readings], float | None]


@dataclass(frozen=True)
class Target:
    """A row of the table: what is held, to which limit, and how it is read. `most`: the limit is an upper one.

    `beside` is the peer without which there is nothing to be seen.
    """

    what: str
    limit: float
    unit: str
    seen: Seen
    most: bool = False
    beside: str = ""

    def holds(self, seen: float) -> bool:
        """Whether that is good enough."""
        return seen <= self.limit if self.most else seen >= self.limit


def _value(scenario: str, name: str, case: int = 0, peer: str = "hubchat") -> Seen:
    return lambda readings: readings.middle(scenario, peer, case, name)


def _worst(scenario: str, name: str, case: int = 0, peer: str = "hubchat") -> Seen:
    return lambda readings: readings.worst(scenario, peer, case, name)


def _beside(scenario: str, name: str, case: int, other: int) -> Seen:
    """What one case is to another of ours, within each round."""
    return lambda readings: readings.between(scenario, name, case, other)


def _times(other: str, scenario: str, name: str, case: int, ours: str = "hubchat") -> Seen:
    return lambda readings: readings.ratio(scenario, other, case, name, ours)


def _cpu_a_delivery(peer: str, called: str, limit: float) -> Target:
    what = f"2,000 readers, message by message: CPU a delivery of {called}"
    return Target(what, limit, "×", _times(peer, "fanout", "cpu_us_per_delivery", 1), most=True, beside=peer)


def _deliveries(peer: str, called: str, in_flight: int, limit: float) -> Target:
    what = f"2,000 readers, {in_flight} in flight: deliveries/s of {called}"
    return Target(what, limit, "×", _times(peer, "fanout", "deliveries_per_s", in_flight), beside=peer)


def _durable(peer: str, called: str, readers: int, limit: float, ours: str = "hubchat") -> Target:
    database = "PostgreSQL" if ours == _POSTGRES else "SQLite"
    what = f"durable on {database}, {readers:,} readers: messages/s of {called}"
    return Target(what, limit, "×", _times(peer, "durable", "messages_per_s", readers, ours), beside=peer)


def _across(what: str, name: str, limit: float, peer: str = "hubchat") -> Target:
    return Target(f"two nodes: {what}", limit, "ms", _worst("across", f"{name}_max_ms", peer=peer), most=True)


_POSTGRES = "hubchat-postgresql"
_NODE_CPU = "node CPU a message, 50 readers"
_BROADCASTERS = {"ws": "ws", "nchan": "nchan", "centrifuge": "Centrifugo's engine"}

TARGETS = [
    Target("hubchat, in every run: missing, doubled, out of order, refused", 0, "", Readings.slips, most=True),
    _cpu_a_delivery("epoll", "a C epoll loop", 1.3),
    *(_cpu_a_delivery(peer, called, 1) for peer, called in _BROADCASTERS.items()),
    *(_deliveries(peer, called, 1, 1) for peer, called in _BROADCASTERS.items()),
    *(_deliveries(peer, peer, case, limit) for case, limit in ((16, 6), (64, 15)) for peer in ("ws", "nchan")),
    Target("idle signed-in connection with 5 subscriptions", 6_144, "B", _value("idle", "bytes"), most=True),
    *(
        Target(f"durable on SQLite, {case:,} readers", limit, "/s", _value("durable", "messages_per_s", case))
        for case, limit in ((50, 15_000), (200, 6_000), (1000, 1_700))
    ),
    *(_durable("socketio", "Socket.IO", readers, 10) for readers in (50, 200, 1000)),
    *(_durable("ejabberd", "ejabberd", readers, 30) for readers in (50, 200, 1000)),
    *(_durable("ejabberd", "ejabberd", readers, 30, _POSTGRES) for readers in (50, 200, 1000)),
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
    _across("who lost a right is told so", "revoked", 1_000),
    _across("who lost a right is told so, while Redis hangs", "revoked", 1_000, "hubchat-redis-hung"),
    _across("who came is seen", "came", 2_000),
    _across("who went is seen gone", "went", 2_000),
    Target("10,000 members come back to 5 channels each", 8, "s", _value("storm", "seconds", 10_000), most=True),
    Target("the same: reads of entries that are in memory", 0, "", _worst("storm", "replay_reads", 10_000), most=True),
    Target("the same: questions to the database a member", 0.5, "", _value("storm", "reads_each", 10_000), most=True),
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
        "the same: entries missing or doubled once 20 read again", 0, "", _worst("slow", "again_slips", 1000), most=True
    ),
    Target("history, 10 million entries: a page's p99", 10, "ms", _value("history", "p99_ms", 10_000_000), most=True),
    Target(
        "search on SQLite, 1 million messages: the slowest kind's p95",
        100,
        "ms",
        _value("search", "p95_ms", 1_000_000),
        most=True,
    ),
    Target("search on PostgreSQL, the same", 100, "ms", _value("search", "p95_ms", 1_000_000, _POSTGRES), most=True),
    Target("signed-in connects", 1_500, "/s", _value("connect", "per_s")),
    Target("start to ready, new data folder", 2, "s", _value("starts", "first_s"), most=True),
    Target("start to ready, folder in use", 2, "s", _value("starts", "again_s"), most=True),
]
