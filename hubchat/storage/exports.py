"""All that the database holds of one account, as its owner may have it: a page at a time, of one moment.

Nobody else's words are in it: what a message answers is a number, what others set on it a count.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson
import sqlalchemy as sa

from hubchat.access import can
from hubchat.storage.bulk import Bulk
from hubchat.storage.channels import read_channels
from hubchat.storage.conversations import read_people
from hubchat.storage.database import Connection
from hubchat.storage.erasures import WINDOW
from hubchat.storage.standings import read_standings

Row = dict[str, Any]
PAGE: Final = 500

ONE: Final[Mapping[str, str]] = {
    "account": "SELECT role, state, email, email_confirmed_at, lang, presence, findable, industry, kind, bot, "
    "created_at FROM account WHERE id = :id",
    "ways_to_sign_in": "SELECT (SELECT count(*) FROM credential WHERE account_id = :id AND kind = 'password') "
    "AS passwords, (SELECT count(*) FROM credential WHERE account_id = :id AND kind = 'recovery' "
    "AND used_at IS NULL) AS recovery_codes, (SELECT count(*) FROM device WHERE account_id = :id) AS known_browsers",
}
LISTS: Final[Mapping[str, str]] = {
    "personas": "SELECT id, handle, name, about, created_at FROM persona WHERE account_id = :id ORDER BY created_at",
    "badges": "SELECT kind, how, at, until FROM attestation WHERE account_id = :id ORDER BY at",
    "consents": "SELECT what, version, at, withdrawn_at FROM consent WHERE account_id = :id ORDER BY at, what",
    "sessions": "SELECT agent AS device, created_at, used_at, confirmed_at FROM session WHERE account_id = :id "
    "ORDER BY created_at",
    "tokens": "SELECT name, scopes, created_at, used_at, expires_at FROM token WHERE account_id = :id "
    "ORDER BY created_at",
    "reports": "SELECT channel_id AS channel, seq, persona.handle AS person, reason, text, report.at, decision, word "
    "FROM report LEFT JOIN persona ON persona.id = report.persona_id WHERE reporter_id = :id ORDER BY report.at",
    "blocks": "SELECT persona.handle, block.at FROM block JOIN persona ON persona.account_id = block.blocked_id "
    "WHERE block.account_id = :id ORDER BY block.at, persona.handle",
    "invitations": "SELECT access_id AS channel, uses_left, created_at, expires_at FROM invite "
    "WHERE invite.by = :id ORDER BY created_at",
}
"""What is short by its own bounds; the rest comes in pages."""

_MEMBERSHIPS: Final = sa.text(
    "SELECT membership.access_id AS channel, membership.state, membership.role, membership.joined_at, "
    "membership.listed, membership.word FROM membership JOIN channel "
    "ON channel.id = membership.access_id AND channel.kind IN ('group', 'conversation') "
    "WHERE membership.account_id = :id AND membership.access_id > :after ORDER BY membership.access_id LIMIT :limit"
)
_READINGS: Final = sa.text(
    "SELECT channel_id AS channel, read_seq, notify, follow FROM reading WHERE account_id = :id "
    "AND channel_id > :after ORDER BY channel_id LIMIT :limit"
)
_CHANNELS: Final = sa.text(
    "SELECT channel.id AS channel, persona.id AS persona_id, channel.head FROM channel JOIN persona "
    "ON persona.account_id = :id WHERE channel.id > :after AND channel.state <> 'deleted' AND EXISTS (SELECT 1 "
    "FROM entry WHERE entry.channel_id = channel.id AND entry.author_id = persona.id) "
    "ORDER BY channel.id, persona.id LIMIT :limit"
)
_OWN: Final = sa.text(
    "SELECT seq, at, text, lang, target_seq, edited_at, rev, data FROM entry WHERE channel_id = :channel "
    "AND seq > :after AND seq <= :last AND +author_id = :persona AND kind = 'message' AND deleted_at IS NULL "
    "ORDER BY seq"
)
_NOTICES: Final = sa.text(
    "SELECT entry.seq, entry.at, entry.data FROM persona JOIN entry ON entry.channel_id = persona.inbox_id "
    "AND entry.kind = 'notice' AND entry.deleted_at IS NULL WHERE persona.account_id = :id AND entry.seq > :after "
    "ORDER BY entry.seq LIMIT :limit"
)
_FORMER: Final = Bulk(
    "SELECT revision.seq, revision.at, revision.text FROM {rows} JOIN revision "
    "ON revision.channel_id = rows_.channel_id AND revision.seq = rows_.seq ORDER BY revision.seq, revision.no",
    channel_id="bigint",
    seq="bigint",
)
_COUNTED: Final = Bulk(
    "SELECT reaction.seq, reaction.emoji, count(*) AS people FROM {rows} JOIN reaction "
    "ON reaction.channel_id = rows_.channel_id AND reaction.seq = rows_.seq GROUP BY reaction.seq, reaction.emoji",
    channel_id="bigint",
    seq="bigint",
)
_MARKS: Final = sa.text(
    "SELECT DISTINCT reaction.seq, reaction.emoji, reaction.at FROM entry JOIN reaction "
    "ON reaction.channel_id = entry.channel_id AND reaction.seq = entry.target_seq AND reaction.persona_id = :persona "
    "WHERE entry.channel_id = :channel AND entry.seq > :after AND entry.seq <= :last AND +entry.author_id = :persona "
    "AND entry.kind = 'reaction' ORDER BY reaction.seq, reaction.emoji"
)


def begin_export(connection: Connection) -> None:
    """Sees the database from here on as it is now, whoever writes meanwhile."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))


