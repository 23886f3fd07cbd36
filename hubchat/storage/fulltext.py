"""The index of members' texts: FTS5 on SQLite, tsvector under GIN on PostgreSQL, behind one interface.

Both get words that `words.py` has made, and marks, which no word looks like: of the channel, of the author, of links.
`id` orders texts by their time: newest first is then the order in which the index is read. What is found here may be
old or not for whoever asks: `storage/search.py` holds it against the entries and rights of now.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol

import sqlalchemy as sa

from hubchat.sought import Term
from hubchat.storage.bulk import Bulk

ID_BITS: Final = 10
"""An id is a time (ms) and this many bits of the seq; who comes to a taken one takes the next."""
NO_END: Final = 2**62  # above every id
MARKED: Final = 256
"""Channels that are looked for by their marks, inside the index; of more the index's finds are sieved: each mark is a
list to be opened, and who may read so many may read most of what is found."""
WALKED: Final = 2_000
"""Newest texts that PostgreSQL looks through before it asks GIN, which knows neither order nor places of words (some
4 ms): what many texts have fills a page from these, and need not all be sorted."""
WALKED_FAR: Final = 25_000
"""So many where the first ones promise that a page is full by then (some 50 ms); what is rarer is for GIN, which then
finds about one text in a thousand at most."""
MERGED_PAGES: Final = 64  # of SQLite's index at once: some ms


class Doc(NamedTuple):
    """A text as the index holds it: folded words in their order."""

    channel_id: int
    seq: int
    at: int
    words: Sequence[str]
    marks: Sequence[str]


class Wanted(NamedTuple):
    """What is looked for: all terms; of any of these personas and in any of these channels, None where any will do."""

    terms: Sequence[Term] = ()
    authors: frozenset[int] | None = None
    channels: frozenset[int] | None = None
    with_link: bool = False


class Hit(NamedTuple):
    """A text that the index names."""

    id: int
    channel_id: int
    seq: int


def channel_mark(channel_id: int) -> str:
    return f"#c{channel_id}"


def author_mark(persona_id: int) -> str:
    return f"#a{persona_id}"


LINK: Final = "#link"


def id_from(at: int) -> int:
    """The smallest id of a text written at this time."""
    return at << ID_BITS


class Fulltext(Protocol):
    """What both do. Whoever writes has locked the channels concerned."""

    def put(self, connection: sa.Connection, docs: Sequence[Doc]) -> None:
        """Puts texts into the index, in place of what it has of them."""

    def drop(self, connection: sa.Connection, ids: Sequence[int]) -> None:
        """Takes texts out of it."""

    def seek(self, connection: sa.Connection, wanted: Wanted, *, above: int, below: int, limit: int) -> list[Hit]:
        """The newest `limit` texts with above ≤ id < below, newest first."""

    def empty(self, connection: sa.Connection) -> None:
        """Forgets everything, whatever state it is in."""

    def merge(self, connection: sa.Connection, *, begin: bool) -> bool:
        """Some work towards leaving no word in it that no text has; whether there is more to do."""


def fulltext_of(connection: sa.Connection) -> Fulltext:
    """The index that this database has."""
    return _LITE if connection.dialect.name == "sqlite" else _POST


# ---------------------------------------------------------------- what both share

_FIND: Final = Bulk(
    "SELECT fulltext.id, fulltext.channel_id, fulltext.seq FROM {rows} "
    "JOIN fulltext ON fulltext.channel_id = rows_.channel_id AND fulltext.seq = rows_.seq",
    channel_id="bigint",
    seq="bigint",
)
_TAKEN: Final = Bulk("SELECT fulltext.id FROM {rows} JOIN fulltext ON fulltext.id = rows_.id", id="bigint")
_FORGET: Final = Bulk("DELETE FROM fulltext WHERE id IN (SELECT id FROM {rows})", id="bigint")
_LIST: Final = (
    "SELECT id, channel_id, seq FROM fulltext WHERE id >= :above AND id < :below {channels}"
    "ORDER BY id DESC LIMIT :limit"
)


def find_docs(connection: sa.Connection, keys: Iterable[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """(channel, seq) → id, of those that are in the index."""
    return {(row.channel_id, row.seq): row.id for row in _FIND.run(connection, list(keys))}


def find_below(connection: sa.Connection, channel_id: int, seq: int, limit: int) -> list[int]:
    """Ids of a channel's texts before `seq`, at most `limit`."""
    rows = connection.execute(
        sa.text("SELECT id FROM fulltext WHERE channel_id = :channel AND seq < :seq ORDER BY seq LIMIT :limit"),
        {"channel": channel_id, "seq": seq, "limit": limit},
    )
    return [row.id for row in rows]


