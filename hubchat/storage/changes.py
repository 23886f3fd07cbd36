"""What edits, deletions, reactions, pins and mentions do to rows that are there, each a batch in one statement."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa

from hubchat.storage.bulk import Bulk
from hubchat.storage.members import SHOWN


class Target(NamedTuple):
    """A message that something is done to."""

    kind: str
    author_id: int | None
    at: int
    text: str | None
    data: str | None
    rev: int | None
    edited_at: int | None
    is_deleted: bool
    is_pinned: bool


Key = tuple[int, int]
"""(channel, seq)."""

_TARGETS: Final = Bulk(
    "SELECT entry.channel_id, entry.seq, entry.kind, entry.author_id, entry.at, entry.text, entry.data, entry.rev, "
    "entry.edited_at, entry.deleted_at, entry.pinned_at FROM {rows} "
    "JOIN entry ON entry.channel_id = rows_.channel_id AND entry.seq = rows_.seq",
    channel_id="bigint",
    seq="bigint",
)
_EMOJI: Final = Bulk(
    "SELECT reaction.channel_id, reaction.seq, reaction.emoji, count(*) AS people FROM {rows} "
    "JOIN reaction ON reaction.channel_id = rows_.channel_id AND reaction.seq = rows_.seq "
    "GROUP BY reaction.channel_id, reaction.seq, reaction.emoji",
    channel_id="bigint",
    seq="bigint",
)
_REACTED: Final = Bulk(
    "SELECT reaction.channel_id, reaction.seq, reaction.emoji, reaction.persona_id FROM {rows} "
    "JOIN reaction ON reaction.channel_id = rows_.channel_id AND reaction.seq = rows_.seq "
    "AND reaction.emoji = rows_.emoji AND reaction.persona_id = rows_.persona_id",
    channel_id="bigint",
    seq="bigint",
    emoji="text",
    persona_id="bigint",
)
_KEEP: Final = Bulk(
    "INSERT INTO revision (channel_id, seq, no, at, text) SELECT channel_id, seq, no, at, text FROM {rows}",
    channel_id="bigint",
    seq="bigint",
    no="bigint",
    at="bigint",
    text="text",
)
_EDIT: Final = Bulk(
    "UPDATE entry SET text = rows_.text, data = rows_.data, edited_at = rows_.at FROM {rows} "
    "WHERE entry.channel_id = rows_.channel_id AND entry.seq = rows_.seq",
    channel_id="bigint",
    seq="bigint",
    text="text",
    data="text",
    at="bigint",
)
_EMPTY: Final = Bulk(
    "UPDATE entry SET text = NULL, data = NULL, lang = NULL, pinned_at = NULL, edited_at = NULL, "
    "deleted_at = rows_.at FROM {rows} WHERE entry.channel_id = rows_.channel_id AND entry.seq = rows_.seq",
    channel_id="bigint",
    seq="bigint",
    at="bigint",
)
_EMPTY_OTHERS: Final = tuple(
    Bulk(
        # IN, not EXISTS: for that SQLite reads the whole table, each time
        f"DELETE FROM {table} WHERE (channel_id, seq) IN (SELECT rows_.channel_id, rows_.seq FROM {{rows}})",
        channel_id="bigint",
        seq="bigint",
    )
    for table in ("revision", "reaction", "mention")
)
_PIN: Final = Bulk(
    "UPDATE entry SET pinned_at = rows_.at FROM {rows} "
    "WHERE entry.channel_id = rows_.channel_id AND entry.seq = rows_.seq",
    channel_id="bigint",
    seq="bigint",
    at="bigint",
)
_REVS: Final = Bulk(
    "UPDATE entry SET rev = rows_.rev FROM {rows} WHERE entry.channel_id = rows_.channel_id AND entry.seq = rows_.seq",
    channel_id="bigint",
    seq="bigint",
    rev="bigint",
)
_REACT: Final = Bulk(
    "INSERT INTO reaction (channel_id, seq, emoji, persona_id, at) "
    "SELECT channel_id, seq, emoji, persona_id, at FROM {rows}",
    channel_id="bigint",
    seq="bigint",
    emoji="text",
    persona_id="bigint",
    at="bigint",
)
_UNREACT: Final = Bulk(
    "DELETE FROM reaction WHERE (channel_id, seq, emoji, persona_id) IN "
    "(SELECT rows_.channel_id, rows_.seq, rows_.emoji, rows_.persona_id FROM {rows})",
    channel_id="bigint",
    seq="bigint",
    emoji="text",
    persona_id="bigint",
)
_HANDLES: Final = Bulk(
    "SELECT rows_.access_id, persona.handle, persona.id, persona.account_id, "
    f"{SHOWN} AS is_shown FROM {{rows}} "
    "JOIN persona ON persona.handle = rows_.handle AND persona.gone_at IS NULL "
    "JOIN membership ON membership.access_id = rows_.access_id AND membership.account_id = persona.account_id "
    "AND membership.state = 'member' JOIN channel ON channel.id = rows_.access_id",
    access_id="bigint",
    handle="text",
)
_MENTION: Final = Bulk(
    "INSERT INTO mention (channel_id, seq, account_id) SELECT channel_id, seq, account_id FROM {rows} "
    "WHERE true ON CONFLICT DO NOTHING",
    channel_id="bigint",
    seq="bigint",
    account_id="bigint",
)
_UNMENTION: Final = _EMPTY_OTHERS[2]


def read_targets(connection: sa.Connection, keys: Iterable[Key]) -> dict[Key, Target]:
    """The messages at these places, those that exist."""
    return {
        (row.channel_id, row.seq): Target(
            row.kind, row.author_id, row.at, row.text, row.data, row.rev, row.edited_at,
            row.deleted_at is not None, row.pinned_at is not None,
        )
        for row in _TARGETS.run(connection, list(keys))
    }  # fmt: skip


def read_emoji(connection: sa.Connection, keys: Iterable[Key]) -> dict[Key, dict[str, int]]:
    """Message → emoji → how many people."""
    found: dict[Key, dict[str, int]] = {}
    for row in _EMOJI.run(connection, list(keys)):
        found.setdefault((row.channel_id, row.seq), {})[row.emoji] = row.people
    return found


def read_reacted(
    connection: sa.Connection, wanted: Iterable[tuple[int, int, str, int]]
) -> set[tuple[int, int, str, int]]:
    """Those of (channel, seq, emoji, persona) that are there."""
    return {(row.channel_id, row.seq, row.emoji, row.persona_id) for row in _REACTED.run(connection, list(wanted))}


class Mentioned(NamedTuple):
    """A member that a text names. `is_shown`: others see them in the list of members anyhow."""

    persona: int
    account: int
    is_shown: bool


def read_mentioned(connection: sa.Connection, wanted: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Mentioned]:
    """(access channel, handle) → that member."""
    found = _HANDLES.run(connection, list(wanted))
    return {(row.access_id, row.handle): Mentioned(row.id, row.account_id, bool(row.is_shown)) for row in found}


def keep_revisions(connection: sa.Connection, rows: Sequence[tuple[int, int, int, int, str]]) -> None:
    """Keeps (channel, seq, no, at, text): what an edit replaces; `no` is the seq of the edit that replaced it."""
    _KEEP.run(connection, rows)


def replace_texts(connection: sa.Connection, rows: Sequence[tuple[int, int, str, str | None, int]]) -> None:
    """Sets (channel, seq, text, data, edited at)."""
    _EDIT.run(connection, rows)


def empty_messages(connection: sa.Connection, rows: Sequence[tuple[int, int, int]]) -> None:
    """Empties (channel, seq, at): text, revisions, reactions and mentions are gone."""
    _EMPTY.run(connection, rows)
    for other in _EMPTY_OTHERS:
        other.run(connection, [row[:2] for row in rows])


def set_pins(connection: sa.Connection, rows: Sequence[tuple[int, int, int | None]]) -> None:
    _PIN.run(connection, rows)


def set_revs(connection: sa.Connection, rows: Sequence[tuple[int, int, int]]) -> None:
    _REVS.run(connection, rows)


def add_reactions(connection: sa.Connection, rows: Sequence[tuple[int, int, str, int, int]]) -> None:
    _REACT.run(connection, rows)


def remove_reactions(connection: sa.Connection, rows: Sequence[tuple[int, int, str, int]]) -> None:
    _UNREACT.run(connection, rows)


def set_mentions(connection: sa.Connection, rows: Sequence[tuple[int, int, int]], anew: Sequence[Key]) -> None:
    """Notes whom messages name; those in `anew` named others before."""
    if anew:
        _UNMENTION.run(connection, anew)
    if rows:
        _MENTION.run(connection, rows)
