"""Whether what members saw and what SQL holds agree with what hubchat promises (docs/protocol.md, "What holds,
always"). Pure: a history in, violations out.

What is said of time allows for what held the harness itself up.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from tests.faults.history import (
    MOST_SLACK_S,
    Closed,
    Denied,
    Event,
    Heard,
    History,
    Part,
    Removal,
    Revoked,
    Row,
    Stood,
    Welcomed,
)

REPLAYED: Final = 1_000
"""Further behind, a subscription may begin anew (`reset`)."""
REVOKED_S: Final = 1.0
"""How long after a right was lost something may still come, and by when `revoked` does."""
BEHIND_S: Final = 3.0
"""How long an entry may take while Redis is away."""
FORGOTTEN_S: Final = 1.0
"""How old a read position may be, acknowledged, and not be stored yet: a node that is killed takes it along."""
NOTICED_S: Final = 3.0
"""How long a member's client goes without a pong before it holds its connection for lost."""
RECOVERED_S: Final = 10.0
"""How long after a fault was mended deliveries may still be late: nodes start again, connections are made anew."""
AFTER_S: Final = 3.0
"""How long after SQL, Redis or a node is there again the others may not have noticed."""
IN_DOUBT: Final = frozenset({"outcome_unknown", "fault", "restarting"})
"""Reasons after which a message may or may not be stored."""
SHOWN: Final = frozenset({"message", "edit"})
"""Kinds that come with a message's words."""
BESIDE_REDIS: Final[frozenset[Part]] = frozenset({"nodes", "asleep", "PostgreSQL", "members"})


def violations(history: History) -> list[str]:
    """What was promised and did not hold, a line each."""
    return [
        *_log(history),
        *_acknowledged(history),
        *(line for member, events in history.events.items() for line in _Follower(member, history).follow(events)),
        *_removed(history),
        *(line for removal in history.removals for line in _told(removal, history)),
        *_denied(history),
        *_gone(history),
        *_behind(history),
        *_kept(history),
        *_counts(history),
    ]


def unjudged(history: History) -> list[str]:
    """What could not be judged for time, since the harness itself was too late there."""
    return [
        f"{one.member}: the removal at {one.from_s:.2f} s: what was noted may be late by {slack_s:.2f} s"
        for one in history.removals
        if (slack_s := history.slack_s(one.from_s + REVOKED_S)) > MOST_SLACK_S
    ]


def _log(history: History) -> Iterator[str]:
    """Numbers without gaps, up to the head that the channel has; times that never run back; every nonce once."""
    channels: dict[int, list[Row]] = defaultdict(list)
    for row in history.rows:
        channels[row.channel].append(row)
    for channel, log in channels.items():
        log.sort(key=lambda row: row.seq)
        seqs = [row.seq for row in log]
        if seqs != list(range(1, len(seqs) + 1)):
            yield f"channel {channel}: SQL holds {len(seqs)} entries up to {seqs[-1]}, which are not 1, 2, 3 …"
        if (head := history.heads.get(channel, seqs[-1])) != seqs[-1]:
            yield f"channel {channel}: its head is {head}, its last entry {seqs[-1]}"
        for earlier, later in pairwise(log):
            if later.at < earlier.at:
                yield f"channel {channel}: time runs back at {later.seq}"
        nonces = Counter((row.author, row.nonce) for row in log if row.nonce is not None)
        for (author, nonce), count in nonces.items():
            if count > 1:
                yield f"channel {channel}: {author}'s message {nonce} is stored {count} times"
    for channel in (channel for channel, head in history.heads.items() if head and channel not in channels):
        yield f"channel {channel}: its head is {history.heads[channel]}, and it has no entries"


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
        elif sent.refused not in IN_DOUBT and not sent.was_sent_again and stored is not None:
            yield f"channel {sent.channel}: {sent.nonce} was refused ({sent.refused}) and is stored as {stored.seq}"
    for one in history.changed:
        if (one.channel, one.seq) not in places:
            yield f"channel {one.channel}: a change was acknowledged as {one.seq} and is lost"


