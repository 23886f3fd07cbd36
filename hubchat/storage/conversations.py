"""Conversations: one for each set of people, found by who they are."""

import hashlib
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple, TypeAlias

import sqlalchemy as sa

from hubchat.access import CONVERSATION
from hubchat.storage.bulk import Bulk
from hubchat.storage.channels import ChannelRow, insert_channel
from hubchat.storage.database import new_id, now_ms
from hubchat.storage.members import PERSON, Person, person_of, shown_as

Writing: TypeAlias = Literal["everyone", "shared", "nobody"]
"""Who may write to a member at once: everyone, who shares a group, or only whom they wrote to first."""


class Partner(NamedTuple):
    """Somebody to talk with. `writing`: who may begin."""

    account_id: int
    persona_id: int
    inbox_id: int
    writing: Writing = "shared"


_PARTNERS: Final = Bulk(
    "SELECT persona.account_id, persona.id, persona.inbox_id, account.writing FROM {rows} "
    "JOIN persona ON persona.handle = rows_.handle AND persona.gone_at IS NULL "
    "JOIN account ON account.id = persona.account_id AND account.state = 'active'",
    handle="text",
)
_SHARING: Final = Bulk(
    "SELECT DISTINCT theirs.account_id FROM {rows} "
    "JOIN membership AS theirs ON theirs.account_id = rows_.account_id AND theirs.state = 'member' "
    "JOIN channel ON channel.id = theirs.access_id AND channel.kind = 'group' "
    "JOIN membership AS mine ON mine.access_id = theirs.access_id AND mine.account_id = :account_id "
    f"AND mine.state = 'member' WHERE {shown_as('theirs')}",
    account_id="bigint",
)
_WAITING: Final = Bulk(
    "SELECT DISTINCT membership.account_id FROM {rows} "
    "JOIN membership ON membership.account_id = rows_.account_id AND membership.state IN ('invited', 'banned') "
    "AND membership.by = :account_id "
    "JOIN channel ON channel.id = membership.access_id AND channel.kind = 'conversation'",
    account_id="bigint",
)
_PEOPLE: Final = Bulk(
    f"SELECT membership.access_id, {PERSON} FROM {{rows}} "
    "JOIN membership ON membership.access_id = rows_.id "
    "JOIN persona ON persona.id = membership.persona_id JOIN account ON account.id = membership.account_id "
    "ORDER BY persona.handle",
    id="bigint",
)


def read_partners(connection: sa.Connection, handles: Iterable[str]) -> list[Partner]:
    """The people with these handles, those who are there."""
    rows = _PARTNERS.run(connection, [(handle,) for handle in set(handles)])
    return [Partner(row.account_id, row.id, row.inbox_id, row.writing) for row in rows]


def find_persona(connection: sa.Connection, handle: str) -> Partner | None:
    """Whoever has this handle, disabled or not."""
    query = sa.text(
        "SELECT persona.account_id, persona.id, persona.inbox_id FROM persona "
        "WHERE persona.handle = :handle AND persona.gone_at IS NULL"
    )
    row = connection.execute(query, {"handle": handle}).first()
    return None if row is None else Partner(*row)


def find_conversation(connection: sa.Connection, persona_ids: Iterable[int]) -> int | None:
    """The conversation of exactly these people."""
    query = sa.text("SELECT id FROM channel WHERE slug = :slug")
    found: int | None = connection.execute(query, {"slug": _address(persona_ids)}).scalar()
    return found


def insert_conversation(connection: sa.Connection, persona_ids: Iterable[int]) -> ChannelRow:
    """A new conversation of exactly these people, still without memberships."""
    return insert_channel(
        connection, id=new_id(), kind="conversation", presets=CONVERSATION, title="", slug=_address(persona_ids)
    )


def read_sharing(connection: sa.Connection, account_id: int, others: Iterable[int]) -> set[int]:
    """Those of the accounts `others` that are in a group with `account_id`, and shown there.

    Where anybody may join, joining is no leave to write to everyone else who did; nor a way to learn who did, from
    whom is in a conversation at once.
    """
    return {row.account_id for row in _SHARING.run(connection, [(id,) for id in others], account_id=account_id)}


def read_waiting(connection: sa.Connection, account_id: int, others: Iterable[int]) -> set[int]:
    """Those of the accounts `others` whom `account_id` has asked to a conversation, and who did not take it up."""
    return {row.account_id for row in _WAITING.run(connection, [(id,) for id in others], account_id=account_id)}


def read_asker(connection: sa.Connection, conversation_id: int, account_id: int) -> int | None:
    """The account that asked this one to a conversation."""
    query = sa.text("SELECT membership.by FROM membership WHERE access_id = :id AND account_id = :account_id")
    asker: int | None = connection.execute(query, {"id": conversation_id, "account_id": account_id}).scalar()
    return asker


def read_people(connection: sa.Connection, conversation_ids: Iterable[int]) -> dict[int, list[Person]]:
    """Conversation → all its people, by handle; whoever declined too, for nobody is told of that."""
    found: dict[int, list[Person]] = {}
    for row in _PEOPLE.run(connection, [(id,) for id in conversation_ids], now=now_ms()):
        found.setdefault(row.access_id, []).append(person_of(row))
    return found


def _address(persona_ids: Iterable[int]) -> str:
    """What makes a conversation one, in the unique column `slug`; no slug of a group looks like it.

    Made of personas, not accounts: two personas of one member must not meet in the same conversation, which
    would tell others that they are one. A hash, so that it has one length for 2 people and for 8.
    """
    people = ",".join(map(str, sorted(set(persona_ids))))
    return "~" + hashlib.sha256(people.encode()).hexdigest()
