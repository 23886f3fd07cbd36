"""What the database holds of an account: table by table, and how much.

`TABLES` says of every table what an erasure does to it and whether an export has it; tests hold it to all tables that
there are, and to what is done.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import sqlalchemy as sa

from hubchat.storage.database import Connection


class Fate(NamedTuple):
    """What becomes of a table's rows of somebody at their erasure, and in which file of their export they are."""

    erased: str
    exported: str | None


TABLES: Final[Mapping[str, Fate]] = {
    "account": Fate("emptied; the row stays, for the persona that hangs on it", "account.json"),
    "persona": Fate("emptied of name, handle and words; the row stays, for what others see beside it", "account.json"),
    "credential": Fate("deleted at once", "sessions.json"),
    "session": Fate("deleted at once", "sessions.json"),
    "device": Fate("deleted at once", "sessions.json"),
    "token": Fate("deleted at once", "sessions.json"),
    "link": Fate("deleted at once", None),
    "consent": Fate("deleted", "consents.json"),
    "attestation": Fate("deleted", "account.json"),
    "block": Fate("deleted, of them and by them", "blocks.json"),
    "membership": Fate("deleted; of a conversation a row without words stays: with whom it was", "memberships.json"),
    "reading": Fate("deleted", "memberships.json"),
    "invite": Fate("deleted", "memberships.json"),
    "mention": Fate("deleted, of them and in their messages", None),
    "entry": Fate("messages emptied, with a `delete` for every reader; the inbox deleted", "messages.json"),
    "revision": Fate("deleted", "messages.json"),
    "reaction": Fate("deleted, with a `reaction` for every reader", "reactions.json"),
    "idempotency": Fate("deleted, and others' that show them", None),
    "channel": Fate("the inbox deleted; groups pass on", None),
    "alias": Fate("is of groups", None),
    "report": Fate("deleted, of them and by them", "reports.json"),
    "report_line": Fate("emptied of their words, also in reports of others", None),
    "newcomer": Fate("deleted", None),
    "pace": Fate("deleted", None),
    "fulltext": Fate("follows the log: taken out of the index with each `delete`", None),
    "fulltext_at": Fate("is of channels", None),
    "audit": Fate("stays: ids alone", None),
    "erasure": Fate("says that it was done: ids and numbers alone", None),
    "former_handle": Fate("keeps the handle from others, as a hash", None),
    "job": Fate("stays: ids alone", None),
    "policy": Fate("is the hub's", None),
    "hub": Fate("is the hub's", None),
    "node": Fate("is the hub's", None),
}

_COUNTS: Final[Mapping[str, str]] = {
    "messages": "SELECT count(*) FROM persona CROSS JOIN channel JOIN entry ON entry.channel_id = channel.id "
    "AND entry.author_id = persona.id AND entry.kind = 'message' AND entry.deleted_at IS NULL "
    "WHERE persona.account_id = :id",
    "former_texts": "SELECT count(*) FROM persona CROSS JOIN channel JOIN entry ON entry.channel_id = channel.id "
    "AND entry.author_id = persona.id AND entry.kind = 'message' JOIN revision "
    "ON revision.channel_id = entry.channel_id AND revision.seq = entry.seq WHERE persona.account_id = :id",
    "reactions": "SELECT count(*) FROM (SELECT DISTINCT reaction.channel_id, reaction.seq, reaction.emoji "
    "FROM persona CROSS JOIN channel JOIN entry ON entry.channel_id = channel.id AND entry.author_id = persona.id "
    "AND entry.kind = 'reaction' JOIN reaction ON reaction.channel_id = entry.channel_id "
    "AND reaction.seq = entry.target_seq AND reaction.persona_id = persona.id "
    "WHERE persona.account_id = :id) AS mine",
    "groups": "SELECT count(*) FROM membership JOIN channel ON channel.id = membership.access_id "
    "AND channel.kind = 'group' WHERE account_id = :id AND membership.state = 'member'",
    "conversations": "SELECT count(*) FROM membership JOIN channel ON channel.id = membership.access_id "
    "AND channel.kind = 'conversation' WHERE account_id = :id",
    "mentions": "SELECT count(*) FROM mention WHERE account_id = :id",
    "sessions": "SELECT count(*) FROM session WHERE account_id = :id",
    "tokens": "SELECT count(*) FROM token WHERE account_id = :id",
    "blocks": "SELECT count(*) FROM block WHERE account_id = :id",
    "invitations": "SELECT count(*) FROM invite WHERE invite.by = :id",
}


def count_things(connection: Connection, account_id: int) -> dict[str, int]:
    """How many of what there is of an account, by words that a client translates."""
    return {
        name: int(connection.execute(sa.text(query), {"id": account_id}).scalar_one())
        for name, query in _COUNTS.items()
    }