class _Follower:
    """One member's channels, entry by entry."""

    def __init__(self, member: str, history: History) -> None:
        self.member = member
        self.places: dict[int, int] = {}
        self.standing: dict[int, Stood] = {}  # by the present connection
        self.log: int | None = None
        self._history = history
        self._rows = {(row.channel, row.seq): row for row in history.rows}
        self._texts: dict[tuple[int, str | None], tuple[str, ...]] = {
            (sent.channel, sent.nonce): sent.texts for sent in history.sent
        }
        self._changes: dict[tuple[int, int], list[Row]] = defaultdict(list)
        self._heads: Counter[int] = Counter()
        for row in history.rows:
            self._heads[row.channel] = max(self._heads[row.channel], row.seq)
            if row.target is not None:
                self._changes[row.channel, row.target].append(row)

    def follow(self, events: Sequence[Event]) -> Iterator[str]:
        for event in events:
            match event:
                case Welcomed():
                    yield from self._greet(event)
                case Closed():
                    self.standing.clear()
                case Stood():
                    yield from self._stand(event)
                case Heard():
                    yield from self._hear(event)
                case Revoked() | Denied():
                    self.places.pop(event.channel, None)
                    self.standing.pop(event.channel, None)
        for channel in self._history.ends.get(self.member, ()):
            if self.places.get(channel) != self._heads[channel]:
                at = self.places.get(channel)
                yield f"{self.member}: channel {channel} ends at {self._heads[channel]}, heard up to {at}"

    def _greet(self, event: Welcomed) -> Iterator[str]:
        self.standing.clear()
        if self.log not in (None, event.log):
            yield f"{self.member}: the history was replaced: log {self.log} became {event.log}"
            self.places.clear()
        self.log = event.log

    def _stand(self, event: Stood) -> Iterator[str]:
        """Where what follows has to go on."""
        where = f"{self.member}: channel {event.channel}"
        had = self.places.get(event.channel)
        if had is not None and event.after != had:
            yield f"{where} went on from {event.after}, had was {had}"
        if event.head < max(had or 0, event.after or 0):
            yield f"{where} stands at {event.head}, had was {max(had or 0, event.after or 0)}"
        if event.first != self._history.firsts.get(event.channel, event.first):
            yield f"{where} is said to begin at {event.first}"
        if event.after is None or event.is_reset:
            self.places[event.channel] = event.head
            if event.after is not None and event.first - 1 <= event.after and event.head <= event.after + REPLAYED:
                yield f"{where} began anew at {event.head}, so near to {event.after}"
        else:
            self.places[event.channel] = max(event.after, event.first - 1)
        self.standing[event.channel] = event

    def _hear(self, event: Heard) -> Iterator[str]:
        where = f"{self.member}: channel {event.channel}"
        place, stood = self.places.get(event.channel), self.standing.get(event.channel)
        if place is None or stood is None:
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
        elif row.target != event.target:
            yield f"{where}: {event.seq} came as a change of {event.target}, it is one of {row.target}"
        elif event.text is not None and event.text not in self._written(event):
            yield f"{where}: {event.seq} came with words that nobody wrote there"
        elif event.kind == "message" and event.text is None and not row.is_deleted:
            yield f"{where}: {event.seq} came without its words"
        elif event.kind == "message" and event.text is not None and event.seq <= stood.head:
            yield from self._replayed(event, stood.head)

    def _written(self, event: Heard) -> tuple[str, ...]:
        """All that the message which an entry is, or changes, ever said; an edit comes with its target's words."""
        row = self._rows.get((event.channel, event.seq if event.target is None else event.target))
        return self._texts.get((event.channel, row.nonce), ()) if row is not None else ()

    def _replayed(self, event: Heard, head: int) -> Iterator[str]:
        """A replay knows all up to its head: what was edited by then comes with the words it got, or later ones."""
        changes = [row for row in self._changes[event.channel, event.seq] if row.seq <= head]
        edits = sum(row.kind == "edit" for row in changes)
        if event.text in self._written(event)[:edits]:
            yield f"{self.member}: channel {event.channel}: {event.seq} came with words that were edited before {head}"
        if any(row.kind == "delete" for row in changes):
            yield f"{self.member}: channel {event.channel}: {event.seq} came with words that were deleted before {head}"


