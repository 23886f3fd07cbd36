"""Entries: written and read in batches; what readers see is made here from rows, and only from rows."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import orjson
import sqlalchemy as sa

from hubchat.storage.bulk import Bulk
from hubchat.wire import CHANGE_KINDS, Entry

PEOPLE_SHOWN: Final = 20  # of a reaction: a message with 5,000 hearts must still fit a frame


class NewEntry(NamedTuple):
    """A row of `entry` as it is first written. `data` is JSON."""

    channel_id: int
    seq: int
    kind: str
    author_id: int | None
    at: int
    target_seq: int | None
    nonce: str | None
    lang: str | None
    text: str | None
    data: str | None


_INSERT: Final = Bulk(
    "INSERT INTO entry (channel_id, seq, kind, author_id, at, target_seq, nonce, lang, text, data) "
    "SELECT channel_id, seq, kind, author_id, at, target_seq, nonce, lang, text, data FROM {rows}",
    channel_id="bigint",
    seq="bigint",
    kind="text",
    author_id="bigint",
    at="bigint",
    target_seq="bigint",
    nonce="text",
    lang="text",
    text="text",
    data="text",
)
_BY_NONCE: Final = Bulk(
    "SELECT entry.channel_id, entry.author_id, entry.nonce, entry.seq, entry.at, entry.kind FROM {rows} "
    "JOIN entry ON entry.channel_id = rows_.channel_id AND entry.author_id = rows_.author_id "
    "AND entry.nonce = rows_.nonce",
    channel_id="bigint",
    author_id="bigint",
    nonce="text",
)

_SHOWN: Final = (
    "entry.channel_id, entry.seq, entry.kind, entry.author_id, entry.at, entry.text, entry.target_seq, entry.nonce, "
    "entry.lang, entry.data, entry.rev, entry.edited_at, entry.deleted_at, entry.pinned_at"
)
_BY_KEY: Final = Bulk(
    f"SELECT {_SHOWN} FROM {{rows}} JOIN entry ON entry.channel_id = rows_.channel_id AND entry.seq = rows_.seq",
    channel_id="bigint",
    seq="bigint",
)
_REACTIONS: Final = Bulk(
    "SELECT reaction.channel_id, reaction.seq, reaction.emoji, reaction.persona_id FROM {rows} JOIN reaction "
    "ON reaction.channel_id = rows_.channel_id AND reaction.seq = rows_.seq ORDER BY reaction.at, reaction.persona_id",
    channel_id="bigint",
    seq="bigint",
)


def insert_entries(connection: sa.Connection, rows: Sequence[NewEntry]) -> None:
    """Stores new entries of channels that this transaction has locked."""
    _INSERT.run(connection, rows)


def read_nonces(
    connection: sa.Connection, keys: Iterable[tuple[int, int, str]]
) -> dict[tuple[int, int, str], tuple[int, int]]:
    """(channel, author, nonce) → (seq, at) of what is stored already."""
    found = _BY_NONCE.run(connection, list(keys))
    return {(row.channel_id, row.author_id, row.nonce): (row.seq, row.at) for row in found}


def read_entries(connection: sa.Connection, keys: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Entry]:
    """(channel, seq) → the entry as readers see it now."""
    rows = list(_BY_KEY.run(connection, list(set(keys))))
    return {(entry.channel, entry.seq): entry for entry in shown(connection, rows)}


def read_range(connection: sa.Connection, channel_id: int, first: int, last: int, limit: int) -> list[Entry]:
    """Every entry from seq `first` to `last`, of any kind, oldest first, at most `limit`: what a replay sends."""
    rows = connection.execute(
        sa.text(
            f"SELECT {_SHOWN} FROM entry WHERE channel_id = :id AND seq BETWEEN :first AND :last "
            "ORDER BY seq LIMIT :limit"
        ),
        {"id": channel_id, "first": first, "last": last, "limit": limit},
    )
    return shown(connection, list(rows))


_PAGE: Final = (
    f"SELECT {_SHOWN} FROM entry WHERE channel_id = :id AND seq {{where}} AND kind NOT IN "
    f"({', '.join(repr(kind) for kind in CHANGE_KINDS)}) ORDER BY seq {{order}} LIMIT :limit"
)
_BEFORE: Final = sa.text(_PAGE.format(where="BETWEEN :first AND :edge", order="DESC"))
_AFTER: Final = sa.text(_PAGE.format(where="BETWEEN :edge AND :last", order="ASC"))


class Page(NamedTuple):
    """Entries that are shown, oldest first; `more`: there are further ones beyond the asked-for end."""

    entries: list[Entry]
    more: bool


def read_before(connection: sa.Connection, channel_id: int, *, first: int, before: int, limit: int) -> Page:
    """The newest `limit` shown entries with first ≤ seq < before."""
    rows = list(connection.execute(_BEFORE, {"id": channel_id, "first": first, "edge": before - 1, "limit": limit + 1}))
    return Page(shown(connection, rows[:limit][::-1]), len(rows) > limit)


def read_after(connection: sa.Connection, channel_id: int, *, after: int, last: int, limit: int) -> Page:
    """The oldest `limit` shown entries with after < seq ≤ last."""
    rows = list(connection.execute(_AFTER, {"id": channel_id, "edge": after + 1, "last": last, "limit": limit + 1}))
    return Page(shown(connection, rows[:limit]), len(rows) > limit)


_PINNED: Final = sa.text(
    f"SELECT {_SHOWN} FROM entry WHERE channel_id = :id AND seq >= :first AND pinned_at IS NOT NULL "
    "ORDER BY seq DESC LIMIT :limit"
)


def read_pinned(connection: sa.Connection, channel_id: int, *, first: int, limit: int) -> list[Entry]:
    """The newest `limit` pinned entries from seq `first` on, newest first."""
    return shown(connection, list(connection.execute(_PINNED, {"id": channel_id, "first": first, "limit": limit})))


def shown(connection: sa.Connection, rows: Sequence[Any]) -> list[Entry]:
    """Entries as readers see them, in the order of `rows`: texts of now, reactions counted, deleted ones empty.

    An edit shows its target's text of now, but not where that may be closed to some readers: in channels that
    show newcomers only what came since, and for targets older than `open_from`.
    """
    texts = _edited_texts(connection, rows)
    reactions = _reactions(connection, rows)
    made = []
    for row in rows:
        key = (row.channel_id, row.seq)
        entry = Entry(
            row.channel_id, row.seq, row.kind, row.author_id, row.at,
            rev=row.rev, deleted=row.deleted_at is not None,
        )  # fmt: skip
        if row.kind in CHANGE_KINDS:
            entry.target = row.target_seq
            entry.data = orjson.loads(row.data) if row.data else None
            entry.text = texts.get((row.channel_id, row.target_seq)) if row.kind == "edit" else None
        elif not entry.deleted:
            entry.text, entry.lang, entry.edited_at = row.text, row.lang, row.edited_at
            entry.pinned = row.pinned_at is not None
            entry.nonce = row.nonce if row.kind == "message" else None
            entry.data = orjson.loads(row.data) if row.data else None
            entry.reactions = reactions.get(key)
        made.append(entry)
    return made


_EDITED: Final = Bulk(
    "SELECT entry.channel_id, entry.seq, entry.text FROM {rows} "
    "JOIN entry ON entry.channel_id = rows_.channel_id AND entry.seq = rows_.seq "
    "JOIN channel ON channel.id = rows_.channel_id "
    "WHERE entry.deleted_at IS NULL AND channel.history = 'all' AND entry.seq >= channel.open_from",
    channel_id="bigint",
    seq="bigint",
)


def _edited_texts(connection: sa.Connection, rows: Sequence[Any]) -> dict[tuple[int, int], str]:
    targets = {(row.channel_id, row.target_seq) for row in rows if row.kind == "edit"}
    if not targets:
        return {}
    return {(row.channel_id, row.seq): row.text for row in _EDITED.run(connection, list(targets))}


def _reactions(connection: sa.Connection, rows: Sequence[Any]) -> dict[tuple[int, int], dict[str, dict[str, Any]]]:
    # Reactions set `rev`, so what was never changed needs no look
    changed = [(row.channel_id, row.seq) for row in rows if row.rev is not None and row.deleted_at is None]
    if not changed:
        return {}
    found: dict[tuple[int, int], dict[str, dict[str, Any]]] = {}
    for row in _REACTIONS.run(connection, changed):
        of_message = found.setdefault((row.channel_id, row.seq), {})
        reaction = of_message.setdefault(row.emoji, {"count": 0, "people": []})
        reaction["count"] += 1
        if len(reaction["people"]) < PEOPLE_SHOWN:
            reaction["people"].append(row.persona_id)
    return found
