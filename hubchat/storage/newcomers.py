"""What accounts that came by themselves did on their first day, and how fast members write where they are slowed."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import sqlalchemy as sa

from hubchat.storage.bulk import Bulk

NEWCOMER_MS: Final = 86_400_000  # a day
LONGEST_PACE_MS: Final = 3_600_000  # the longest pause between two messages that a group may ask for


class Counted(NamedTuple):
    """Messages sent and conversations begun."""

    messages: int = 0
    conversations: int = 0


_READ: Final = Bulk(
    "SELECT newcomer.account_id, newcomer.messages, newcomer.conversations FROM {rows} "
    "JOIN newcomer ON newcomer.account_id = rows_.id",
    id="bigint",
)
_ADD: Final = Bulk(
    "INSERT INTO newcomer (account_id, messages, conversations, at) "
    "SELECT rows_.id, rows_.messages, rows_.conversations, rows_.at FROM {rows} WHERE true "
    "ON CONFLICT (account_id) DO UPDATE SET messages = newcomer.messages + excluded.messages, "
    "conversations = newcomer.conversations + excluded.conversations",
    id="bigint",
    messages="bigint",
    conversations="bigint",
    at="bigint",
)
_PACES: Final = Bulk(
    "SELECT pace.channel_id, pace.account_id, pace.at FROM {rows} "
    "JOIN pace ON pace.channel_id = rows_.channel_id AND pace.account_id = rows_.account_id",
    channel_id="bigint",
    account_id="bigint",
)
_SET_PACES: Final = Bulk(
    "INSERT INTO pace (channel_id, account_id, at) SELECT rows_.channel_id, rows_.account_id, rows_.at FROM {rows} "
    "WHERE true ON CONFLICT (channel_id, account_id) DO UPDATE SET at = excluded.at",
    channel_id="bigint",
    account_id="bigint",
    at="bigint",
)


def read_counted(connection: sa.Connection, accounts: Iterable[int]) -> dict[int, Counted]:
    """Account → what it did so far; those that did nothing are left out."""
    found = _READ.run(connection, [(account,) for account in accounts])
    return {row.account_id: Counted(row.messages, row.conversations) for row in found}


def add_counted(connection: sa.Connection, done: Mapping[int, Counted], now: int) -> None:
    """Adds to what these accounts did."""
    _ADD.run(connection, sorted((account, *counted, now) for account, counted in done.items()))


def read_paces(connection: sa.Connection, wanted: Iterable[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """(channel, account) → when it last wrote there."""
    found = _PACES.run(connection, list(wanted))
    return {(row.channel_id, row.account_id): row.at for row in found}


def set_paces(connection: sa.Connection, paces: Mapping[tuple[int, int], int]) -> None:
    _SET_PACES.run(connection, sorted((*key, at) for key, at in paces.items()))


def forget_old(connection: sa.Connection, now: int) -> None:
    """Forgets what limits nobody any more."""
    connection.execute(sa.text("DELETE FROM newcomer WHERE at < :before"), {"before": now - NEWCOMER_MS})
    connection.execute(sa.text("DELETE FROM pace WHERE at < :before"), {"before": now - LONGEST_PACE_MS})
