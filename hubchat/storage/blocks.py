"""Blocks: who wants to hear nothing from whom."""

from collections.abc import Iterable
from typing import Final, NamedTuple

import sqlalchemy as sa

from hubchat.access import MemberState
from hubchat.storage.bulk import Bulk
from hubchat.storage.database import now_ms
from hubchat.storage.members import PERSON, Person, person_of

_BLOCKING: Final = Bulk(
    "SELECT block.account_id FROM {rows} "
    "JOIN block ON block.account_id = rows_.account_id AND block.blocked_id = :account_id",
    account_id="bigint",
)
_BLOCKED: Final = Bulk(
    "SELECT block.blocked_id FROM {rows} "
    "JOIN block ON block.account_id = :account_id AND block.blocked_id = rows_.account_id",
    account_id="bigint",
)
_MINE: Final = sa.text(
    f"SELECT {PERSON}, block.at FROM block JOIN account ON account.id = block.blocked_id "
    "JOIN persona ON persona.account_id = account.id WHERE block.account_id = :account_id ORDER BY block.at, persona.id"
)
_SHUT: Final = sa.text(
    "SELECT 1 FROM membership JOIN block ON block.account_id = membership.account_id "
    "JOIN persona ON persona.id = :author AND persona.account_id = block.blocked_id "
    "WHERE membership.access_id = :inbox_id LIMIT 1"
)


class BlockedRow(NamedTuple):
    """Somebody who is blocked, and since when."""

    person: Person
    at: int


def put_block(connection: sa.Connection, account_id: int, blocked_id: int, was: MemberState | None, now: int) -> None:
    """`was` is how the one who blocks stood to the conversation of the two."""
    connection.execute(
        sa.text("INSERT INTO block (account_id, blocked_id, at, was) VALUES (:account_id, :blocked_id, :now, :was)"),
        {"account_id": account_id, "blocked_id": blocked_id, "now": now, "was": was},
    )


def delete_block(connection: sa.Connection, account_id: int, blocked_id: int) -> tuple[bool, MemberState | None]:
    """Whether there was a block, and how the one who had it stood to their conversation before."""
    query = sa.text("DELETE FROM block WHERE account_id = :account_id AND blocked_id = :blocked_id RETURNING block.was")
    row = connection.execute(query, {"account_id": account_id, "blocked_id": blocked_id}).first()
    return row is not None, row.was if row is not None else None


def count_blocks(connection: sa.Connection, account_id: int) -> int:
    query = sa.text("SELECT count(*) FROM block WHERE account_id = :account_id")
    return int(connection.execute(query, {"account_id": account_id}).scalar_one())


def read_blocks(connection: sa.Connection, account_id: int) -> list[BlockedRow]:
    """Everyone whom this account blocks, the earliest first."""
    rows = connection.execute(_MINE, {"account_id": account_id, "now": now_ms()})
    return [BlockedRow(person_of(row), row.at) for row in rows]


def read_blocking(connection: sa.Connection, account_id: int, others: Iterable[int]) -> set[int]:
    """Those of the accounts `others` that want to hear nothing from `account_id`."""
    return {row.account_id for row in _BLOCKING.run(connection, [(id,) for id in others], account_id=account_id)}


def read_blocked(connection: sa.Connection, account_id: int, others: Iterable[int]) -> set[int]:
    """Those of the accounts `others` from whom `account_id` wants to hear nothing."""
    return {row.blocked_id for row in _BLOCKED.run(connection, [(id,) for id in others], account_id=account_id)}


def is_shut(connection: sa.Connection, inbox_id: int, author: int) -> bool:
    """Whether the member with this inbox wants to hear nothing from the persona `author`."""
    return connection.execute(_SHUT, {"inbox_id": inbox_id, "author": author}).first() is not None


def delete_invitations_by(connection: sa.Connection, account_id: int, by: int) -> None:
    """Forgets the groups to which `by` invited this account."""
    connection.execute(
        sa.text(
            "DELETE FROM membership WHERE account_id = :account_id AND state = 'invited' AND membership.by = :by "
            "AND access_id IN (SELECT channel.id FROM channel WHERE channel.kind = 'group')"
        ),
        {"account_id": account_id, "by": by},
    )
