"""What the index names, held against entries and rights as they are now: nobody finds what they may not read."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import sqlalchemy as sa

from hubchat.access import can
from hubchat.sought import Sought
from hubchat.storage.bulk import Bulk
from hubchat.storage.channels import ChannelRow
from hubchat.storage.fulltext import MARKED, NO_END, Hit, Wanted, fulltext_of, id_from
from hubchat.storage.indexing import UNSEARCHED
from hubchat.storage.standings import Seat, read_seats
from hubchat.wire import UNREAD_KINDS

KINDS: Final[Mapping[str, str]] = {"groups": "group", "conversations": "conversation"}
"""What `in:` may name beside one group; no group has one of these as its slug."""
SPILT: Final = 4  # ms that an id may be beyond its text's own time, where thousands were written within one

_OPEN: Final = (
    "SELECT channel.id, channel.kind, channel.slug FROM channel WHERE channel.kind = 'group' "
    "AND channel.state <> 'deleted' "
    "AND (channel.readers = 'everybody' OR (channel.readers = 'signed_in' AND CAST(:account AS bigint) > 0))"
)
_OWN: Final = (
    "SELECT channel.id, channel.kind, channel.slug FROM membership "
    "JOIN channel ON channel.access_id = membership.access_id "
    f"WHERE membership.account_id = :account AND membership.state IN ('member', 'invited') "
    f"AND channel.kind NOT IN ({', '.join(repr(kind) for kind in UNSEARCHED)}) AND channel.state <> 'deleted'"
)
_PLACES: Final = sa.text(f"{_OPEN} UNION {_OWN}")
_ALIASES: Final = Bulk(
    "SELECT alias.slug, alias.channel_id FROM {rows} JOIN alias ON alias.slug = rows_.slug", slug="text"
)
_AUTHORS: Final = Bulk("SELECT persona.id FROM {rows} JOIN persona ON persona.handle = rows_.handle", handle="text")
_TEXTS: Final = Bulk(
    f"SELECT entry.channel_id, entry.seq, entry.at, entry.edited_at, entry.text, entry.author_id FROM {{rows}} "
    "JOIN entry ON entry.channel_id = rows_.channel_id AND entry.seq = rows_.seq "
    "WHERE entry.deleted_at IS NULL AND entry.text IS NOT NULL "
    f"AND entry.kind IN ({', '.join(repr(kind) for kind in UNREAD_KINDS)})",
    channel_id="bigint",
    seq="bigint",
)


class Scope(NamedTuple):
    """Where somebody looks. `channels`: those among which all that they may read are; `seats`: how they stand there,
    where it was asked already, which is where they are few."""

    account_id: int
    channels: frozenset[int]
    authors: frozenset[int] | None
    seats: Mapping[int, Seat] | None


class Found(NamedTuple):
    """A text that the caller may read; `id` is its place in the index."""

    id: int
    channel: ChannelRow
    seq: int
    at: int
    edited_at: int | None
    text: str
    author_id: int | None


class Round(NamedTuple):
    """Some of what was found, newest first; `last` is the id up to which the index was read, None: to its end."""

    found: list[Found]
    last: int | None


def read_scope(
    connection: sa.Connection, account_id: int, sought: Sought, channel: int | None, myself: str | None
) -> Scope:
    """Where this account (0: a guest) looks for `sought`. What it may not read is as what does not exist: nothing."""
    rows = connection.execute(_PLACES, {"account": account_id}).all()
    if sought.places is not None:
        wanted = _ids_of(connection, sought.places)
        kinds = {KINDS[place] for place in sought.places & KINDS.keys()}
        rows = [row for row in rows if row.id in wanted or row.slug in sought.places or row.kind in kinds]
    ids = {row.id for row in rows} if channel is None else {row.id for row in rows if row.id == channel}
    authors = None
    if sought.people is not None:
        handles = {myself if handle == "me" and myself else handle for handle in sought.people}
        authors = frozenset(row.id for row in _AUTHORS.run(connection, [(handle,) for handle in handles]))
    if len(ids) > MARKED:
        return Scope(account_id, frozenset(ids), authors, None)
    seats = _readable(connection, account_id, ids)
    return Scope(account_id, frozenset(seats), authors, seats)


def seek(connection: sa.Connection, scope: Scope, sought: Sought, *, below: int | None, limit: int) -> Round:
    """The next texts that the index names and the caller may read, at most `limit`, as they are now."""
    if not scope.channels or scope.authors == frozenset():
        return Round([], None)
    above = id_from(sought.after) if sought.after is not None else 0
    end = id_from(sought.before + SPILT) if sought.before is not None else NO_END
    wanted = Wanted(sought.terms, scope.authors, scope.channels, sought.with_link)
    index = fulltext_of(connection)
    hits = index.seek(connection, wanted, above=above, below=min(end, below or NO_END), limit=limit)
    found = _read(connection, scope, hits)
    in_time = [one for one in found if sought.before is None or one.at < sought.before]
    return Round(in_time, hits[-1].id if len(hits) == limit else None)


def _read(connection: sa.Connection, scope: Scope, hits: list[Hit]) -> list[Found]:
    """The entries of these hits that are there, and the caller's to read."""
    seats = scope.seats
    if seats is None:
        seats = _readable(connection, scope.account_id, {hit.channel_id for hit in hits})
    firsts = {channel: seat.stand.first(seat.channel) for channel, seat in seats.items()}
    keys = [(hit.channel_id, hit.seq) for hit in hits if hit.seq >= firsts.get(hit.channel_id, NO_END)]
    rows = {(row.channel_id, row.seq): row for row in _TEXTS.run(connection, keys)}
    found = []
    for hit in hits:
        if (row := rows.get((hit.channel_id, hit.seq))) is None:
            continue
        if scope.authors is not None and row.author_id not in scope.authors:
            continue
        channel = seats[hit.channel_id].channel
        found.append(Found(hit.id, channel, hit.seq, row.at, row.edited_at, row.text, row.author_id))
    return found


def _readable(connection: sa.Connection, account_id: int, ids: Iterable[int]) -> dict[int, Seat]:
    seats = read_seats(connection, [(account_id, id) for id in ids])
    return {
        channel: seat
        for (_, channel), seat in seats.items()
        if can("read", seat.stand.standing, seat.channel.place) and seat.channel.kind not in UNSEARCHED
    }


def _ids_of(connection: sa.Connection, places: Iterable[str]) -> set[int]:
    """Channels that are named by `~ID`, or by a slug that they had before."""
    named = {
        int(place[1:])
        for place in places
        if place[:1] == "~" and place[1:].isascii() and place[1:].isdigit() and len(place) <= 17
    }
    return named | {row.channel_id for row in _ALIASES.run(connection, [(place,) for place in places])}
