"""What members saw and what SQL holds, and whether the two agree with what hubchat promises (docs/protocol.md, "What
holds, always"). Pure: a history in, violations out."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

REPLAYED: Final = 1_000
"""Further behind, a subscription may begin anew (`reset`)."""
REVOKED_S: Final = 1.0
"""How long after a right was lost something may still come."""
IN_DOUBT: Final = frozenset({"outcome_unknown", "fault", "restarting"})
"""Reasons after which a message may or may not be stored."""


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


Event = Stood | Heard | Revoked


@dataclass
class Sent:
    """A message on its way: `began_s` when it was first sent, `seq` once it was acknowledged, or why it was refused.

    `texts` is all that it ever was; of `now` it is one when all is over (two after an edit of unknown outcome).
    """

    member: str
    channel: int
    nonce: str
    texts: tuple[str, ...]
    began_s: float
    now: tuple[str, ...] = ()
    seq: int | None = None
    refused: str | None = None


@dataclass(frozen=True)
class Deleted:
    """A deletion that was acknowledged at `at_s`."""

    at_s: float
    channel: int
    seq: int


@dataclass(frozen=True)
class Removal:
    """A member was removed from a channel: acknowledged at `from_s`; let in again, at the earliest, at `until_s`."""

    member: str
    channel: int
    from_s: float
    until_s: float


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


@dataclass(frozen=True)
class Unread:
    """What a member was told of a channel at the end."""

    member: str
    channel: int
    first: int
    read_seq: int
    count: int


@dataclass
class History:
    """All that is known of a run. `slack_s` is how late an event may have been noted; `ends` names who followed which
    channel when all was well again."""

    events: Mapping[str, Sequence[Event]]
    sent: Sequence[Sent]
    rows: Sequence[Row]
    deleted: Sequence[Deleted] = ()
    removals: Sequence[Removal] = ()
    unread: Sequence[Unread] = ()
    ends: Mapping[str, Sequence[int]] = field(default_factory=dict)
    slack_s: float = 0.0


def violations(history: History) -> list[str]:
    """What was promised and did not hold, a line each."""
    return [
        *_log(history.rows),
        *_acknowledged(history),
        *(line for member, events in history.events.items() for line in _Follower(member, history).follow(events)),
        *_removed(history),
        *_gone(history),
        *_counts(history),
    ]


def _log(rows: Sequence[Row]) -> Iterator[str]:
    """Numbers without gaps, times that never run back, every nonce once."""
    channels: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        channels[row.channel].append(row)
    for channel, log in channels.items():
        log.sort(key=lambda row: row.seq)
        seqs = [row.seq for row in log]
        if seqs != list(range(1, len(seqs) + 1)):
            yield f"channel {channel}: SQL holds {len(seqs)} entries up to {seqs[-1]}, which are not 1, 2, 3 …"
        for earlier, later in pairwise(log):
            if later.at < earlier.at:
                yield f"channel {channel}: time runs back at {later.seq}"
        nonces = Counter((row.author, row.nonce) for row in log if row.nonce is not None)
        for (author, nonce), count in nonces.items():
            if count > 1:
                yield f"channel {channel}: {author}'s message {nonce} is stored {count} times"


def _acknowledged(history: History) -> Iterator[str]:
    """What was acknowledged is stored where that was said, as it was sent; what was refused is not stored."""
    places = {(row.channel, row.seq): row for row in history.rows}
    nonces = {(row.channel, row.author, row.nonce): row for row in history.rows if row.nonce is not None}
    for sent in history.sent:
        stored = nonces.get((sent.channel, sent.member, sent.nonce))
        if sent.seq is not None:
            row = places.get((sent.channel, sent.seq))
            if row is None or stored is not row:
                yield f"channel {sent.channel}: {sent.nonce} was acknowledged as {sent.seq} and is lost"
            elif not row.is_deleted and row.text not in (sent.now or sent.texts):
                yield f"channel {sent.channel}: {sent.seq} is not what {sent.member} wrote"
        elif sent.refused is None:
            yield f"channel {sent.channel}: {sent.member} never heard what became of {sent.nonce}"
        elif sent.refused not in IN_DOUBT and stored is not None:
            yield f"channel {sent.channel}: {sent.nonce} was refused ({sent.refused}) and is stored as {stored.seq}"


class _Follower:
    """One member's channels, entry by entry."""

    def __init__(self, member: str, history: History) -> None:
        self.member = member
        self.places: dict[int, int] = {}
        self._rows = {(row.channel, row.seq): row for row in history.rows}
        self._texts: dict[tuple[int, str | None], tuple[str, ...]] = {
            (sent.channel, sent.nonce): sent.texts for sent in history.sent
        }
        self._heads: Counter[int] = Counter()
        for row in history.rows:
            self._heads[row.channel] = max(self._heads[row.channel], row.seq)
        self._ends = history.ends.get(member, ())

    def follow(self, events: Sequence[Event]) -> Iterator[str]:
        for event in events:
            match event:
                case Stood():
                    yield from self._stand(event)
                case Heard():
                    yield from self._hear(event)
                case Revoked():
                    self.places.pop(event.channel, None)
        for channel in self._ends:
            if self.places.get(channel) != self._heads[channel]:
                at = self.places.get(channel)
                yield f"{self.member}: channel {channel} ends at {self._heads[channel]}, heard up to {at}"

    def _stand(self, event: Stood) -> Iterator[str]:
        """Where what follows has to go on."""
        had = self.places.get(event.channel)
        if had is not None and event.after is not None and event.after != had:
            yield f"{self.member}: channel {event.channel} went on from {event.after}, had was {had}"
        if event.after is None or event.is_reset:
            self.places[event.channel] = event.head
            if event.after is not None and event.first - 1 <= event.after <= event.head <= event.after + REPLAYED:
                yield f"{self.member}: channel {event.channel} began anew so near to {event.after}"
        else:
            self.places[event.channel] = max(event.after, event.first - 1)

    def _hear(self, event: Heard) -> Iterator[str]:
        where = f"{self.member}: channel {event.channel}"
        place = self.places.get(event.channel)
        if place is None:
            yield f"{where}: {event.seq} came, which was not subscribed to"
            return
        if event.seq <= place:
            yield f"{where}: {event.seq} came after {place}, again or late"
            return
        if event.seq > place + 1:
            yield f"{where}: {event.seq} came after {place}, a gap"
        self.places[event.channel] = event.seq
        row = self._rows.get((event.channel, event.seq))
        if row is None:
            yield f"{where}: {event.seq} came and is not stored"
        elif row.kind != event.kind or (event.text is not None and row.kind == "message" and row.nonce != event.nonce):
            yield f"{where}: {event.seq} came as another entry than is stored"
        elif event.text is not None and event.text not in self._written(event):
            yield f"{where}: {event.seq} came with words that nobody wrote there"
        elif event.kind == "message" and event.text is None and not row.is_deleted:
            yield f"{where}: {event.seq} came without its words"

    def _written(self, event: Heard) -> tuple[str, ...]:
        """All that the message which an entry is, or changes, ever said; an edit comes with its target's words."""
        row = self._rows.get(
            (event.channel, event.seq if event.target is None or event.kind == "message" else event.target)
        )
        return self._texts.get((event.channel, row.nonce), ()) if row is not None else ()


