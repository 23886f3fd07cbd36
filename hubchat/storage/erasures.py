"""What the database holds of an account, found and taken away some at a time; each statement may run again.

What becomes of each table stands in `belongings.py`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

import orjson
import sqlalchemy as sa

from hubchat.storage import reports
from hubchat.storage.bulk import Bulk
from hubchat.storage.database import Connection
from hubchat.storage.tables import HANDLE_LIKENESS

Messages = Literal["erase", "keep_without_name"]
ERASED: Final = "erased"  # an account's state from the moment on that its erasure was asked for
SOME: Final = 200  # of messages a transaction: about 10 ms, so that a room's other members hardly wait
WINDOW: Final = 2_000  # numbers of a channel that are looked through at once


class Erasure(NamedTuple):
    """An erasure that was asked for."""

    account_id: int
    messages: Messages
    handles: str
    asked_at: int
    done_at: int | None


class Trace(NamedTuple):
    """An entry of somebody's that there may be something to take away of. `data` is JSON."""

    seq: int
    kind: str
    target_seq: int | None
    data: str | None


class Traces(NamedTuple):
    """Some of somebody's entries in one channel, and after which seq to go on there."""

    channel_id: int
    rows: list[Trace]
    last: int


# ---------------------------------------------------------------- begun


def begin_erasure(
    connection: Connection, account_id: int, messages: Messages, gone: Mapping[str, int], now: int
) -> bool:
    """Empties account and personas and ends every sign-in; False where that was done before."""
    rows = connection.execute(
        sa.text(
            "UPDATE account SET state = :erased, role = 'member', email = NULL, email_confirmed_at = NULL, "
            "lang = NULL, presence = 'nobody', writing = 'nobody', findable = false, industry = false, kind = NULL, "
            "created_at = :now "
            "WHERE id = :id AND state <> :erased"
        ),
        {"id": account_id, "erased": ERASED, "now": now},
    )
    if not rows.rowcount:
        return False
    hashes: list[str] = []
    for row in connection.execute(
        sa.text(f"SELECT id, handle, {HANDLE_LIKENESS} AS likeness FROM persona WHERE account_id = :id"),
        {"id": account_id},
    ).all():
        hashes += [hash_handle(row.handle), hash_handle(row.likeness, likeness=True)]
        connection.execute(
            sa.text("UPDATE persona SET handle = :handle, name = '', about = NULL, gone_at = :now WHERE id = :id"),
            {"id": row.id, "handle": nobodys(row.id), "now": now},
        )
    keep_from_others(connection, hashes)
    for table in ("session", "token", "device", "link", "credential"):
        connection.execute(sa.text(f"DELETE FROM {table} WHERE account_id = :id"), {"id": account_id})
    connection.execute(
        sa.text(
            "INSERT INTO erasure (account_id, messages, handles, gone, asked_at) "
            "VALUES (:id, :messages, :handles, :gone, :now) "
            "ON CONFLICT (account_id) DO UPDATE SET done_at = NULL"
        ),
        {
            "id": account_id, "messages": messages, "handles": " ".join(hashes), "gone": orjson.dumps(gone).decode(),
            "now": now,
        },
    )  # fmt: skip
    return True


def nobodys(persona_id: int) -> str:
    """What stands where a handle stood; nobody can take one that begins like this."""
    return f"gone-{persona_id:x}"


def hash_handle(handle: str, *, likeness: bool = False) -> str:
    """Whoever has the database can still try out handles; what it keeps from them is a list to read."""
    return hashlib.sha256(f"hubchat {'likeness' if likeness else 'handle'} {handle}".encode()).hexdigest()


def keep_from_others(connection: Connection, hashes: Sequence[str]) -> None:
    """Nobody takes these handles any more."""
    query = sa.text("INSERT INTO former_handle (hash) VALUES (:hash) ON CONFLICT (hash) DO NOTHING")
    for one in hashes:
        connection.execute(query, {"hash": one})


def is_kept(connection: Connection, hashed: str) -> bool:
    query = sa.text("SELECT 1 FROM former_handle WHERE hash = :hash")
    return connection.execute(query, {"hash": hashed}).first() is not None


def read_erasure(connection: Connection, account_id: int) -> Erasure | None:
    query = sa.text("SELECT account_id, messages, handles, asked_at, done_at FROM erasure WHERE account_id = :id")
    row = connection.execute(query, {"id": account_id}).first()
    return None if row is None else Erasure(*row)


def read_personas(connection: Connection, account_id: int) -> list[int]:
    query = sa.text("SELECT id FROM persona WHERE account_id = :id ORDER BY id")
    return list(connection.execute(query, {"id": account_id}).scalars())


# ---------------------------------------------------------------- entries