def _removed(history: History) -> Iterator[str]:
    """Nothing comes after a right was lost: nothing that was sent a second later, nor anything so late."""
    began = {(sent.channel, sent.seq): sent.began_s for sent in history.sent if sent.seq is not None}
    began |= {(one.channel, one.seq): one.began_s for one in history.changed}
    for removal in history.removals:
        end_s = removal.from_s + REVOKED_S
        for event in history.events.get(removal.member, ()):
            if not isinstance(event, Heard) or event.channel != removal.channel or event.at_s >= removal.until_s:
                continue
            if began.get((event.channel, event.seq), 0.0) > end_s or history.is_late(event.at_s, end_s):
                yield (
                    f"{removal.member}: channel {event.channel}: {event.seq} came "
                    f"{event.at_s - removal.from_s:.2f} s after the right to it was lost"
                )


def _told(removal: Removal, history: History) -> Iterator[str]:
    """Who loses a right is told so in time; or the connection was lost by then, and the next one is refused it."""
    where = f"{removal.member}: channel {removal.channel}"
    due_s = _due_s(removal, history)
    events = history.events.get(removal.member, ())
    before = [event for event in events if event.at_s < removal.began_s]
    concerned = [event for event in before if isinstance(event, Stood | Revoked | Denied)]
    if not isinstance([None, *(one for one in concerned if one.channel == removal.channel)][-1], Stood):
        return
    was_lost = isinstance([None, *(event for event in before if isinstance(event, Welcomed | Closed))][-1], Closed)
    for event in events[len(before) :]:
        is_late = history.is_late(event.at_s, due_s)
        match event:
            case Closed():
                was_lost = was_lost or not history.is_late(event.at_s, due_s + NOTICED_S)
            case Revoked(channel=removal.channel) | Denied(channel=removal.channel):
                if is_late and not was_lost:
                    yield f"{where}: it was told {event.at_s - removal.from_s:.2f} s late that the right to it was lost"
                return
            case Stood(channel=removal.channel) if event.at_s >= removal.until_s:
                break
            case Stood(channel=removal.channel) if is_late:
                yield f"{where} was subscribed to {event.at_s - removal.from_s:.2f} s after the right to it was lost"
                return
            case Heard() if is_late and not was_lost:
                break
            case _:
                pass
    if not was_lost:
        yield f"{where}: it was not told in time that the right to it was lost at {removal.from_s:.2f} s"


def _due_s(removal: Removal, history: History) -> float:
    """When `revoked` is there at the latest. A node that has neither SQL nor the bus, or sleeps, can't know of it; it
    hands out nothing meanwhile, which `_removed` sees."""
    window = removal.began_s, removal.from_s + REVOKED_S, AFTER_S
    apart = [history.troubled(frozenset({part}), *window) for part in ("PostgreSQL", "Redis")]
    ends_s = [one.until_s + AFTER_S for one in history.troubled(frozenset({"asleep"}), *window)]
    if all(apart):
        ends_s.append(min(max(one.until_s for one in troubles) for troubles in apart) + AFTER_S)
    return max(removal.from_s, *ends_s) + REVOKED_S if ends_s else removal.from_s + REVOKED_S


def _denied(history: History) -> Iterator[str]:
    """Who may read a channel is not refused it."""
    removals: dict[tuple[str, int], list[Removal]] = defaultdict(list)
    for removal in history.removals:
        removals[removal.member, removal.channel].append(removal)
    for member, events in history.events.items():
        for event in events:
            if not isinstance(event, Denied | Revoked):
                continue
            gone = [one for one in removals[member, event.channel] if one.began_s <= event.at_s]
            if isinstance(event, Denied):
                is_right = any(event.asked_s <= one.back_s for one in gone)
            else:
                is_right = any(not history.is_late(event.at_s, max(one.back_s, _due_s(one, history))) for one in gone)
            if not is_right:
                what = "refused" if isinstance(event, Denied) else "taken away"
                yield f"{member}: channel {event.channel} was {what} at {event.at_s:.2f} s, though it may be read"