def read_one(connection: Connection, name: str, account_id: int) -> Row:
    return dict(connection.execute(sa.text(ONE[name]), {"id": account_id}).mappings().one())


def read_list(connection: Connection, name: str, account_id: int) -> list[Row]:
    return [dict(row) for row in connection.execute(sa.text(LISTS[name]), {"id": account_id}).mappings()]


def read_memberships(connection: Connection, account_id: int) -> Iterator[Row]:
    """Groups and conversations, with their names as far as the member sees them, and with whom a conversation is."""
    for page in _pages(connection, _MEMBERSHIPS, account_id):
        named = _names(connection, account_id, [row["channel"] for row in page])
        yield from ({**row, **named[row["channel"]]} for row in page)


def read_readings(connection: Connection, account_id: int) -> Iterator[Row]:
    for page in _pages(connection, _READINGS, account_id):
        yield from page


def read_notices(connection: Connection, account_id: int) -> Iterator[Row]:
    """What the member was told of, without what moderators wrote to it."""
    for page in _pages(connection, _NOTICES, account_id, key="seq"):
        for row in page:
            data = orjson.loads(row["data"] or "{}")
            yield {"at": row["at"], "reason": data.get("reason"), "about": data.get("about")}


def read_messages(connection: Connection, account_id: int) -> Iterator[Row]:
    """Own messages, a channel after the other: with former texts, and counts of what others set on them."""
    for channel in _own_channels(connection, account_id):
        yield from _own(connection, channel)


def read_marks(connection: Connection, account_id: int) -> Iterator[Row]:
    """Own reactions."""
    for channel in _own_channels(connection, account_id):
        for keys in _windows(channel):
            for row in connection.execute(_MARKS, keys).mappings():
                yield {"channel": channel["channel"], **row}


def _own(connection: Connection, channel: Row) -> Iterator[Row]:
    id = channel["channel"]
    for keys in _windows(channel):
        rows = [dict(row) for row in connection.execute(_OWN, keys).mappings()]
        places = [(id, row["seq"]) for row in rows if row["rev"] is not None]
        former: dict[int, list[Row]] = {}
        counted: dict[int, Row] = {}
        if places:
            for found in _FORMER.run(connection, places):
                former.setdefault(found.seq, []).append({"at": found.at, "text": found.text})
        if places and channel["readable"]:
            for found in _COUNTED.run(connection, places):
                counted.setdefault(found.seq, {})[found.emoji] = found.people
        for row in rows:
            yield {
                "channel": id, "kind": channel["kind"], "title": channel["title"], "with": channel["with"],
                "seq": row["seq"], "at": row["at"], "text": row["text"], "lang": row["lang"],
                "reply_to": row["target_seq"], "edited_at": row["edited_at"], "former": former.get(row["seq"], []),
                "reactions": counted.get(row["seq"], {}),
            }  # fmt: skip


def _own_channels(connection: Connection, account_id: int) -> Iterator[Row]:
    """Where the member wrote or set something; whole pages of one channel, for each persona."""
    for page in _pages(connection, _CHANNELS, account_id):
        named = _names(connection, account_id, [row["channel"] for row in page])
        yield from ({**row, **named[row["channel"]]} for row in page)


def _windows(channel: Row) -> Iterator[Row]:
    for after in range(0, channel["head"], WINDOW):
        yield {
            "channel": channel["channel"], "persona": channel["persona_id"], "after": after, "last": after + WINDOW,
        }  # fmt: skip


def _pages(connection: Connection, query: sa.TextClause, account_id: int, key: str = "channel") -> Iterator[list[Row]]:
    after = 0
    while True:
        found = connection.execute(query, {"id": account_id, "after": after, "limit": PAGE}).mappings()
        if not (page := [dict(row) for row in found]):
            return
        yield page
        after = page[-1][key]


def _names(connection: Connection, account_id: int, ids: list[int]) -> dict[int, Row]:
    """What channels are called, where the member sees them still; and whether what others do there may be counted."""
    channels = read_channels(connection, ids)
    stands = read_standings(connection, [(account_id, channel.access_id) for channel in channels.values()])
    people = read_people(connection, [id for id in ids if channels[id].kind == "conversation"])
    named = {}
    for id, channel in channels.items():
        standing = stands[account_id, channel.access_id].standing
        sees, reads = (can(action, standing, channel.place) for action in ("see", "read"))
        named[id] = {
            "kind": channel.kind,
            "title": (channel.title or None) if sees or reads else None,
            "with": [one.handle for one in people.get(id, []) if not one.gone] if sees or reads else [],
            "readable": reads,
        }
    return named