_NEXT_CHANNEL: Final = sa.text(
    "SELECT channel.id, channel.head FROM channel WHERE channel.id >= :from AND channel.state <> 'deleted' "
    "AND EXISTS (SELECT 1 FROM entry WHERE entry.channel_id = channel.id AND entry.author_id = :persona) "
    "ORDER BY channel.id LIMIT 1"
)
_WINDOW: Final = sa.text(
    # + keeps both databases from sorting everything that a talkative member ever wrote there, each time
    "SELECT seq, kind, target_seq, data FROM entry WHERE channel_id = :channel AND seq > :after AND seq <= :last "
    "AND +author_id = :persona AND ("
    "(kind = 'message' AND deleted_at IS NULL AND (CAST(:erases AS boolean) OR EXISTS (SELECT 1 FROM revision "
    "WHERE revision.channel_id = entry.channel_id AND revision.seq = entry.seq))) "
    "OR (kind = 'reaction' AND EXISTS (SELECT 1 FROM reaction WHERE reaction.channel_id = entry.channel_id "
    "AND reaction.seq = entry.target_seq AND reaction.persona_id = :persona)) "
    "OR (kind = 'notice' AND CAST(:erases AS boolean) AND data LIKE '%\"word\"%')) ORDER BY seq LIMIT :limit"
)


def find_traces(
    connection: Connection, persona_id: int, messages: Messages, channel_id: int, after: int
) -> Traces | None:
    """The next of somebody's entries, from a place on, of which something is to go; None when there are none."""
    while channel := connection.execute(_NEXT_CHANNEL, {"from": channel_id, "persona": persona_id}).first():
        if channel.id != channel_id:
            channel_id, after = channel.id, 0
        while after < channel.head:
            keys = {
                "channel": channel_id, "after": after, "last": after + WINDOW, "persona": persona_id, "limit": SOME,
                "erases": messages == "erase",
            }  # fmt: skip
            rows = [Trace(*row) for row in connection.execute(_WINDOW, keys)]
            if rows:
                return Traces(channel_id, rows, rows[-1].seq)
            after += WINDOW
        channel_id, after = channel_id + 1, 0
    return None


_FORGET_NONCES: Final = Bulk(
    "UPDATE entry SET nonce = NULL FROM {rows} WHERE entry.channel_id = rows_.channel_id AND entry.seq = rows_.seq",
    channel_id="bigint",
    seq="bigint",
)
_FORGET_REVISIONS: Final = Bulk(
    "DELETE FROM revision WHERE (channel_id, seq) IN (SELECT rows_.channel_id, rows_.seq FROM {rows})",
    channel_id="bigint",
    seq="bigint",
)


def forget_nonces(connection: Connection, keys: Sequence[tuple[int, int]]) -> None:
    _FORGET_NONCES.run(connection, keys)


def forget_revisions(connection: Connection, keys: Sequence[tuple[int, int]]) -> None:
    _FORGET_REVISIONS.run(connection, keys)


# ---------------------------------------------------------------- belonging


class Orphan(NamedTuple):
    """A group that nobody else owns, and who is to own it; no heir where the hub has no moderator."""

    group_id: int
    account_id: int | None
    persona_id: int | None
    inbox_id: int | None
    is_member: bool


_ORPHANS: Final = sa.text(
    "SELECT mine.access_id, channel.title FROM membership AS mine JOIN channel ON channel.id = mine.access_id "
    "AND channel.kind = 'group' AND channel.state <> 'deleted' WHERE mine.account_id = :id AND mine.state = 'member' "
    "AND mine.role = 'owner' AND NOT EXISTS (SELECT 1 FROM membership AS other JOIN account "
    "ON account.id = other.account_id AND account.state = 'active' WHERE other.access_id = mine.access_id "
    "AND other.account_id <> mine.account_id AND other.state = 'member' AND other.role = 'owner') "
    "ORDER BY mine.access_id LIMIT :limit"
)
_HEIR_INSIDE: Final = sa.text(
    "SELECT membership.account_id, membership.persona_id, persona.inbox_id FROM membership "
    "JOIN persona ON persona.id = membership.persona_id AND persona.gone_at IS NULL "
    "JOIN account ON account.id = membership.account_id AND account.state = 'active' "
    "WHERE membership.access_id = :group AND membership.account_id <> :id AND membership.state = 'member' "
    "AND membership.role = 'moderator' ORDER BY membership.joined_at, membership.account_id LIMIT 1"
)
_HEIR_OF_THE_HUB: Final = sa.text(
    "SELECT account.id AS account_id, persona.id AS persona_id, persona.inbox_id, membership.state FROM account "
    "JOIN persona ON persona.account_id = account.id AND persona.gone_at IS NULL "
    "LEFT JOIN membership ON membership.access_id = :group AND membership.account_id = account.id "
    "WHERE account.role IN ('moderator', 'admin') AND account.state = 'active' AND account.id <> :id "
    "ORDER BY CASE account.role WHEN 'moderator' THEN 0 ELSE 1 END, account.created_at, account.id LIMIT 1"
)


