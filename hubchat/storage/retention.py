"""How long what is said is kept: the shorter of what the hub says and what a group says of itself."""

from typing import Final, NamedTuple

import sqlalchemy as sa

from hubchat.storage.database import Connection

DAY_MS: Final = 86_400_000
PAGE: Final = 500  # channels looked at in one read
SOME: Final = 500  # entries a transaction: about 10 ms


class Keeping(NamedTuple):
    """A channel, for how many days it keeps what is said, and when the oldest that it has was said."""

    channel_id: int
    days: int
    oldest_at: int | None


_KEEPING: Final = sa.text(
    "SELECT channel.id, coalesce(channel.keep_days, whole.keep_days) AS days, (SELECT entry.at FROM entry "
    "WHERE entry.channel_id = channel.id AND entry.seq >= channel.tail ORDER BY entry.seq LIMIT 1) AS oldest_at "
    "FROM channel JOIN channel AS whole ON whole.id = channel.access_id "
    "WHERE channel.id > :after AND channel.kind IN ('group', 'roster', 'conversation', 'inbox') "
    "AND channel.state <> 'deleted' AND (:hub_days > 0 OR channel.keep_days > 0 OR whole.keep_days > 0) "
    "ORDER BY channel.id LIMIT :limit"
)
_OLDEST: Final = sa.text(
    "SELECT entry.seq, entry.at FROM entry WHERE entry.channel_id = :id AND entry.seq >= :tail "
    "ORDER BY entry.seq LIMIT :limit"
)


def days_kept(hub_days: int, own_days: int | None) -> int | None:
    """The shorter of the two; None: as long as the channel is there."""
    return min((days for days in (hub_days, own_days) if days), default=None)


def read_keeping(connection: Connection, hub_days: int, after: int) -> list[Keeping]:
    """Channels that do not keep all, from the one after `after` on; none when there are no more."""
    rows = connection.execute(_KEEPING, {"hub_days": hub_days, "after": after, "limit": PAGE})
    return [Keeping(row.id, days_kept(hub_days, row.days) or 0, row.oldest_at) for row in rows]


def forget_some(connection: Connection, channel_id: int, tail: int, before: int) -> int:
    """Deletes some of what was said before a time (ms) in a channel that is locked; gives its new tail."""
    rows = connection.execute(_OLDEST, {"id": channel_id, "tail": tail, "limit": SOME})
    new = max((row.seq + 1 for row in rows if row.at < before), default=tail)
    if new > tail:
        _forget(connection, channel_id, new)
    return new


def forget_before(connection: Connection, channel_id: int, tail: int) -> None:
    """Deletes what a channel has before `tail`, where there is such a channel, as was done before."""
    query = sa.text("SELECT head, tail FROM channel WHERE id = :id")
    row = connection.execute(query, {"id": channel_id}).first()
    if row is not None and tail > row.tail:
        _forget(connection, channel_id, min(tail, row.head + 1))  # else nobody could read what comes next


def _forget(connection: Connection, channel_id: int, tail: int) -> None:
    keys = {"id": channel_id, "tail": tail}
    for table in ("revision", "reaction", "mention", "entry"):
        connection.execute(sa.text(f"DELETE FROM {table} WHERE channel_id = :id AND seq < :tail"), keys)
    connection.execute(sa.text("UPDATE channel SET tail = :tail WHERE id = :id"), keys)
