"""People, as others may see them: by id, by handle, and found by a few letters."""

from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa

from hubchat.storage.bulk import Bulk
from hubchat.storage.database import now_ms
from hubchat.storage.members import PERSON, Person, person_of, shown_as

FOUND: Final = 20  # people a search gives: more letters help, more rows don't

_BELONGS: Final = (
    "EXISTS (SELECT 1 FROM membership AS mine "
    "JOIN membership AS theirs ON theirs.access_id = mine.access_id AND theirs.persona_id = persona.id "
    "JOIN channel ON channel.id = mine.access_id AND channel.state <> 'deleted' "
    "WHERE mine.account_id = :viewer AND ("
    "(channel.kind = 'conversation' AND mine.state IN ('member', 'invited') AND theirs.state IN ('member', 'invited')) "
    "OR (channel.kind = 'group' AND mine.state = 'member' AND theirs.state = 'member' "
    f"AND (mine.role <> 'member' OR {shown_as('theirs')}))))"
)
"""Shares a group or conversation with the viewer, and is shown to them there."""

_READABLE: Final = (
    "SELECT channel.id, channel.tail, CASE WHEN coalesce(mine.state, 'none') = 'member' "
    "THEN CASE WHEN channel.id = channel.access_id THEN mine.first_seq ELSE 1 END "
    "WHEN channel.history = 'all' THEN channel.open_from ELSE channel.head + 1 END AS first "
    "FROM channel LEFT JOIN membership AS mine "
    "ON mine.access_id = channel.access_id AND mine.account_id = :viewer "
    "WHERE channel.state <> 'deleted' AND (channel.readers = 'everybody' "
    "OR (channel.readers = 'signed_in' AND :viewer > 0 AND coalesce(mine.state, 'none') <> 'banned') "
    "OR (channel.readers = 'invited' AND mine.state IN ('member', 'invited')) "
    "OR (channel.readers = 'members' AND mine.state = 'member'))"
)
"""Channels that the viewer may read, and from where on, as `access` says it; a test holds the two together."""

_WROTE: Final = (
    "EXISTS (SELECT 1 FROM readable JOIN entry ON entry.channel_id = readable.id AND entry.author_id = persona.id "
    "AND entry.seq >= readable.first AND entry.seq >= readable.tail)"
)

_BY_IDS: Final = Bulk(
    # Found once: looking for them anew for each of a hundred people took 2 s where 20,000 had accounts
    f"WITH readable AS MATERIALIZED ({_READABLE}) "
    f"SELECT {PERSON} FROM {{rows}} JOIN persona ON persona.id = rows_.id "
    "JOIN account ON account.id = persona.account_id "
    f"WHERE persona.account_id = :viewer OR {_BELONGS} OR {_WROTE}",
    id="bigint",
)
_NAMED: Final = Bulk(
    f"SELECT {PERSON} FROM {{rows}} JOIN persona ON persona.id = rows_.id "
    "JOIN account ON account.id = persona.account_id",
    id="bigint",
)
_BY_HANDLE: Final = sa.text(
    f"SELECT {PERSON} FROM persona JOIN account ON account.id = persona.account_id WHERE persona.handle = :handle"
)
_BY_ACCOUNT: Final = sa.text(
    f"SELECT {PERSON} FROM persona JOIN account ON account.id = persona.account_id "
    "WHERE account.id = :id ORDER BY persona.created_at LIMIT 1"
)
_BY_LETTERS: Final = sa.text(
    f"SELECT {PERSON} FROM persona JOIN account ON account.id = persona.account_id AND account.state = 'active' "
    "WHERE persona.gone_at IS NULL AND (persona.handle = :exact OR ("
    "(persona.handle LIKE :begins ESCAPE '!' OR lower(persona.name) LIKE :inside ESCAPE '!' "
    "OR persona.name LIKE :titled ESCAPE '!') "
    f"AND (account.findable OR persona.account_id = :viewer OR {_BELONGS}))) "
    "ORDER BY CASE WHEN persona.handle = :exact THEN 0 ELSE 1 END, persona.handle LIMIT :limit"
)


_BADGES: Final = Bulk(
    "SELECT theirs.persona_id, theirs.badge FROM {rows} "
    "JOIN channel AS asked ON asked.id = :channel "
    "JOIN channel ON channel.id = asked.access_id AND channel.state <> 'deleted' "
    "JOIN membership AS mine ON mine.access_id = channel.id AND mine.account_id = :viewer AND mine.state = 'member' "
    "JOIN membership AS theirs ON theirs.access_id = channel.id AND theirs.persona_id = rows_.id "
    "AND theirs.state = 'member' AND theirs.badge IS NOT NULL "
    f"WHERE mine.role <> 'member' OR mine.account_id = theirs.account_id OR {shown_as('theirs')}",
    id="bigint",
)
"""What members say of themselves to a group, as far as its list of members shows them to the viewer."""


def read_people(
    connection: sa.Connection, viewer: int | None, ids: Iterable[int], channel_id: int | None = None
) -> list[Person]:
    """Of these personas, those who wrote in, or belong with the viewer to, a channel that the viewer may read.

    `viewer` is an account; None is a guest. With a channel, also what they say of themselves to its group, where the
    viewer is a member as well.
    """
    rows = [(persona_id,) for persona_id in dict.fromkeys(ids)]
    if not rows:
        return []
    found = [person_of(row) for row in _BY_IDS.run(connection, rows, viewer=viewer or 0, now=now_ms())]
    if channel_id is None or viewer is None:
        return found
    told = _BADGES.run(connection, rows, viewer=viewer, channel=channel_id)
    badges: dict[int, str] = {row.persona_id: row.badge for row in told}
    return [person._replace(group_badge=badges.get(person.id)) for person in found]


def read_named(connection: sa.Connection, ids: Iterable[int | None]) -> dict[int, Person]:
    """Whoever stands in what the viewer may see, as an entry or a report, wherever else these people are."""
    rows = [(id,) for id in {id for id in ids if id is not None}]
    return {row.persona_id: person_of(row) for row in _NAMED.run(connection, rows, now=now_ms())} if rows else {}


def read_person(connection: sa.Connection, handle: str) -> Person | None:
    """Whoever has, or had, this handle."""
    row = connection.execute(_BY_HANDLE, {"handle": handle, "now": now_ms()}).first()
    return None if row is None else person_of(row)


def read_by_account(connection: sa.Connection, account_id: int) -> Person | None:
    """Who an account is seen as."""
    row = connection.execute(_BY_ACCOUNT, {"id": account_id, "now": now_ms()}).first()
    return None if row is None else person_of(row)


def find_people(connection: sa.Connection, viewer: int, letters: str) -> list[Person]:
    """Whose handle begins with these letters, or whose name has them: those who share a group with the viewer, or
    chose to be found; and who has exactly this handle.
    """
    plain = letters.strip().removeprefix("@")
    sought = escaped(plain)
    rows = connection.execute(
        _BY_LETTERS,
        {
            "viewer": viewer,
            "exact": plain.lower(),
            "begins": f"{sought.lower()}%",
            "inside": f"%{sought.lower()}%",
            "titled": f"%{sought.title()}%",  # SQLite's lower() knows a to z alone
            "limit": FOUND,
            "now": now_ms(),
        },
    )
    return [person_of(row) for row in rows]


def escaped(text: str) -> str:
    """Letters as LIKE takes them literally, with ! before what means more."""
    for sign in "!%_":
        text = text.replace(sign, "!" + sign)
    return text
