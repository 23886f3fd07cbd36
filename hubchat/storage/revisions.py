"""What stands behind a message: its former texts, and who set which emoji."""

from typing import NamedTuple

import sqlalchemy as sa

from hubchat.storage.database import now_ms
from hubchat.storage.members import PERSON, Person, person_of


class RevisionRow(NamedTuple):
    """A text that an edit replaced; `at` is when it was written."""

    at: int
    text: str


class ReactionRow(NamedTuple):
    """Somebody's emoji; `at` is when it was set."""

    person: Person
    emoji: str
    at: int


def read_revisions(connection: sa.Connection, channel_id: int, seq: int) -> list[RevisionRow]:
    """The former texts of a message, oldest first."""
    rows = connection.execute(
        sa.text("SELECT at, text FROM revision WHERE channel_id = :id AND seq = :seq ORDER BY no"),
        {"id": channel_id, "seq": seq},
    )
    return [RevisionRow(row.at, row.text) for row in rows]


def read_reactions(connection: sa.Connection, channel_id: int, seq: int, *, limit: int, skip: int) -> list[ReactionRow]:
    """Who set which emoji on a message, by time: what is added comes at the end, so a page stays where it was."""
    rows = connection.execute(
        sa.text(
            f"SELECT {PERSON}, reaction.emoji, reaction.at FROM reaction "
            "JOIN persona ON persona.id = reaction.persona_id JOIN account ON account.id = persona.account_id "
            "WHERE reaction.channel_id = :id AND reaction.seq = :seq "
            "ORDER BY reaction.at, reaction.persona_id, reaction.emoji LIMIT :limit OFFSET :skip"
        ),
        {"id": channel_id, "seq": seq, "limit": limit, "skip": skip, "now": now_ms()},
    )
    return [ReactionRow(person_of(row), row.emoji, row.at) for row in rows]
