"""Whom a message speaks to: by handle, as the author that it answers, and where each is told."""

from collections.abc import Iterable
from typing import Final, NamedTuple

import sqlalchemy as sa

from hubchat.storage.bulk import Bulk


class Addressee(NamedTuple):
    """An account, and the inbox in which it is told."""

    account: int
    inbox: int


_BY_HANDLE: Final = Bulk(
    "SELECT persona.handle, persona.account_id, persona.inbox_id FROM {rows} "
    "JOIN persona ON persona.handle = rows_.handle AND persona.gone_at IS NULL",
    handle="text",
)
_AUTHORS: Final = Bulk(
    "SELECT entry.channel_id, entry.seq, persona.account_id, persona.inbox_id FROM {rows} "
    "JOIN entry ON entry.channel_id = rows_.channel_id AND entry.seq = rows_.seq "
    "JOIN persona ON persona.id = entry.author_id AND persona.gone_at IS NULL",
    channel_id="bigint",
    seq="bigint",
)
_SILENT: Final = Bulk(
    "SELECT reading.channel_id, reading.account_id FROM {rows} JOIN reading "
    "ON reading.channel_id = rows_.channel_id AND reading.account_id = rows_.account_id AND reading.notify = 'none'",
    channel_id="bigint",
    account_id="bigint",
)


def read_by_handle(connection: sa.Connection, handles: Iterable[str]) -> dict[str, Addressee]:
    """Handle → who has it now."""
    found = _BY_HANDLE.run(connection, [(handle,) for handle in handles])
    return {row.handle: Addressee(row.account_id, row.inbox_id) for row in found}


def read_authors(connection: sa.Connection, keys: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Addressee]:
    """(channel, seq) → who wrote what is there."""
    found = _AUTHORS.run(connection, list(keys))
    return {(row.channel_id, row.seq): Addressee(row.account_id, row.inbox_id) for row in found}


def read_silent(connection: sa.Connection, pairs: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Of (channel, account), those where the account wants to be told of nothing."""
    return {(row.channel_id, row.account_id) for row in _SILENT.run(connection, list(pairs))}
