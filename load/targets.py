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

    def ratio(self, scenario: str, other: str, case: int, name: str) -> float | None:
        """The median of what hubchat is to `other` within each round."""
        ours, theirs = (self.rounds(scenario, peer, case, name) for peer in ("hubchat", other))
        return _middle([ours[turn] / theirs[turn] for turn in ours.keys() & theirs.keys()])


def _middle(values: list[float]) -> float | None:
    return median(values) if values else None


@dataclass(frozen=True)
class Target:
    """A row of the table: what is held, to which limit, and how it is read. `most`: the limit is an upper one."""

    what: str
    limit: float
    unit: str
    seen: Callable[[Readings], float | None]
    most: bool = False

    def holds(self, seen: float) -> bool:
        """Whether that is good enough."""
        return seen <= self.limit if self.most else seen >= self.limit


def _value(scenario: str, name: str, case: int = 0, peer: str = "hubchat") -> Callable[[Readings], float | None]:
    return lambda readings: readings.middle(scenario, peer, case, name)


def _times(scenario: str, name: str, other: str, case: int = 0) -> Callable[[Readings], float | None]:
    return lambda readings: readings.ratio(scenario, other, case, name)


TARGETS = [
    Target(
        "delivery to 2,000 readers, message by message: CPU of a C epoll loop",
        *(1.3, "×", _times("fanout", "cpu_us_per_delivery", "epoll", 1), True),
    ),
    Target("the same: deliveries/s of Node's ws", 1, "×", _times("fanout", "deliveries_per_s", "ws", 1)),
    Target("with 16 in flight: deliveries/s of ws", 6, "×", _times("fanout", "deliveries_per_s", "ws", 16)),
    Target("with 64 in flight: deliveries/s of ws", 15, "×", _times("fanout", "deliveries_per_s", "ws", 64)),
    Target("idle signed-in connection, 5 subscriptions", 6144, "B", _value("memory", "bytes"), True),
    Target("durable, SQLite, 50 readers", 15_000, "/s", _value("durable", "messages_per_s", 50)),
    Target("durable, SQLite, 200 readers", 6_000, "/s", _value("durable", "messages_per_s", 200)),
    Target("durable, SQLite, 1,000 readers", 1_700, "/s", _value("durable", "messages_per_s", 1000)),
    Target(
        "durable, SQLite, 50 readers: node CPU a message",
        *(65, "µs", _value("durable", "cpu_us_per_message", 50), True),
    ),
    Target(
        "durable, SQLite, 50 readers: delivery p99",
        *(15, "ms", _value("durable", "delivery_p99_ms", 50), True),
    ),
    Target(
        "durable, 50 readers: messages/s of Socket.IO", 10, "×", _times("durable", "messages_per_s", "socketio", 50)
    ),
    Target(
        "durable, 200 readers: messages/s of Socket.IO", 10, "×", _times("durable", "messages_per_s", "socketio", 200)
    ),
    Target(
        "durable, 1,000 readers: messages/s of Socket.IO",
        10,
        "×",
        _times("durable", "messages_per_s", "socketio", 1000),
    ),
    Target(
        "durable, PostgreSQL, 50 readers",
        *(8_000, "/s", _value("durable", "messages_per_s", 50, "hubchat-postgresql")),
    ),
    Target(
        "durable, PostgreSQL, 50 readers: node CPU a message",
        *(65, "µs", _value("durable", "cpu_us_per_message", 50, "hubchat-postgresql"), True),
    ),
    Target("signed-in connects", 1_500, "/s", _value("connects", "per_s")),
    Target("start to ready, new data folder", 2, "s", _value("starts", "first_s"), True),
    Target("start to ready, folder in use", 2, "s", _value("starts", "again_s"), True),
]