def read_orphans(connection: Connection, account_id: int, limit: int) -> list[tuple[int, str]]:
    """The groups that this account alone owns: id and title."""
    return [(row.access_id, row.title) for row in connection.execute(_ORPHANS, {"id": account_id, "limit": limit})]


def read_orphan(connection: Connection, account_id: int, group_id: int) -> Orphan:
    """Who is to own the group: the moderator who is there longest, else the hub's."""
    keys = {"id": account_id, "group": group_id}
    if (row := connection.execute(_HEIR_INSIDE, keys).first()) is not None:
        return Orphan(group_id, row.account_id, row.persona_id, row.inbox_id, is_member=True)
    if (row := connection.execute(_HEIR_OF_THE_HUB, keys).first()) is not None:
        return Orphan(group_id, row.account_id, row.persona_id, row.inbox_id, is_member=row.state == "member")
    return Orphan(group_id, None, None, None, is_member=False)


def read_belonging(connection: Connection, account_id: int) -> tuple[int, str, str] | None:
    """The next channel that the account belongs to still, with its kind and how it stands there."""
    query = sa.text(
        "SELECT membership.access_id, channel.kind, membership.state FROM membership "
        "JOIN channel ON channel.id = membership.access_id WHERE membership.account_id = :id "
        "AND channel.kind IN ('group', 'conversation') AND (channel.kind = 'group' OR membership.state <> 'banned' "
        "OR membership.word IS NOT NULL OR membership.joined_at > 0) ORDER BY membership.access_id LIMIT 1"
    )
    row = connection.execute(query, {"id": account_id}).first()
    return None if row is None else (row.access_id, row.kind, row.state)


def stay_nameless(connection: Connection, access_id: int, account_id: int) -> None:
    """In a conversation: that somebody was there, and nothing more."""
    query = (
        "UPDATE membership SET state = 'banned', role = 'member', joined_at = 0, first_seq = 1, word = NULL, "
        "by = NULL, listed = false WHERE access_id = :access_id AND account_id = :id"
    )
    connection.execute(sa.text(query), {"access_id": access_id, "id": account_id})


# ---------------------------------------------------------------- the rest


def forget_mentions(connection: Connection, account_id: int) -> bool:
    """Deletes some; False when none are left."""
    query = sa.text("SELECT channel_id, seq FROM mention WHERE account_id = :id ORDER BY channel_id, seq LIMIT :some")
    rows = connection.execute(query, {"id": account_id, "some": SOME * 5}).all()
    if rows:
        _FORGET_MENTIONS.run(connection, [tuple(row) for row in rows], account_id=account_id)
    return bool(rows)


_FORGET_MENTIONS: Final = Bulk(
    "DELETE FROM mention WHERE account_id = :account_id "
    "AND (channel_id, seq) IN (SELECT rows_.channel_id, rows_.seq FROM {rows})",
    channel_id="bigint",
    seq="bigint",
)
_REST: Final = (
    "DELETE FROM reading WHERE account_id = :id",
    "DELETE FROM invite WHERE invite.by = :id",
    "DELETE FROM block WHERE account_id = :id OR blocked_id = :id",
    "DELETE FROM consent WHERE account_id = :id",
    "DELETE FROM attestation WHERE account_id = :id",
    "DELETE FROM idempotency WHERE account_id = :id",
    "DELETE FROM newcomer WHERE account_id = :id",
    "DELETE FROM pace WHERE account_id = :id",
    "UPDATE channel SET state = 'deleted' WHERE kind = 'inbox' AND id IN "
    "(SELECT inbox_id FROM persona WHERE account_id = :id)",
    "DELETE FROM membership WHERE account_id = :id AND access_id IN "
    "(SELECT inbox_id FROM persona WHERE account_id = :id)",
    "UPDATE membership SET by = NULL WHERE membership.by = :id",
)


def forget_rest(connection: Connection, account_id: int) -> None:
    """Deletes all that hangs on the account by itself; `groups.purge` empties the inboxes afterwards."""
    for statement in _REST:
        connection.execute(sa.text(statement), {"id": account_id})
    reports.erase_reports(connection, account_id)
    for persona_id in read_personas(connection, account_id):
        # An answer that showed them may be kept for whoever repeats their request
        told = sa.text("DELETE FROM idempotency WHERE answer LIKE :told")
        connection.execute(told, {"told": f'%"id":{persona_id},%'})


def end_erasure(connection: Connection, account_id: int, now: int) -> bool:
    """It is done; False where it was before."""
    query = sa.text("UPDATE erasure SET done_at = :now WHERE account_id = :id AND done_at IS NULL")
    return bool(connection.execute(query, {"id": account_id, "now": now}).rowcount)


def is_finished(connection: Connection, account_id: int) -> bool:
    """Whether nothing is left but what stays."""
    found = read_erasure(connection, account_id)
    return found is None or found.done_at is not None