def _removed(history: History) -> Iterator[str]:
    """Nothing comes after a right was lost: nothing that was sent a second later, nor anything so late."""
    began = {(sent.channel, sent.seq): sent.began_s for sent in history.sent if sent.seq is not None}
    for removal in history.removals:
        end_s = removal.from_s + REVOKED_S
        for event in history.events.get(removal.member, ()):
            if not isinstance(event, Heard) or event.channel != removal.channel or event.at_s >= removal.until_s:
                continue
            late = event.at_s > end_s + history.slack_s
            if late or began.get((event.channel, event.seq), 0.0) > end_s:
                yield (
                    f"{removal.member}: channel {event.channel}: {event.seq} came "
                    f"{event.at_s - removal.from_s:.2f} s after the right to it was lost"
                )


def _gone(history: History) -> Iterator[str]:
    """What was deleted never comes again with its words."""
    deleted = {(one.channel, one.seq): one.at_s for one in history.deleted}
    for row in history.rows:
        if (row.channel, row.seq) in deleted and (not row.is_deleted or row.text):
            yield f"channel {row.channel}: {row.seq} was deleted and is still stored"
    for member, events in history.events.items():
        for event in events:
            if isinstance(event, Heard) and event.kind in ("message", "edit") and event.text:
                words_of = event.seq if event.kind == "message" else event.target or 0
                gone_s = deleted.get((event.channel, words_of))
                if gone_s is not None and event.at_s > gone_s + REVOKED_S + history.slack_s:
                    yield f"{member}: channel {event.channel}: {event.seq} came with its words after it was deleted"


def _counts(history: History) -> Iterator[str]:
    """Unread are others' messages after the read position and from the first on, those deleted left out."""
    told_of = {(told.member, told.channel) for told in history.unread}
    for member, channels in history.ends.items():
        for channel in channels:
            if (member, channel) not in told_of:
                yield f"{member}: channel {channel}: nothing was told of what is unread"
    for told in history.unread:
        unread = sum(
            row.kind == "message" and not row.is_deleted and row.author != told.member
            and row.channel == told.channel and row.seq > max(told.read_seq, told.first - 1)
            for row in history.rows
        )  # fmt: skip
        if unread != told.count:
            yield f"{told.member}: channel {told.channel}: {told.count} unread were told, {unread} are"
