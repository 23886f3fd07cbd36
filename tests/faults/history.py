"""All that is known of a run: what members saw and did, what went wrong, and what SQL holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

LATE_S: Final = 0.75
"""What a slow line may hold back."""
NEAR_S: Final = 3.0
"""How far from an event what held the harness up may have made it late."""
MOST_SLACK_S: Final = 2.0
"""An event that may be noted later than that is not judged for time."""


# ---------------------------------------------------------------- what a member's client noted


@dataclass(frozen=True)
class Welcomed:
    """A connection was opened; `log` names the history that the hub tells."""

    at_s: float
    log: int


@dataclass(frozen=True)
class Closed:
    """The connection was lost."""

    at_s: float


@dataclass(frozen=True)
class Stood:
    """A subscription was answered."""

    at_s: float
    channel: int
    after: int | None
    head: int
    first: int
    is_reset: bool


@dataclass(frozen=True)
class Denied:
    """A subscription was refused (`not_found`), which had been asked for at `asked_s`."""

    at_s: float
    channel: int
    asked_s: float


@dataclass(frozen=True)
class Heard:
    """An entry came. `text` is None where it had none."""

    at_s: float
    channel: int
    seq: int
    kind: str
    nonce: str | None = None
    text: str | None = None
    target: int | None = None


@dataclass(frozen=True)
class Revoked:
    """The hub said that a channel may be read no more."""

    at_s: float
    channel: int


Event = Welcomed | Closed | Stood | Denied | Heard | Revoked


# ---------------------------------------------------------------- what members and the nemesis did


@dataclass
class Sent:
    """A message on its way: `began_s` when it was first sent; `seq`, and when, once it was acknowledged, or why it was
    refused.

    One that `was_sent_again` may be stored though it was refused: its first sending may have waited on another node,
    for a database that hung, until its author was let in again.

    `texts` is all that it ever was, in this order; of `now` it is one when all is over (two after an edit of unknown
    outcome).
    """

    member: str
    channel: int
    nonce: str
    texts: tuple[str, ...]
    began_s: float
    now: tuple[str, ...] = ()
    seq: int | None = None
    acked_s: float | None = None
    refused: str | None = None
    was_sent_again: bool = False


@dataclass(frozen=True)
class Changed:
    """An edit, a deletion, a reaction or a pin that was acknowledged as entry `seq`."""

    channel: int
    seq: int
    began_s: float


@dataclass(frozen=True)
class Deleted:
    """A deletion that was acknowledged at `at_s`."""

    at_s: float
    channel: int
    seq: int


@dataclass(frozen=True)
class Read:
    """A read position that was acknowledged at `at_s`."""

    member: str
    channel: int
    seq: int
    at_s: float


@dataclass(frozen=True)
class Removal:
    """A member went, or was removed, from a channel: asked for at `began_s`, acknowledged at `from_s`; let in again,
    at the earliest, at `until_s`, and acknowledged at `back_s`."""

    member: str
    channel: int
    began_s: float
    from_s: float
    until_s: float
    back_s: float


Part = Literal["nodes", "asleep", "Redis", "PostgreSQL", "members"]
"""What is broken: a line to a server counts as the server, `asleep` is a node that sleeps."""


@dataclass(frozen=True)
class Trouble:
    """A part of the site was broken; `kills` says that a node died without having finished."""

    part: Part
    from_s: float
    until_s: float
    kills: bool = False


@dataclass(frozen=True)
class Stall:
    """The harness itself was held up."""

    from_s: float
    until_s: float


# ---------------------------------------------------------------- what SQL and the hub hold


@dataclass(frozen=True)
class Row:
    """An entry as SQL holds it; `author` is the handle."""

    channel: int
    seq: int
    kind: str
    author: str
    at: int
    nonce: str | None
    text: str | None
    is_deleted: bool = False
    target: int | None = None


@dataclass(frozen=True)
class Unread:
    """What a member was told of a channel."""

    member: str
    channel: int
    first: int
    read_seq: int
    count: int


@dataclass
class History:
    """All that is known of a run.

    `ends` names who followed which channel when all was well again, `firsts` the oldest entry that members may have,
    where that is known. `reads` are those while things went wrong, and `stood` is what members were told then;
    `last_reads` those when all was well, and `unread` what members were told in the end.
    """

    events: Mapping[str, Sequence[Event]]
    sent: Sequence[Sent]
    rows: Sequence[Row]
    heads: Mapping[int, int] = field(default_factory=dict)
    changed: Sequence[Changed] = ()
    deleted: Sequence[Deleted] = ()
    removals: Sequence[Removal] = ()
    reads: Sequence[Read] = ()
    stood: Sequence[Unread] = ()
    last_reads: Sequence[Read] = ()
    unread: Sequence[Unread] = ()
    ends: Mapping[str, Sequence[int]] = field(default_factory=dict)
    firsts: Mapping[int, int] = field(default_factory=dict)
    troubles: Sequence[Trouble] = ()
    stalls: Sequence[Stall] = ()

    def slack_s(self, at_s: float) -> float:
        """How late what was noted around this time may have been noted."""
        near = (one.until_s - one.from_s for one in self.stalls if _overlap(one, at_s - NEAR_S, at_s + NEAR_S))
        return LATE_S + sum(near)

    def is_late(self, at_s: float, due_s: float) -> bool:
        """Whether something came after it was due, the harness's own lateness allowed for."""
        if at_s <= due_s + LATE_S:
            return False
        slack_s = self.slack_s(at_s)
        return slack_s <= MOST_SLACK_S and at_s > due_s + slack_s

    def troubled(self, parts: frozenset[Part], from_s: float, until_s: float, after_s: float) -> list[Trouble]:
        """What was wrong with any of these parts, or had been mended less than `after_s` ago."""
        return [one for one in self.troubles if one.part in parts and _overlap(one, from_s - after_s, until_s)]


def _overlap(one: Trouble | Stall, from_s: float, until_s: float) -> bool:
    return one.from_s <= until_s and one.until_s >= from_s
