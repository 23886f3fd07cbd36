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

    @classmethod
    def quick(cls) -> Self:
        """Whether it all works, in about a minute; its numbers are no result."""
        return cls(
            rounds=1,
            seconds=1.0,
            warmup_s=0.5,
            fanout_readers=500,
            durable_readers=(50, 200),
            idle=(200, 1000),
            connects=500,
            starts=1,
        )


@dataclass(frozen=True)
class Reading:
    """One measurement: `case` is the readers or the messages in flight, where a scenario has several."""

    scenario: str
    peer: str
    round: int
    case: int = 0
    values: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Any: as `json` takes it."""
        return asdict(self)


Note = Callable[[Reading], None]
