"""How accounts stand to channels: what `access.can` is asked with, read for many at once."""

from collections.abc import Iterable
from typing import Final, NamedTuple

import sqlalchemy as sa

from hubchat.access import GUEST, Standing, first_readable
from hubchat.storage.bulk import Bulk
from hubchat.storage.channels import ChannelRow, read_channels

_STANDINGS: Final = Bulk(
    "SELECT rows_.account_id, rows_.access_id, account.role AS hub_role, account.state AS account_state, "
    "account.presence, "
    "CASE WHEN account.trusted THEN NULL ELSE account.created_at END AS came_at, "
    "membership.state, membership.role, membership.persona_id, membership.first_seq "
    "FROM {rows} JOIN account ON account.id = rows_.account_id "
    "LEFT JOIN membership ON membership.access_id = rows_.access_id AND membership.account_id = rows_.account_id",
    account_id="bigint",
    access_id="bigint",
)


class Stand(NamedTuple):
    """A standing, who the account is there, the oldest entry it may have as a member, and its `presence` setting.

    `came_at`: when it came by itself (ms); None for who is trusted from the start.
    """

    standing: Standing
    persona_id: int | None = None
    first_seq: int | None = None
    presence: str = "nobody"
    came_at: int | None = None

    def first(self, channel: ChannelRow) -> int:
        """The oldest seq of `channel` that this account may read. `first_seq` counts in the access channel alone."""
        own = self.first_seq if self.standing.state == "member" else None
        if own is not None and channel.id != channel.access_id:
            own = 1
        return first_readable(
            tail=channel.tail,
            open_from=channel.open_from,
            first_seq=own,
            head=channel.head,
            history=channel.history,
        )


STRANGER: Final = Stand(GUEST)


def read_standings(connection: sa.Connection, pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Stand]:
    """(account, access channel) → how it stands; an account that is gone or disabled stands as a guest."""
    wanted = list(set(pairs))
    if not wanted:
        return {}
    found = {}
    for row in _STANDINGS.run(connection, wanted):
        if row.account_state != "active":
            continue
        standing = Standing(row.hub_role, row.state or "none", row.role or "member")
        found[row.account_id, row.access_id] = Stand(standing, row.persona_id, row.first_seq, row.presence, row.came_at)
    return {pair: found.get(pair, STRANGER) for pair in wanted}


class Seat(NamedTuple):
    """A channel, and how somebody stands to it."""

    channel: ChannelRow
    stand: Stand


def read_seats(connection: sa.Connection, pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Seat]:
    """(account, channel) → both, for channels that exist; account 0 is a guest."""
    wanted = list(set(pairs))
    channels = read_channels(connection, {channel for _, channel in wanted})
    known = [(account, channels[channel]) for account, channel in wanted if channel in channels]
    standings = read_standings(connection, [(account, channel.access_id) for account, channel in known if account])
    return {
        (account, channel.id): Seat(channel, standings.get((account, channel.access_id), STRANGER))
        for account, channel in known
    }