def _gone(history: History) -> Iterator[str]:
    """What was deleted never comes again with its words."""
    deleted = {(one.channel, one.seq): one.at_s for one in history.deleted}
    for row in history.rows:
        if (row.channel, row.seq) in deleted and (not row.is_deleted or row.text):
            yield f"channel {row.channel}: {row.seq} was deleted and is still stored"
    for member, events in history.events.items():
        for event in events:
            if isinstance(event, Heard) and event.kind in SHOWN and event.text:
                words_of = event.seq if event.kind == "message" else event.target or 0
                gone_s = deleted.get((event.channel, words_of))
                if gone_s is not None and history.is_late(event.at_s, gone_s + REVOKED_S):
                    yield f"{member}: channel {event.channel}: {event.seq} came with its words after it was deleted"


def delays(history: History, parts: frozenset[Part] = frozenset()) -> Iterator[tuple[str, Heard, float]]:
    """Who heard what how many seconds after it was acknowledged, live, while nothing but Redis was broken; of these
    `parts` one was."""
    acked = {(sent.channel, sent.seq): sent.acked_s for sent in history.sent if sent.seq is not None}
    for member, events in history.events.items():
        standing: dict[int, Stood] = {}
        for event in events:
            match event:
                case Welcomed() | Closed():
                    standing.clear()
                case Stood():
                    standing[event.channel] = event
                case Heard():
                    acked_s, stood = acked.get((event.channel, event.seq)), standing.get(event.channel)
                    if acked_s is None or stood is None or event.seq <= stood.head or stood.at_s > acked_s:
                        continue
                    if history.troubled(BESIDE_REDIS, acked_s, event.at_s, RECOVERED_S):
                        continue
                    if not parts or history.troubled(parts, acked_s, event.at_s, AFTER_S):
                        yield member, event, event.at_s - acked_s
                case _:
                    pass


def _behind(history: History) -> Iterator[str]:
    """Without Redis everybody hears what is said 3 s later at most."""
    for member, event, delay_s in delays(history):
        if history.is_late(event.at_s, event.at_s - delay_s + BEHIND_S):
            yield f"{member}: channel {event.channel}: {event.seq} came {delay_s:.2f} s after it was acknowledged"


def _kept(history: History) -> Iterator[str]:
    """Read positions that were acknowledged are kept. They are stored together, at most once a second: what a node
    that is killed had acknowledged in that second may be lost, and while the database is away what waits for it."""
    forgotten = list(_forgotten(history))
    kept: Counter[tuple[str, int]] = Counter()
    for read in history.reads:
        if not any(from_s <= read.at_s <= until_s for from_s, until_s in forgotten):
            kept[read.member, read.channel] = max(kept[read.member, read.channel], read.seq)
    for told in history.stood:
        if told.read_seq < (seq := kept[told.member, told.channel]):
            yield f"{told.member}: channel {told.channel}: read up to {told.read_seq}, {seq} was acknowledged"


def _forgotten(history: History) -> Iterator[tuple[float, float]]:
    """From when until when a read position that was acknowledged may be lost."""
    for one in history.troubles:
        if one.part == "nodes":
            from_s = one.from_s - FORGOTTEN_S - AFTER_S
            waits = history.troubled(frozenset({"PostgreSQL", "asleep"}), from_s, one.until_s, AFTER_S)
            if one.kills or waits:
                yield min([from_s, *(wait.from_s - FORGOTTEN_S - AFTER_S for wait in waits)]), one.until_s + AFTER_S


def _counts(history: History) -> Iterator[str]:
    """Where members stand is where they read last; unread are others' messages after that, those deleted left out."""
    told_of = {(told.member, told.channel) for told in history.unread}
    for member, channels in history.ends.items():
        for channel in channels:
            if (member, channel) not in told_of:
                yield f"{member}: channel {channel}: nothing was told of what is unread"
    read: dict[tuple[str, int], int] = {(one.member, one.channel): one.seq for one in history.last_reads}
    for told in history.unread:
        where = f"{told.member}: channel {told.channel}"
        first = history.firsts.get(told.channel, told.first)
        if told.first != first:
            yield f"{where} is said to begin at {told.first}"
        stands = read.get((told.member, told.channel))
        if told.read_seq != stands:
            yield f"{where}: read up to {told.read_seq} is told, {stands} was read last"
        unread = sum(
            row.kind == "message" and not row.is_deleted and row.author != told.member
            and row.channel == told.channel and row.seq > max(stands or 0, first - 1)
            for row in history.rows
        )  # fmt: skip
        if unread != told.count:
            yield f"{where}: {told.count} unread were told, {unread} are"
