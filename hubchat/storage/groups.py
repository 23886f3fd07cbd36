"""Groups: a room and the roster beside it, their directory, and what is left of them when they are deleted."""

from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from hubchat.access import ROSTER, History, Presets
from hubchat.errors import HubError
from hubchat.storage.bulk import Bulk
from hubchat.storage.channels import (
    ChannelRow,
    insert_channel,
    read_by_slug,
    read_channel,
    read_channels,
    update_channel,
)
from hubchat.storage.database import new_id

PURGED: Final = 2_000  # entries a transaction: about 50 ms, so that messages elsewhere hardly wait

_ROSTERS: Final = Bulk(
    "SELECT channel.access_id, channel.id FROM {rows} "
    "JOIN channel ON channel.parent_id = rows_.id AND channel.kind = 'roster'",
    id="bigint",
)
_LISTED: Final = (
    "SELECT channel.id FROM channel "
    "LEFT JOIN membership ON membership.access_id = channel.id AND membership.account_id = :account_id "
    "WHERE channel.kind = 'group' AND (channel.state = 'open' OR membership.state = 'member') "
    "AND channel.state <> 'deleted' AND (channel.listed = 'everybody' "
    "OR (channel.listed = 'signed_in' AND :signed_in AND coalesce(membership.state, 'none') <> 'banned') "
    "OR membership.state IN ('member', 'invited')) {after}"
    "ORDER BY lower(channel.title), channel.id LIMIT :limit"
)
_LISTED_FIRST: Final = sa.text(_LISTED.format(after=""))
_LISTED_AFTER: Final = sa.text(
    _LISTED.format(
        after="AND (lower(channel.title), channel.id) > "
        "(SELECT lower(last.title), last.id FROM channel AS last WHERE last.id = :after) "
    )
)


def insert_group(
    connection: sa.Connection,
    *,
    presets: Presets,
    slug: str | None,
    title: str,
    about: str | None,
    lang: str | None,
    history: History,
) -> tuple[ChannelRow, ChannelRow]:
    """A new group: its room and its roster. Raises `slug_taken`."""
    require_free(connection, slug)
    try:
        room = insert_channel(
            connection, id=new_id(), kind="group", presets=presets, slug=slug, title=title, about=about, lang=lang,
            history=history,
        )  # fmt: skip
    except IntegrityError:  # another one took it since we looked
        raise HubError("slug_taken") from None
    roster = insert_channel(
        connection, id=new_id(), kind="roster", presets=ROSTER, title="", access_id=room.id, parent_id=room.id
    )
    return room, roster


def change_group(connection: sa.Connection, group_id: int, values: dict[str, Any]) -> None:
    """Sets columns of a group's room. Raises `slug_taken`."""
    if "slug" in values:
        require_free(connection, values["slug"], group_id)
    try:
        update_channel(connection, group_id, **values)
    except IntegrityError:
        raise HubError("slug_taken") from None


def require_free(connection: sa.Connection, slug: str | None, group_id: int | None = None) -> None:
    """Raises `slug_taken` where another channel than `group_id` has this slug or had it: old links never mislead."""
    found = None if slug is None else read_by_slug(connection, slug)
    if found is not None and found.id != group_id:
        raise HubError("slug_taken")


def find_group(connection: sa.Connection, name: str) -> ChannelRow | None:
    """The group that an address names: `~ID`, an id, its slug or a former one."""
    digits = name.removeprefix("~")
    found = None
    if digits.isascii() and digits.isdigit() and len(digits) <= 16:
        found = read_channel(connection, int(digits))
    if found is None and not name.startswith("~"):
        found = read_by_slug(connection, name)
    return found if found is not None and found.kind == "group" else None


def read_roster(connection: sa.Connection, group_id: int) -> int | None:
    """The id of a group's roster; None where there is no such group."""
    return read_rosters(connection, [group_id]).get(group_id)


def read_rosters(connection: sa.Connection, group_ids: Iterable[int]) -> dict[int, int]:
    """Group → the id of its roster."""
    return {row.access_id: row.id for row in _ROSTERS.run(connection, [(id,) for id in group_ids])}


def read_directory(
    connection: sa.Connection, account_id: int | None, *, limit: int, after: int | None = None
) -> list[ChannelRow]:
    """The groups that this account (None: a guest) may see, by title, from the one after group `after` on.

    What is seen by whom is `access.can`'s to say; this leaves out what it would refuse, so that pages are full.
    """
    keys = {"account_id": account_id or 0, "signed_in": account_id is not None, "limit": limit}
    if after is None:
        found = connection.execute(_LISTED_FIRST, keys)
    else:
        found = connection.execute(_LISTED_AFTER, {**keys, "after": after})
    ids = [row.id for row in found]
    rows = read_channels(connection, ids)
    return [rows[id] for id in ids]


def count_owned(connection: sa.Connection, account_id: int) -> int:
    """How many groups this account owns."""
    query = (
        "SELECT count(*) FROM membership JOIN channel ON channel.id = membership.access_id AND channel.kind = 'group' "
        "WHERE membership.account_id = :id AND membership.state = 'member' AND membership.role = 'owner'"
    )
    return int(connection.execute(sa.text(query), {"id": account_id}).scalar_one())


def delete_group(connection: sa.Connection, group_id: int) -> None:
    """Takes a group from everybody: words about it, memberships, invitations, readings. `purge` empties its log."""
    update_channel(connection, group_id, slug=None, title="", about=None)
    for statement in (
        "UPDATE channel SET state = 'deleted' WHERE access_id = :id",
        "DELETE FROM reading WHERE channel_id IN (SELECT id FROM channel WHERE access_id = :id)",
        "DELETE FROM membership WHERE access_id = :id",
        "DELETE FROM invite WHERE access_id = :id",
    ):
        connection.execute(sa.text(statement), {"id": group_id})
    # An answer that told of it may be kept for whoever repeats their request
    told = sa.text("DELETE FROM idempotency WHERE answer LIKE :told")
    connection.execute(told, {"told": f'%"id":{group_id},%'})


def purge(connection: sa.Connection) -> bool:
    """Deletes some entries of deleted channels, with all that hangs on them; False when none are left."""
    query = (
        "SELECT channel.id, (SELECT min(seq) FROM entry WHERE entry.channel_id = channel.id) AS low "
        "FROM channel WHERE channel.state = 'deleted'"
    )
    found = [row for row in connection.execute(sa.text(query)) if row.low is not None]
    for row in found[:1]:
        for table in ("revision", "reaction", "mention", "entry"):
            connection.execute(
                sa.text(f"DELETE FROM {table} WHERE channel_id = :id AND seq < :end"),
                {"id": row.id, "end": row.low + PURGED},
            )
    return bool(found)
