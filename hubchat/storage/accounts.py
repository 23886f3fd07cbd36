"""Accounts and their persona: made, read by their owner, changed."""

from typing import Any, Final, Literal, NamedTuple, TypeAlias

import sqlalchemy as sa

from hubchat.access import INBOX, HubRole
from hubchat.storage.channels import insert_channel
from hubchat.storage.database import new_id
from hubchat.storage.erasures import hash_handle, is_kept
from hubchat.storage.tables import HANDLE_LIKENESS, Account, Credential, Membership, Persona

_account = Account.__table__  # type: ignore[attr-defined]  # SQLModel does not type it
_persona = Persona.__table__  # type: ignore[attr-defined]
_credential = Credential.__table__  # type: ignore[attr-defined]


Kind: TypeAlias = Literal["patient", "carer", "clinician", "scientist", "organisation"]
"""What somebody says they are here as; told to themselves alone."""

WITHDRAWN: Final = "withdrawn"
"""The state of an account that took a consent back: it may agree again, export and delete itself, and nothing else."""


class NewAccount(NamedTuple):
    """An account to be made; what is not given is what a newcomer starts with."""

    handle: str
    name: str
    email: str | None = None
    role: HubRole = "member"
    industry: bool = False
    trusted: bool = False
    bot: bool = False


class Made(NamedTuple):
    """The ids of a new account."""

    account_id: int
    persona_id: int
    inbox_id: int


class Held(NamedTuple):
    """An account as administrators deal with it."""

    account_id: int
    persona_id: int
    role: HubRole
    state: Literal["active", "withdrawn", "disabled"]


class Me(NamedTuple):
    """What an account is shown of itself."""

    account_id: int
    id: int
    handle: str
    name: str
    about: str | None
    role: HubRole
    inbox_id: int
    email: str | None
    email_confirmed_at: int | None
    lang: str | None
    presence: Literal["shared", "conversations", "nobody"]
    writing: Literal["everyone", "shared", "nobody"]
    findable: bool
    industry: bool
    created_at: int
    trusted: bool
    has_password: bool
    kind: Kind | None
    is_withdrawn: bool


_ME: Final = (
    sa.select(
        _account.c.id.label("account_id"), _persona.c.id, _persona.c.handle, _persona.c.name, _persona.c.about,
        _account.c.role, _persona.c.inbox_id, _account.c.email, _account.c.email_confirmed_at, _account.c.lang,
        _account.c.presence, _account.c.writing, _account.c.findable, _account.c.industry, _account.c.created_at,
        _account.c.trusted,
        sa.exists()
        .where(_credential.c.account_id == _account.c.id, _credential.c.kind == "password")
        .label("has_password"),
        _account.c.kind, (_account.c.state == WITHDRAWN).label("is_withdrawn"),
    )
    .join_from(_account, _persona, _persona.c.account_id == _account.c.id)
    .where(_account.c.state.in_(("active", WITHDRAWN)), _persona.c.gone_at.is_(None))
)  # fmt: skip


def insert_account(connection: sa.Connection, new: NewAccount, now: int) -> Made | None:
    """Makes account, persona and inbox. None when the handle is, or was, somebody's."""
    if is_kept(connection, hash_handle(new.handle)):
        return None
    made = Made(new_id(), new_id(), new_id())
    connection.execute(
        sa.insert(_account),
        {
            "id": made.account_id, "role": new.role, "state": "active", "email": new.email, "presence": "shared",
            "findable": False, "industry": new.industry, "trusted": new.trusted, "bot": new.bot, "created_at": now,
        },
    )  # fmt: skip
    taken = connection.execute(
        sa.text(
            "INSERT INTO persona (id, account_id, handle, name, inbox_id, created_at) "
            "VALUES (:id, :account_id, :handle, :name, :inbox_id, :now) ON CONFLICT (handle) DO NOTHING"
        ),
        {
            "id": made.persona_id, "account_id": made.account_id, "handle": new.handle, "name": new.name,
            "inbox_id": made.inbox_id, "now": now,
        },
    )  # fmt: skip
    if not taken.rowcount:
        return None
    insert_channel(connection, id=made.inbox_id, kind="inbox", presets=INBOX, title="")
    connection.execute(
        sa.insert(Membership),
        {
            "access_id": made.inbox_id, "account_id": made.account_id, "persona_id": made.persona_id,
            "role": "member", "state": "member", "joined_at": now, "first_seq": 1, "listed": False,
        },
    )  # fmt: skip
    return made


def is_handle_taken(connection: sa.Connection, handle: str) -> bool:
    """Whether somebody has, or had, this handle."""
    found = connection.execute(sa.select(_persona.c.id).where(_persona.c.handle == handle))
    return found.first() is not None or is_kept(connection, hash_handle(handle))


def is_likeness_taken(connection: sa.Connection, likeness: str) -> bool:
    """Whether a handle that looks like this one is, or was, somebody's."""
    found = connection.execute(
        sa.text(f"SELECT 1 FROM persona WHERE {HANDLE_LIKENESS} = :likeness LIMIT 1"), {"likeness": likeness}
    )
    return found.first() is not None or is_kept(connection, hash_handle(likeness, likeness=True))


def is_shared(connection: sa.Connection, email: str) -> bool:
    """Whether more than one account has this address."""
    found = connection.execute(
        sa.select(_account.c.id).where(sa.func.lower(_account.c.email) == email.lower()).limit(2)
    )
    return len(found.all()) > 1


def has_administrator(connection: sa.Connection) -> bool:
    found = connection.execute(sa.select(_account.c.id).where(_account.c.role == "admin", _account.c.state == "active"))
    return found.first() is not None


def count_administrators(connection: sa.Connection) -> int:
    """Those who can come."""
    query = sa.select(sa.func.count()).where(_account.c.role == "admin", _account.c.state == "active")
    return connection.execute(query).scalar_one()


def read_held(connection: sa.Connection, handle: str) -> Held | None:
    """Whose account this handle belongs to, disabled or not."""
    query = (
        sa.select(_account.c.id, _persona.c.id, _account.c.role, _account.c.state)
        .join_from(_account, _persona, _persona.c.account_id == _account.c.id)
        .where(_persona.c.handle == handle, _persona.c.gone_at.is_(None))
    )
    row = connection.execute(query).first()
    return None if row is None else Held(*row)


def read_me(connection: sa.Connection, account_id: int) -> Me | None:
    row = connection.execute(_ME.where(_account.c.id == account_id)).first()
    return None if row is None else _me(row)


def read_me_by_handle(connection: sa.Connection, handle: str) -> Me | None:
    """The account behind a handle, unless it is disabled or erased."""
    row = connection.execute(_ME.where(_persona.c.handle == handle)).first()
    return None if row is None else _me(row)


def read_came_at(connection: sa.Connection, account_id: int) -> int | None:
    """When an account came by itself (ms); None for one that is trusted from the start."""
    query = sa.select(_account.c.created_at).where(_account.c.id == account_id, _account.c.trusted.is_(False))
    came_at: int | None = connection.execute(query).scalar()
    return came_at


def update_account(connection: sa.Connection, account_id: int, **values: Any) -> None:
    connection.execute(sa.update(_account).where(_account.c.id == account_id).values(**values))


def update_persona(connection: sa.Connection, persona_id: int, **values: Any) -> None:
    connection.execute(sa.update(_persona).where(_persona.c.id == persona_id).values(**values))


def _me(row: Any) -> Me:
    return Me(*row)._replace(has_password=bool(row.has_password), is_withdrawn=bool(row.is_withdrawn))
