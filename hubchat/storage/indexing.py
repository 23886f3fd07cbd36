"""The index follows the log: how far it is in each channel, and the next step there.

Texts are put in, replaced and taken out as the log's entries say, by what the texts are now; never inside the commit
that changes them. Who steps in a channel holds the lock of its row in `fulltext_at`; others pass on.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from hubchat.storage.bulk import Bulk
from hubchat.storage.channels import ChannelRow, read_channels
from hubchat.storage.fulltext import (
    LINK,
    NO_END,
    Doc,
    author_mark,
    channel_mark,
    find_below,
    find_docs,
    fulltext_of,
)
from hubchat.wire import UNREAD_KINDS
from hubchat.words import folded, has_link

UNSEARCHED: Final = ("inbox", "roster", "access")
"""Kinds of channels in which nothing is looked for: they tell of people, not what people wrote."""
STEP_BYTES: Final = 64 << 10  # of texts a step: some ms, whatever its messages are
DROPPED: Final = 500  # of a tail that moved on, or a deleted channel, a step

_BEHIND: Final = sa.text(
    "SELECT channel.id, channel.head - coalesce(fulltext_at.seq, 0) AS entries "
    "FROM channel LEFT JOIN fulltext_at ON fulltext_at.channel_id = channel.id "
    f"WHERE channel.kind NOT IN ({', '.join(repr(kind) for kind in UNSEARCHED)}) "
    "AND CASE WHEN channel.state = 'deleted' THEN fulltext_at.channel_id IS NOT NULL "
    "ELSE channel.head > coalesce(fulltext_at.seq, 0) OR channel.tail > coalesce(fulltext_at.tail, 1) END"
)
_BEGIN: Final = Bulk(
    "INSERT INTO fulltext_at (channel_id, seq, tail) SELECT id, 0, 1 FROM {rows} WHERE true "
    "ON CONFLICT (channel_id) DO NOTHING",
    id="bigint",
)
_AT: Final = "SELECT channel_id, seq, tail FROM fulltext_at WHERE channel_id IN (SELECT id FROM {rows}) "
_LOCK: Final = {
    "sqlite": Bulk(_AT, id="bigint"),
    "postgresql": Bulk(_AT + "ORDER BY channel_id FOR UPDATE SKIP LOCKED", id="bigint"),
}
_MOVE: Final = Bulk(
    "UPDATE fulltext_at SET seq = rows_.seq, tail = rows_.tail FROM {rows} WHERE fulltext_at.channel_id = rows_.id",
    id="bigint",
    seq="bigint",
    tail="bigint",
)
_LOG: Final = Bulk(
    "SELECT entry.channel_id, entry.seq, entry.kind, entry.target_seq FROM {rows} "
    "JOIN entry ON entry.channel_id = rows_.id AND entry.seq > rows_.after AND entry.seq <= rows_.last",
    id="bigint",
    after="bigint",
    last="bigint",
)
_TEXTS: Final = Bulk(
    "SELECT entry.channel_id, entry.seq, entry.at, entry.author_id, entry.text FROM {rows} "
    "JOIN entry ON entry.channel_id = rows_.channel_id AND entry.seq = rows_.seq "
    "WHERE entry.deleted_at IS NULL AND entry.text IS NOT NULL "
    f"AND entry.kind IN ({', '.join(repr(kind) for kind in UNREAD_KINDS)})",
    channel_id="bigint",
    seq="bigint",
)
_FORGET: Final = sa.text("DELETE FROM fulltext_at WHERE channel_id = :id")

Key = tuple[int, int]
"""(channel, seq)."""


class Place(NamedTuple):
    """How far the index is in a channel: it has seen entries up to `seq`, and has nothing before `tail`."""

    seq: int
    tail: int


class Steps(NamedTuple):
    """What was done: channels → how many entries they have beyond it, None where there is nothing more to do; and how
    many texts were replaced or taken out. Channels that somebody else is at are left out."""

    behind: dict[int, int | None]
    removed: int


def read_behind(connection: sa.Connection) -> dict[int, int]:
    """Channels in which the index has something to do → how many entries it has not seen."""
    return {row.id: max(0, row.entries) for row in connection.execute(_BEHIND)}


def step(connection: sa.Connection, ids: Sequence[int], most: int) -> Steps:
    """Goes on in these channels by at most `most` entries together."""
    known = _searched(connection, ids)
    _BEGIN.run(connection, [(id,) for id, channel in known.items() if channel.state != "deleted"])
    locked = _LOCK[connection.dialect.name].run(connection, [(id,) for id in sorted(known)])
    places = {row.channel_id: Place(row.seq, row.tail) for row in locked}
    channels = _searched(connection, places)  # as they are under the lock
    none = [id for id in ids if id not in known or (id not in places and known[id].state == "deleted")]
    behind: dict[int, int | None] = dict.fromkeys(none)
    gone = {id: places.pop(id) for id, channel in channels.items() if channel.state == "deleted"}
    removed = sum(_forget(connection, id, behind) for id in gone)
    for id, place in places.items():
        dropped, tail = _move_tail(connection, channels[id], place.tail)
        places[id] = Place(max(place.seq, tail - 1), tail)
        removed += dropped
    ends, replaced = _follow(connection, channels, places, most)
    _MOVE.run(connection, [(id, seq, places[id].tail) for id, seq in ends.items()])
    for id, seq in ends.items():
        is_done = seq == channels[id].head and places[id].tail == channels[id].tail
        behind[id] = None if is_done else max(0, channels[id].head - seq)
    return Steps(behind, removed + replaced)


def restart(connection: sa.Connection) -> None:
    """Empties the index; it is made anew from the log by whoever follows it."""
    if connection.dialect.name == "postgresql":  # so that nobody steps on in between
        connection.execute(sa.text("LOCK TABLE fulltext_at IN ACCESS EXCLUSIVE MODE"))
    connection.execute(sa.text("DELETE FROM fulltext_at"))
    fulltext_of(connection).empty(connection)


def _searched(connection: sa.Connection, ids: Iterable[int]) -> dict[int, ChannelRow]:
    found = read_channels(connection, ids)
    return {id: channel for id, channel in found.items() if channel.kind not in UNSEARCHED}


def _forget(connection: sa.Connection, id: int, behind: dict[int, int | None]) -> int:
    """Takes out what is left of a deleted channel, some at a time; how much."""
    ids = find_below(connection, id, NO_END, DROPPED)
    fulltext_of(connection).drop(connection, ids)
    behind[id] = 0
    if len(ids) < DROPPED:
        behind[id] = None
        connection.execute(_FORGET, {"id": id})
    return len(ids)


def _move_tail(connection: sa.Connection, channel: ChannelRow, tail: int) -> tuple[int, int]:
    """Takes out texts before the oldest that is kept; how many, and from where on the index now begins."""
    if channel.tail <= tail:
        return 0, tail
    ids = find_below(connection, channel.id, channel.tail, DROPPED)
    fulltext_of(connection).drop(connection, ids)
    return len(ids), tail if len(ids) == DROPPED else channel.tail


def _follow(
    connection: sa.Connection, channels: dict[int, ChannelRow], places: dict[int, Place], most: int
) -> tuple[dict[int, int], int]:
    """Reads the log on; gives where each channel's index is now, and how many texts were replaced or taken out."""
    ends = {}
    for id, place in places.items():
        ends[id] = max(place.seq, min(channels[id].head, place.seq + most))
        most -= ends[id] - place.seq
    log = _LOG.run(connection, [(id, place.seq, ends[id]) for id, place in places.items()]).all()
    touched: dict[Key, int] = {}  # a text → the first entry that concerns it
    for row in sorted(log, key=lambda row: (row.channel_id, row.seq)):
        touched.setdefault((row.channel_id, _concerned(row)), row.seq)
    texts = {(row.channel_id, row.seq): row for row in _TEXTS.run(connection, list(touched))}
    docs: list[Doc] = []
    size = 0
    for key, named_at in touched.items():
        found = texts.get(key)
        if found is None or found.seq < channels[found.channel_id].tail:
            continue
        size += len(found.text)
        if docs and size > STEP_BYTES:
            _cut(ends, places, list(touched), key, named_at)
            break
        docs.append(_doc(found))
    before = find_docs(connection, [key for key, named_at in touched.items() if named_at <= ends[key[0]]])
    kept = {(doc.channel_id, doc.seq) for doc in docs}
    index = fulltext_of(connection)
    index.drop(connection, [id for key, id in before.items() if key not in kept])
    if docs:
        index.put(connection, docs)
    return ends, len(before)


def _cut(ends: dict[int, int], places: dict[int, Place], order: list[Key], key: Key, named_at: int) -> None:
    """What comes from this text on is left for the next step: the rest of its channel, and channels behind it."""
    ends[key[0]] = named_at - 1
    for later in {channel for channel, _ in order[order.index(key) :]} - {key[0]}:
        ends[later] = places[later].seq


def _concerned(row: Any) -> int:
    """Which text an entry may have changed."""
    return int(row.target_seq) if row.kind in ("edit", "delete") else int(row.seq)


def _doc(row: Any) -> Doc:
    marks = [channel_mark(row.channel_id)]
    if row.author_id is not None:
        marks.append(author_mark(row.author_id))
    if has_link(row.text):
        marks.append(LINK)
    return Doc(row.channel_id, row.seq, row.at, folded(row.text), marks)
