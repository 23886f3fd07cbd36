"""How much is measured, and what a single measurement leaves behind."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class Plan:
    """Sizes of a run. Peers take turns within a round, so that what else the machine does strikes all alike."""

    rounds: int = 3
    seconds: float = 5.0
    warmup_s: float = 1.0
    fanout_readers: int = 2000
    in_flight: tuple[int, ...] = (1, 16, 64)
    durable_readers: tuple[int, ...] = (50, 200, 1000)
    idle: tuple[int, int] = (1000, 5000)  # memory is the difference between these two crowds
    connects: int = 3000
    starts: int = 5
    readers: tuple[int, ...] = (10, 100, 1000, 10_000)
    rooms: tuple[int, ...] = (1, 10, 100, 1000)
    room_members: int = 2000
    crowd: int = 10_000  # accounts of every hub: more than there are readers anywhere
    stalled: int = 1000
    stall_s: float = 8.0  # in each half; a reader that takes nothing for 60 s is cut off
    history: tuple[int, ...] = (10_000, 100_000, 1_000_000, 10_000_000)
    history_postgres: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    pages: int = 300
    searched: int = 1_000_000
    searches: int = 300  # of each kind
    nodes: tuple[int, ...] = (1, 2, 3)
    crossings: int = 20  # of a right that is lost, and of who comes and goes, from node to node

    @classmethod
    def quick(cls) -> Self:
        """Whether it all works, in about two minutes; its numbers are no result."""
        return cls(
            rounds=1,
            seconds=1.0,
            warmup_s=0.5,
            fanout_readers=500,
            durable_readers=(50, 200),
            idle=(200, 1000),
            connects=500,
            starts=1,
            readers=(10, 100, 1000),
            rooms=(1, 10, 100),
            room_members=200,
            crowd=1000,
            stalled=100,
            stall_s=2.0,
            history=(1_000, 10_000, 100_000),
            history_postgres=(1_000, 10_000),
            pages=50,
            searched=20_000,
            searches=30,
            nodes=(1, 2),
            crossings=3,
        )


@dataclass(frozen=True)
class Reading:
    """One measurement: `case` is the readers or the messages in flight, where a scenario has several.

    `left_out` is why a peer was not measured in a whole scenario, as one sentence; then there are no values.
    """

    scenario: str
    peer: str
    round: int
    case: int = 0
    values: dict[str, float] = field(default_factory=dict)
    left_out: str = ""

    def as_json(self) -> dict[str, Any]:
        """Any: as `json` takes it."""
        return asdict(self)


Note = Callable[[Reading], None]