def _place(connection: sa.Connection, docs: Sequence[Doc], known: dict[tuple[int, int], int]) -> list[tuple[int, Doc]]:
    """Ids for texts, lowest first; those that had one keep it."""
    made = {known[doc[:2]]: doc for doc in docs if doc[:2] in known}
    wanted = [(id_from(doc.at) + doc.seq % (1 << ID_BITS), doc) for doc in docs if doc[:2] not in known]
    while wanted:
        taken = {row.id for row in _TAKEN.run(connection, [(id,) for id, _ in wanted])}
        later = []
        for id, doc in wanted:
            if id in taken or id in made:
                later.append((id + 1, doc))
            else:
                made[id] = doc
        wanted = later
    return sorted(made.items())


def _marks(wanted: Wanted) -> list[list[str]]:
    """Marks of which a text must have one of each list."""
    found = []
    if wanted.authors is not None:
        found.append([author_mark(id) for id in sorted(wanted.authors)])
    if wanted.with_link:
        found.append([LINK])
    if wanted.channels is not None and not _is_sieved(wanted):
        found.append([channel_mark(id) for id in sorted(wanted.channels)])
    return found


def _is_sieved(wanted: Wanted) -> bool:
    return wanted.channels is not None and len(wanted.channels) > MARKED


def _hits(rows: Iterable[sa.Row[tuple[int, int, int]]]) -> list[Hit]:
    return [Hit(row.id, row.channel_id, row.seq) for row in rows]


def _channels_of(wanted: Wanted) -> list[int]:
    return sorted(wanted.channels or ())


# ---------------------------------------------------------------- SQLite


class _Lite:
    """FTS5 without content: it keeps lists of where words are, and no text. To take a text out, it must be told its
    words once more; the table beside it has them, each once and in no order that makes sense."""

    _PUT = Bulk("INSERT INTO fulltext_index (rowid, words) SELECT id, words FROM {rows}", id="bigint", words="text")
    _NOTE = Bulk(
        "INSERT INTO fulltext (id, channel_id, seq, words) SELECT id, channel_id, seq, words FROM {rows}",
        id="bigint",
        channel_id="bigint",
        seq="bigint",
        words="text",
    )
    _DROP = Bulk(
        "INSERT INTO fulltext_index (fulltext_index, rowid, words) "
        "SELECT 'delete', fulltext.id, fulltext.words FROM {rows} JOIN fulltext ON fulltext.id = rows_.id",
        id="bigint",
    )
    _SIEVE = "AND {of}channel_id IN (SELECT value FROM json_each(:channels)) "
    _SEEK = (
        "SELECT fulltext.id, fulltext.channel_id, fulltext.seq FROM fulltext_index CROSS JOIN fulltext "
        "ON fulltext.id = fulltext_index.rowid WHERE fulltext_index MATCH :match "
        "AND fulltext_index.rowid >= :above AND fulltext_index.rowid < :below {channels}"
        "ORDER BY fulltext_index.rowid DESC LIMIT :limit"
    )

    def put(self, connection: sa.Connection, docs: Sequence[Doc]) -> None:
        known = find_docs(connection, [doc[:2] for doc in docs])
        self.drop(connection, list(known.values()))
        placed = _place(connection, docs, known)
        self._PUT.run(connection, [(id, " ".join([*doc.words, *doc.marks])) for id, doc in placed])
        self._NOTE.run(
            connection,
            [(id, doc.channel_id, doc.seq, " ".join(sorted({*doc.words, *doc.marks}))) for id, doc in placed],
        )

    def drop(self, connection: sa.Connection, ids: Sequence[int]) -> None:
        if ids:
            rows = [(id,) for id in sorted(ids)]  # in this order FTS5 writes them at once
            self._DROP.run(connection, rows)
            _FORGET.run(connection, rows)

    def seek(self, connection: sa.Connection, wanted: Wanted, *, above: int, below: int, limit: int) -> list[Hit]:
        sides = [_phrase(term) for term in wanted.terms]
        sides += ["(" + " OR ".join(f'"{mark}"' for mark in marks) + ")" for marks in _marks(wanted)]
        values = {"above": above, "below": below, "limit": limit}
        if _is_sieved(wanted):
            values["channels"] = "[" + ",".join(map(str, _channels_of(wanted))) + "]"  # type: ignore[assignment]
        if not sides:
            sieve = self._SIEVE.format(of="") if _is_sieved(wanted) else ""
            return _hits(connection.execute(sa.text(_LIST.format(channels=sieve)), values))
        sieve = self._SIEVE.format(of="fulltext.") if _is_sieved(wanted) else ""
        seek = sa.text(self._SEEK.format(channels=sieve))
        return _hits(connection.execute(seek, {**values, "match": " AND ".join(sides)}))

    def empty(self, connection: sa.Connection) -> None:
        connection.execute(sa.text("INSERT INTO fulltext_index (fulltext_index) VALUES ('delete-all')"))
        connection.execute(sa.text("DELETE FROM fulltext"))

    def merge(self, connection: sa.Connection, *, begin: bool) -> bool:
        """Deleted words leave the index when its parts are made one, some pages at a time: at once, 'optimize' would
        keep everybody's messages waiting for as long as the whole index takes."""
        raw = connection.connection.driver_connection
        assert raw is not None, "it is connected"
        before = raw.total_changes
        connection.execute(
            sa.text("INSERT INTO fulltext_index (fulltext_index, rank) VALUES ('merge', :pages)"),
            {"pages": -MERGED_PAGES if begin else MERGED_PAGES},
        )
        return bool(raw.total_changes - before >= 2)  # sqlite.org/fts5.html, 6.8


