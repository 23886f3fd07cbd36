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
    "SELECT rows_.channel_id, rows_.account_id, rows_.author_id FROM {rows} LEFT JOIN reading "
    "ON reading.channel_id = rows_.channel_id AND reading.account_id = rows_.account_id "
    "WHERE reading.notify = 'none' OR EXISTS (SELECT 1 FROM block "
    "WHERE block.account_id = rows_.account_id AND block.blocked_id = rows_.author_id)",
    channel_id="bigint",
    account_id="bigint",
    author_id="bigint",
)


def read_by_handle(connection: sa.Connection, handles: Iterable[str]) -> dict[str, Addressee]:
    """Handle → who has it now."""
    found = _BY_HANDLE.run(connection, [(handle,) for handle in handles])
    return {row.handle: Addressee(row.account_id, row.inbox_id) for row in found}


def read_authors(connection: sa.Connection, keys: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Addressee]:
    """(channel, seq) → who wrote what is there."""
    found = _AUTHORS.run(connection, list(keys))
    return {(row.channel_id, row.seq): Addressee(row.account_id, row.inbox_id) for row in found}


def read_silent(connection: sa.Connection, wanted: Iterable[tuple[int, int, int]]) -> set[tuple[int, int, int]]:
    """Of (channel, account, author's account), those where the account is told of nothing: there, or from them."""
    return {(row.channel_id, row.account_id, row.author_id) for row in _SILENT.run(connection, list(wanted))}
