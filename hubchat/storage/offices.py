"""What administrators and the hub's moderators see: accounts by handle or name, and badges that the hub gave."""

from typing import Final, Literal, NamedTuple

import sqlalchemy as sa

from hubchat.access import HubRole
from hubchat.storage.database import new_id, now_ms
from hubchat.storage.members import PERSON, Person, person_of
from hubchat.storage.people import escaped

Attested = Literal["clinician", "scientist", "organisation"]
"""What the hub may say of somebody."""

EARLIEST: Final = (-1, 0)
"""Where the list of accounts begins."""


class AccountRow(NamedTuple):
    """An account, without anything of where it is or with whom."""

    person: Person
    role: HubRole
    state: Literal["active", "withdrawn", "disabled"]
    trusted: bool
    created_at: int


class Badge(NamedTuple):
    """What the hub says of somebody: who saw it, how, when, and until when it holds."""

    kind: Attested
    by: int
    how: str
    at: int
    until: int | None


_ACCOUNTS: Final = (
    f"SELECT {PERSON}, account.role, account.state, account.trusted, account.created_at FROM account "
    "JOIN persona ON persona.account_id = account.id AND persona.gone_at IS NULL "
    "WHERE (account.created_at, persona.id) > (:created_at, :persona_id) {sought}"
    "ORDER BY account.created_at, persona.id LIMIT :limit"
)
_ALL: Final = sa.text(_ACCOUNTS.format(sought=""))
_SOUGHT: Final = sa.text(
    _ACCOUNTS.format(
        sought="AND (persona.handle LIKE :begins ESCAPE '!' OR lower(persona.name) LIKE :inside ESCAPE '!' "
        "OR persona.name LIKE :titled ESCAPE '!') "
    )
)
_BADGE: Final = sa.text(
    "SELECT attestation.kind, attestation.by, attestation.how, attestation.at, attestation.until FROM attestation "
    "JOIN persona ON persona.account_id = attestation.account_id WHERE persona.id = :persona_id "
    "AND (attestation.until IS NULL OR attestation.until > :now) LIMIT 1"
)


def find_accounts(
    connection: sa.Connection, letters: str | None, *, limit: int, after: tuple[int, int] = EARLIEST
) -> list[AccountRow]:
    """Accounts whose handle begins with these letters or whose name has them, or all; the oldest first."""
    keys: dict[str, object] = {"created_at": after[0], "persona_id": after[1], "limit": limit, "now": now_ms()}
    if letters is None:
        rows = connection.execute(_ALL, keys)
    else:
        sought = escaped(letters.strip().removeprefix("@"))
        keys |= {"begins": f"{sought.lower()}%", "inside": f"%{sought.lower()}%", "titled": f"%{sought.title()}%"}
        rows = connection.execute(_SOUGHT, keys)
    return [AccountRow(person_of(row), row.role, row.state, bool(row.trusted), row.created_at) for row in rows]


def read_badge(connection: sa.Connection, persona_id: int) -> Badge | None:
    """What the hub says of somebody now. `by` is the account of whoever attested it."""
    row = connection.execute(_BADGE, {"persona_id": persona_id, "now": now_ms()}).first()
    return None if row is None else Badge(*row)


def put_badge(connection: sa.Connection, account_id: int, badge: Badge) -> None:
    """Replaces what the hub says of somebody."""
    delete_badge(connection, account_id)
    connection.execute(
        sa.text(
            "INSERT INTO attestation (id, account_id, kind, by, how, at, until) "
            "VALUES (:id, :account_id, :kind, :by, :how, :at, :until)"
        ),
        {"id": new_id(), "account_id": account_id, **badge._asdict()},
    )


def delete_badge(connection: sa.Connection, account_id: int) -> bool:
    """False where there was none."""
    gone = connection.execute(sa.text("DELETE FROM attestation WHERE account_id = :id"), {"id": account_id})
    return bool(gone.rowcount)