def _phrase(term: Term) -> str:
    return f'"{" ".join(term.words)}"' + (" *" if term.is_open else "")


# ---------------------------------------------------------------- PostgreSQL


class _Post:
    """tsvector, made here and not by PostgreSQL's parsers, with GIN over it."""

    _PUT = Bulk(
        "INSERT INTO fulltext (id, channel_id, seq, words) "
        "SELECT id, channel_id, seq, CAST(words AS tsvector) FROM {rows}",
        id="bigint",
        channel_id="bigint",
        seq="bigint",
        words="text",
    )
    _SIEVE = "AND channel_id = ANY(CAST(:channels AS bigint[])) "
    _MATCH = "words @@ CAST(CAST(:match AS text) AS tsquery)"
    _NEWEST = (
        "SELECT id, channel_id, seq FROM (SELECT id, channel_id, seq, words FROM fulltext "
        "WHERE id >= :above AND id < :below ORDER BY id DESC LIMIT :walked) AS newest "
        "WHERE true {sieve}ORDER BY id DESC LIMIT :limit"
    )
    # Apart, for the planner would rather read all by id, newest first, and hope
    _SEEK = (
        f"WITH found AS MATERIALIZED (SELECT id, channel_id, seq FROM fulltext WHERE {_MATCH}) "
        "SELECT id, channel_id, seq FROM found WHERE id >= :above AND id < :below {sieve}"
        "ORDER BY id DESC LIMIT :limit"
    )

    def put(self, connection: sa.Connection, docs: Sequence[Doc]) -> None:
        known = find_docs(connection, [doc[:2] for doc in docs])
        self.drop(connection, list(known.values()))
        placed = _place(connection, docs, known)
        self._PUT.run(connection, [(id, doc.channel_id, doc.seq, _vector(doc)) for id, doc in placed])

    def drop(self, connection: sa.Connection, ids: Sequence[int]) -> None:
        if ids:
            _FORGET.run(connection, [(id,) for id in ids])

    def seek(self, connection: sa.Connection, wanted: Wanted, *, above: int, below: int, limit: int) -> list[Hit]:
        found = self._among_newest(connection, wanted, above=above, below=below, limit=limit, walked=WALKED)
        if len(found) < limit <= len(found) * WALKED_FAR // WALKED:
            found = self._among_newest(connection, wanted, above=above, below=below, limit=limit, walked=WALKED_FAR)
        if len(found) >= limit:
            return found
        match = _tsquery(wanted)
        values: dict[str, Any] = {"above": above, "below": below, "limit": limit}
        sieve = ""
        if wanted.channels is not None and (_is_sieved(wanted) or not match):
            sieve, values["channels"] = self._SIEVE, _channels_of(wanted)
        if not match:
            return _hits(connection.execute(sa.text(_LIST.format(channels=sieve)), values))
        return _hits(connection.execute(sa.text(self._SEEK.format(sieve=sieve)), {**values, "match": match}))

    def _among_newest(
        self, connection: sa.Connection, wanted: Wanted, *, above: int, below: int, limit: int, walked: int
    ) -> list[Hit]:
        values: dict[str, Any] = {"above": above, "below": below, "limit": limit, "walked": walked}
        sieve = ""
        if wanted.channels is not None:
            sieve, values["channels"] = self._SIEVE, _channels_of(wanted)
        if match := _tsquery(wanted._replace(channels=None)):
            sieve, values["match"] = f"{sieve}AND {self._MATCH} ", match
        return _hits(connection.execute(sa.text(self._NEWEST.format(sieve=sieve)), values))

    def empty(self, connection: sa.Connection) -> None:
        connection.execute(sa.text("TRUNCATE fulltext"))

    def merge(self, connection: sa.Connection, *, begin: bool) -> bool:
        """Autovacuum does it."""
        return False


def _vector(doc: Doc) -> str:
    """A tsvector as PostgreSQL reads it; there is no quote in a word."""
    return " ".join([*(f"'{word}':{at}" for at, word in enumerate(doc.words, 1)), *(f"'{mark}'" for mark in doc.marks)])


def _tsquery(wanted: Wanted) -> str:
    sides = []
    for term in wanted.terms:
        *before, last = (f"'{word}'" for word in term.words)
        sides.append("(" + " <-> ".join([*before, f"{last}:*" if term.is_open else last]) + ")")
    sides += ["(" + " | ".join(f"'{mark}'" for mark in marks) + ")" for marks in _marks(wanted)]
    return " & ".join(sides)


_LITE: Final = _Lite()
_POST: Final = _Post()
