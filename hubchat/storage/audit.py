"""Who did what, by ids and without words."""

from typing import Final, NamedTuple

import sqlalchemy as sa

from hubchat.storage.bulk import Bulk
from hubchat.storage.database import new_id, now_ms
from hubchat.storage.members import PERSON, Person, person_of


def record(connection: sa.Connection, at: int, actor: int | None, action: str, subject: int | None) -> None:
    """Writes down that the account `actor` (None: the hub itself) did `action` to what has the id `subject`.

    Of what is done to a member of a group the subject is the group: who is in it is not for administrators.
    """
    connection.execute(
        sa.text("INSERT INTO audit (id, at, actor, action, subject) VALUES (:id, :at, :actor, :action, :subject)"),
        {"id": new_id(), "at": at, "actor": actor, "action": action, "subject": subject},
    )


class Audited(NamedTuple):
    """Who did what to whom: accounts are told as people. `subject_id` is of a channel or a report, by `action`."""

    id: int
    at: int
    actor: Person | None
    action: str
    person: Person | None
    subject_id: int | None


OF_THE_HUB: Final = ("account", "badge", "hub", "report")
"""What actions begin with that concern the hub as a whole. Who did what in which group says who is in it."""
_PAGE: Final = sa.text(
    "SELECT id, at, actor, action, subject FROM audit WHERE (at, id) < (:at, :id) AND ("
    + " OR ".join(f"action LIKE '{word}.%'" for word in OF_THE_HUB)
    + ") ORDER BY at DESC, id DESC LIMIT :limit"
)
_PEOPLE: Final = Bulk(
    f"SELECT account.id AS account_id, {PERSON} FROM {{rows}} JOIN account ON account.id = rows_.id "
    "JOIN persona ON persona.account_id = account.id",
    id="bigint",
)
NEWEST: Final = (2**53, 0)


def read_audit(connection: sa.Connection, *, limit: int, before: tuple[int, int] = NEWEST) -> list[Audited]:
    """What was done for the hub before a place in the list, the newest first; nothing of any group."""
    rows = list(connection.execute(_PAGE, {"at": before[0], "id": before[1], "limit": limit}))
    accounts = {id for row in rows for id in (row.actor, row.subject) if id is not None}
    found = _PEOPLE.run(connection, [(id,) for id in accounts], now=now_ms()) if accounts else ()
    people = {row.account_id: person_of(row) for row in found}
    return [
        Audited(
            row.id, row.at, people.get(row.actor), row.action, people.get(row.subject),
            None if row.subject in people else row.subject,
        )
        for row in rows
    ]  # fmt: skip
