"""Channels: their rows, locks, heads and presets."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from hubchat.access import Audience, ChannelState, History, Joining, Place, Presets
from hubchat.storage.bulk import Bulk
from hubchat.storage.database import now_ms
from hubchat.storage.tables import Alias, Channel

ACCESS: Final = 2**53 - 1
"""The internal channel that says who lost a right. The greatest id, so that it is locked last."""


class ChannelRow(NamedTuple):
    """What of a channel every other part works with."""

    id: int
    kind: str
    access_id: int
    parent_id: int | None
    slug: str | None
    title: str
    about: str | None
    lang: str | None
    listed: Audience
    readers: Audience
    joining: Joining
    writers: Audience
    history: History
    open_from: int
    head: int
    head_at: int
    tail: int
    state: ChannelState
    created_at: int
    keep_days: int | None = None
    indexed: bool = False
    slow_s: int = 0
    asking: int | None = None

    @property
    def place(self) -> Place:
        """What `access.can` asks of it."""
        return Place(Presets(self.listed, self.readers, self.joining, self.writers), self.state, self.kind)


_COLUMNS: Final = ", ".join(f"channel.{name}" for name in ChannelRow._fields)
_LOCK = Bulk(
    f"SELECT {_COLUMNS} FROM {{rows}} JOIN channel ON channel.id = rows_.id ORDER BY channel.id",
    id="bigint",
)
_LOCK_POST = Bulk(
    f"SELECT {_COLUMNS} FROM channel WHERE id IN (SELECT id FROM {{rows}}) ORDER BY id FOR NO KEY UPDATE",
    id="bigint",
)
_LOCK_FREE = Bulk(
    f"SELECT {_COLUMNS} FROM channel WHERE id IN (SELECT id FROM {{rows}}) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
    id="bigint",
)
_HEADS = Bulk(
    "UPDATE channel SET head = rows_.head, head_at = rows_.head_at FROM {rows} WHERE channel.id = rows_.id",
    id="bigint",
    head="bigint",
    head_at="bigint",
)
_ASKING = Bulk(
    "UPDATE channel SET asking = rows_.asking FROM {rows} WHERE channel.id = rows_.id", id="bigint", asking="bigint"
)
_READ_HEADS = Bulk("SELECT channel.id, channel.head FROM {rows} JOIN channel ON channel.id = rows_.id", id="bigint")


def lock_channels(connection: sa.Connection, ids: Iterable[int], *, wait: bool = True) -> dict[int, ChannelRow]:
    """The rows of those channels that exist, locked until the transaction ends, in the order of their ids.

    Without `wait` those that another transaction holds are left out (PostgreSQL; SQLite has one writer anyway).
    """
    rows = [(channel_id,) for channel_id in sorted(set(ids))]
    if connection.dialect.name == "sqlite":
        found = _LOCK.run(connection, rows)
    else:
        found = (_LOCK_POST if wait else _LOCK_FREE).run(connection, rows)
    return {row.id: row for row in map(_row, found)}


def set_asking(connection: sa.Connection, asking: Sequence[tuple[int, int | None]]) -> None:
    """Writes (channel, how many more messages its request may hold) of channels that this transaction has locked."""
    _ASKING.run(connection, asking)


def set_heads(connection: sa.Connection, heads: Sequence[tuple[int, int, int]]) -> None:
    """Writes (channel, head, head_at) of channels that this transaction has locked."""
    _HEADS.run(connection, heads)


def read_heads(connection: sa.Connection, ids: Iterable[int]) -> dict[int, int]:
    """The heads of those channels that exist."""
    return {row.id: row.head for row in _READ_HEADS.run(connection, [(channel_id,) for channel_id in ids])}


def read_channel(connection: sa.Connection, channel_id: int) -> ChannelRow | None:
    return read_channels(connection, [channel_id]).get(channel_id)


def read_channels(connection: sa.Connection, ids: Iterable[int]) -> dict[int, ChannelRow]:
    """The rows of those channels that exist."""
    found = _LOCK.run(connection, [(channel_id,) for channel_id in ids])
    return {row.id: row for row in map(_row, found)}


def read_by_slug(connection: sa.Connection, slug: str) -> ChannelRow | None:
    """The channel at this slug, or at this former one."""
    found = connection.execute(
        sa.text(
            f"SELECT {_COLUMNS} FROM channel WHERE slug = :slug "
            "OR id = (SELECT channel_id FROM alias WHERE slug = :slug) ORDER BY slug = :slug DESC LIMIT 1"
        ),
        {"slug": slug},
    ).first()
    return None if found is None else _row(found)


def read_children(connection: sa.Connection, access_id: int) -> list[ChannelRow]:
    """The channels whose memberships are those of `access_id`, itself included."""
    found = connection.execute(
        sa.text(f"SELECT {_COLUMNS} FROM channel WHERE access_id = :id ORDER BY id"), {"id": access_id}
    )
    return [_row(row) for row in found]


def is_slug_taken(connection: sa.Connection, slug: str) -> bool:
    """Whether a channel has this address, or had it."""
    return read_by_slug(connection, slug) is not None


def insert_channel(
    connection: sa.Connection,
    *,
    id: int,
    kind: str,
    presets: Presets,
    title: str,
    access_id: int | None = None,
    parent_id: int | None = None,
    slug: str | None = None,
    about: str | None = None,
    lang: str | None = None,
    history: History = "all",
) -> ChannelRow:
    """A new, empty channel. Without `access_id` its memberships are its own."""
    row = ChannelRow(
        id, kind, access_id or id, parent_id, slug, title, about, lang, *presets,
        history, 1, 0, 0, 1, "open", now_ms(),
    )  # fmt: skip
    connection.execute(sa.insert(Channel), row._asdict())
    return row


def update_channel(connection: sa.Connection, channel_id: int, **values: Any) -> None:
    """Sets columns of one channel; a slug that is given up stays as an alias."""
    if "slug" in values:
        old = connection.execute(sa.select(_table.c.slug).where(_table.c.id == channel_id)).scalar_one()
        connection.execute(sa.delete(Alias).where(_alias.c.slug == values["slug"]))
        if old is not None and old != values["slug"]:
            connection.execute(sa.insert(Alias), {"slug": old, "channel_id": channel_id})
    connection.execute(sa.update(_table).where(_table.c.id == channel_id).values(**values))


_table = Channel.__table__  # type: ignore[attr-defined]  # SQLModel does not type it
_alias = Alias.__table__  # type: ignore[attr-defined]


def _row(found: Any) -> ChannelRow:
    return ChannelRow(*found)


def forget_access(connection: sa.Connection, before: int) -> None:
    """Deletes access entries older than `before` (ms): who lost which right is nobody's business after every node
    has acted on it."""
    oldest = sa.text("SELECT min(seq) FROM entry WHERE channel_id = :id AND at >= :before")
    kept = connection.execute(oldest, {"id": ACCESS, "before": before}).scalar()
    head = read_heads(connection, [ACCESS])[ACCESS]
    tail = kept or head + 1
    connection.execute(
        sa.text("DELETE FROM entry WHERE channel_id = :id AND seq < :tail"), {"id": ACCESS, "tail": tail}
    )
    connection.execute(sa.text("UPDATE channel SET tail = :tail WHERE id = :id"), {"id": ACCESS, "tail": tail})
