"""Where an account stands in channels: read positions, what is unread there, and whom it lets tell it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import sqlalchemy as sa

from hubchat.access import can
from hubchat.storage.bulk import Bulk
from hubchat.storage.channels import ChannelRow, read_channels
from hubchat.storage.standings import STRANGER, Stand, read_standings
from hubchat.wire import UNREAD_KINDS

Notify: TypeAlias = Literal["all", "mentions", "none"]

COUNTED: Final = 1_000
"""Unread entries are counted up to here: who came back after a year waits no longer than who came back today."""


class Position(NamedTuple):
    """A channel as one account has it. `first` is None where it may not read.

    `unread` and `mentions` are 0 where it never read and is no member. `last_at` is when the newest message or
    the like that it may read was written.
    """

    channel: ChannelRow
    stand: Stand
    first: int | None
    read_seq: int
    unread: int
    mentions: int
    last_at: int | None
    notify: Notify | None
    follow: bool


_KINDS: Final = ", ".join(f"'{kind}'" for kind in UNREAD_KINDS)
_MINE: Final = sa.text(
    "SELECT membership.access_id AS id FROM membership "
    "JOIN channel ON channel.id = membership.access_id AND channel.state <> 'deleted' "
    "WHERE membership.account_id = :account_id AND membership.state <> 'banned' AND membership.access_id > :after "
    "ORDER BY membership.access_id LIMIT :limit"
)
_READINGS: Final = Bulk(
    "SELECT reading.channel_id, reading.read_seq, reading.notify, reading.follow FROM {rows} "
    "JOIN reading ON reading.channel_id = rows_.id AND reading.account_id = :account_id",
    id="bigint",
)
_LAST: Final = Bulk(
    "SELECT rows_.id, (SELECT entry.at FROM entry WHERE entry.channel_id = rows_.id AND entry.seq >= rows_.first "
    f"AND entry.kind IN ({_KINDS}) AND entry.deleted_at IS NULL ORDER BY entry.seq DESC LIMIT 1) AS last_at "
    "FROM {rows}",
    id="bigint",
    first="bigint",
)
_OTHERS: Final = (
    f"entry.kind IN ({_KINDS}) AND entry.deleted_at IS NULL AND (entry.author_id IS NULL OR entry.author_id "
    "NOT IN (SELECT persona.id FROM persona WHERE persona.account_id = :account_id UNION ALL "
    "SELECT persona.id FROM block JOIN persona ON persona.account_id = block.blocked_id "
    "WHERE block.account_id = :account_id))"
)
_UNREAD: Final = Bulk(
    "SELECT rows_.id, "
    "(SELECT count(*) FROM (SELECT 1 FROM entry WHERE entry.channel_id = rows_.id AND entry.seq > rows_.after "
    f"AND {_OTHERS} LIMIT :most) AS counted) AS unread, "
    # CROSS: SQLite then begins with the few mentions, and not with every entry of the channel
    "(SELECT count(*) FROM (SELECT 1 FROM mention CROSS JOIN entry "
    "WHERE mention.account_id = :account_id AND mention.channel_id = rows_.id AND mention.seq > rows_.after "
    f"AND entry.channel_id = mention.channel_id AND entry.seq = mention.seq AND {_OTHERS} LIMIT :most) AS named) "
    "AS mentions FROM {rows}",
    id="bigint",
    after="bigint",
)
_SET: Final = (
    "INSERT INTO reading (channel_id, account_id, read_seq, notify, follow) "
    "SELECT rows_.channel_id, rows_.account_id, rows_.read_seq, 'mentions', false FROM {rows} "
    "WHERE EXISTS (SELECT 1 FROM account WHERE account.id = rows_.account_id AND account.state <> 'erased') "
    "ON CONFLICT (channel_id, account_id) DO UPDATE SET read_seq = excluded.read_seq"
)
_FORWARD: Final = Bulk(
    _SET + " WHERE excluded.read_seq > reading.read_seq", channel_id="bigint", account_id="bigint", read_seq="bigint"
)
_ANYWHERE: Final = Bulk(_SET, channel_id="bigint", account_id="bigint", read_seq="bigint")


def mark_read(connection: sa.Connection, rows: Iterable[tuple[int, int, int]]) -> None:
    """Moves read positions forward, never back: (channel, account, seq)."""
    _FORWARD.run(connection, sorted(rows))  # in one order everywhere, so that two commits can't wait for each other


def set_read(connection: sa.Connection, channel_id: int, account_id: int, seq: int) -> None:
    """Puts a read position where it is wanted, also back."""
    _ANYWHERE.run(connection, [(channel_id, account_id, seq)])


def set_notify(
    connection: sa.Connection, channel_id: int, account_id: int, notify: Notify | None, follow: bool | None
) -> None:
    """What the account wants to be told of; None leaves as it is."""
    keys = {"channel_id": channel_id, "account_id": account_id, "notify": notify, "follow": follow}
    connection.execute(
        sa.text(
            "INSERT INTO reading (channel_id, account_id, read_seq, notify, follow) VALUES (:channel_id, :account_id, "
            "0, coalesce(CAST(:notify AS text), 'mentions'), coalesce(CAST(:follow AS boolean), false)) "
            "ON CONFLICT (channel_id, account_id) DO UPDATE SET "
            "notify = coalesce(CAST(:notify AS text), reading.notify), "
            "follow = coalesce(CAST(:follow AS boolean), reading.follow)"
        ),
        keys,
    )


def read_mine(connection: sa.Connection, account_id: int, *, limit: int = 500, after: int = 0) -> list[Position]:
    """Every channel this account is a member of, asks to join or is invited to, by id from after `after` on.

    Five statements, however many channels.
    """
    found = connection.execute(_MINE, {"account_id": account_id, "after": after, "limit": limit})
    channels = read_channels(connection, [row.id for row in found])
    return read_positions(connection, account_id, [channels[id] for id in sorted(channels)])


def read_positions(connection: sa.Connection, account_id: int | None, channels: Sequence[ChannelRow]) -> list[Position]:
    """How these channels look to an account, in their order; None is a guest."""
    stands: dict[tuple[int, int], Stand] = {}
    readings: dict[int, Any] = {}
    if account_id is not None:
        stands = read_standings(connection, [(account_id, channel.access_id) for channel in channels])
        rows = _READINGS.run(connection, [(channel.id,) for channel in channels], account_id=account_id)
        readings = {row.channel_id: row for row in rows}
    stood = [(channel, stands.get((account_id or 0, channel.access_id), STRANGER)) for channel in channels]
    readable = [(channel, stand) for channel, stand in stood if can("read", stand.standing, channel.place)]
    firsts = {channel.id: stand.first(channel) for channel, stand in readable}
    last = {row.id: row.last_at for row in _LAST.run(connection, list(firsts.items()))}
    after = {
        channel.id: max(readings[channel.id].read_seq if channel.id in readings else 0, firsts[channel.id] - 1)
        for channel, stand in readable
        if channel.id in readings or stand.standing.state in ("member", "invited")
    }
    counts = count_unread(connection, account_id, after)
    return [
        _position(channel, stand, firsts.get(channel.id), readings.get(channel.id), counts, last)
        for channel, stand in stood
    ]


def count_unread(
    connection: sa.Connection, account_id: int | None, after: Mapping[int, int]
) -> dict[int, tuple[int, int]]:
    """Channel → how many entries after that seq are unread (at most `COUNTED`), and how many name this account."""
    if not after or account_id is None:
        return {}
    rows = _UNREAD.run(connection, list(after.items()), account_id=account_id, most=COUNTED)
    return {row.id: (row.unread, row.mentions) for row in rows}


def _position(
    channel: ChannelRow,
    stand: Stand,
    first: int | None,
    reading: Any,
    counts: Mapping[int, tuple[int, int]],
    last: Mapping[int, int | None],
) -> Position:
    """`first` is None where the channel may not be read: then nothing of its log is told, not even how long it is."""
    unread, mentions = counts.get(channel.id, (0, 0))
    return Position(
        channel, stand, first, reading.read_seq if reading else 0, unread, mentions, last.get(channel.id),
        reading.notify if reading else None, bool(reading and reading.follow),
    )  # fmt: skip
