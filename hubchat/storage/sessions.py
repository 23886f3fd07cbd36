"""Who is asking: sessions and tokens, by the SHA-256 of what the client holds, read for many at once."""

import functools
import hashlib
from collections.abc import Iterable, Mapping
from sys import intern
from typing import Any, Final, Literal, NamedTuple

import sqlalchemy as sa

from hubchat.access import SCOPES, HubRole, Scope
from hubchat.storage.bulk import Bulk
from hubchat.storage.database import new_id, now_ms
from hubchat.storage.tables import Session, Token

UNUSED_MS: Final = 30 * 86_400_000  # a session ends after 30 days unused
AGE_MS: Final = 180 * 86_400_000  # or 180 in all
NEVER: Final = 2**53  # ms: later than any time


_session = Session.__table__  # type: ignore[attr-defined]  # SQLModel does not type it
_token = Token.__table__  # type: ignore[attr-defined]


class Caller(NamedTuple):
    """A signed-in asker. Either `session_id` or `token_id` is set; a session has every scope but `admin`'s rank.

    `is_withdrawn`: took a consent back, and may agree again, export and delete itself, and nothing else.
    """

    account_id: int
    persona_id: int
    handle: str
    name: str
    inbox_id: int
    hub_role: HubRole
    presence: Literal["shared", "conversations", "nobody"]
    session_id: int | None
    token_id: int | None
    scopes: frozenset[Scope]
    confirmed_at: int
    used_at: int
    ends_at: int = NEVER
    is_withdrawn: bool = False


class SessionRow(NamedTuple):
    """A session as its owner sees it."""

    id: int
    agent: str | None
    created_at: int
    used_at: int


_WHO: Final = (
    "account.id AS account_id, account.role, account.presence, account.state = 'withdrawn' AS is_withdrawn, "
    "persona.id AS persona_id, persona.handle, persona.name, persona.inbox_id"
)
_JOIN: Final = (
    "JOIN account ON account.id = {of}.account_id AND account.state IN ('active', 'withdrawn') "
    "JOIN persona ON persona.account_id = account.id AND persona.gone_at IS NULL"
)
_BY_SESSION: Final = Bulk(
    f"SELECT session.hash, session.id, session.confirmed_at, session.used_at, session.created_at, {_WHO} FROM {{rows}} "
    f"JOIN session ON session.hash = rows_.hash {_JOIN.format(of='session')} "
    "WHERE session.used_at > :used_after AND session.created_at > :created_after",
    hash="text",
)
_BY_TOKEN: Final = Bulk(
    f"SELECT token.hash, token.id, token.scopes, token.used_at, token.expires_at, {_WHO} FROM {{rows}} "
    f"JOIN token ON token.hash = rows_.hash {_JOIN.format(of='token')} WHERE token.expires_at > :now",
    hash="text",
)


EVERY_SCOPE: Final = frozenset(SCOPES)
_USED: Final = {
    kind: Bulk(
        f"UPDATE {kind} SET used_at = rows_.at FROM {{rows}} WHERE {kind}.hash = rows_.hash", hash="text", at="bigint"
    )
    for kind in ("session", "token")
}


def hash_secret(secret: str) -> str:
    """The SHA-256 of a random secret, as it is stored: 256 bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def read_callers(
    connection: sa.Connection, keys: Iterable[tuple[Literal["session", "token"], str]]
) -> dict[tuple[Literal["session", "token"], str], Caller]:
    """(kind, hash) → who that is; what is unknown, ended or of a disabled account is left out."""
    wanted = set(keys)
    now = now_ms()
    found: dict[tuple[Literal["session", "token"], str], Caller] = {}
    if sessions := [(key,) for kind, key in wanted if kind == "session"]:
        ages = {"used_after": now - UNUSED_MS, "created_after": now - AGE_MS}
        for row in _BY_SESSION.run(connection, sessions, **ages):
            found["session", row.hash] = Caller(
                row.account_id, row.persona_id, row.handle, row.name, row.inbox_id, _shared(row.role),
                _shared(row.presence), row.id, None, EVERY_SCOPE, row.confirmed_at, row.used_at,
                row.created_at + AGE_MS, bool(row.is_withdrawn),
            )  # fmt: skip
    if tokens := [(key,) for kind, key in wanted if kind == "token"]:
        for row in _BY_TOKEN.run(connection, tokens, now=now):
            found["token", row.hash] = Caller(
                row.account_id, row.persona_id, row.handle, row.name, row.inbox_id, _shared(row.role),
                _shared(row.presence), None, row.id, _scopes(row.scopes), 0, row.used_at or 0, row.expires_at,
                bool(row.is_withdrawn),
            )  # fmt: skip
    return found


def _shared(word: Any) -> Any:  # Any: one of the words that a Literal names
    """One object for all members: thousands have the same."""
    return intern(word)


@functools.lru_cache
def _scopes(words: str) -> frozenset[Scope]:
    """One object for all who have the same."""
    return frozenset(scope for scope in SCOPES if scope in words.split())


def insert_session(connection: sa.Connection, account_id: int, hashed: str, agent: str | None, now: int) -> int:
    """A new session, whose password counts as just given; its id."""
    session_id = new_id()
    connection.execute(
        sa.insert(_session),
        {
            "id": session_id, "account_id": account_id, "hash": hashed, "agent": agent,
            "created_at": now, "used_at": now, "confirmed_at": now,
        },
    )  # fmt: skip
    return session_id


def read_sessions(connection: sa.Connection, account_id: int, now: int) -> list[SessionRow]:
    """The account's sessions that have not ended, the one used last first."""
    mine = sa.select(*(_session.c[name] for name in SessionRow._fields)).where(_session.c.account_id == account_id)
    return [SessionRow(*row) for row in connection.execute(mine.where(_alive(now)).order_by(_session.c.used_at.desc()))]


def delete_session(connection: sa.Connection, account_id: int, session_id: int) -> bool:
    """False where the account has no such session."""
    mine = sa.and_(_session.c.account_id == account_id, _session.c.id == session_id)
    return bool(connection.execute(sa.delete(_session).where(mine)).rowcount)


def delete_session_by_hash(connection: sa.Connection, hashed: str) -> int | None:
    """The id of the session that was deleted; None where there was none."""
    found = connection.execute(sa.delete(_session).where(_session.c.hash == hashed).returning(_session.c.id))
    return found.scalar_one_or_none()


def delete_others(connection: sa.Connection, account_id: int, keep: int | None) -> list[int]:
    """Deletes all sessions of an account but one; the ids of those that were."""
    others = sa.and_(_session.c.account_id == account_id, _session.c.id != (keep or 0))
    return list(connection.execute(sa.delete(_session).where(others).returning(_session.c.id)).scalars())


def delete_worn(connection: sa.Connection, account_id: int, most: int, now: int) -> list[int]:
    """Deletes an account's sessions that have ended, and those beyond the `most` used last; their ids."""
    mine = _session.c.account_id == account_id
    kept = sa.select(_session.c.id).where(mine, _alive(now)).order_by(_session.c.used_at.desc()).limit(most)
    worn = sa.delete(_session).where(mine, _session.c.id.not_in(kept))
    return list(connection.execute(worn.returning(_session.c.id)).scalars())


def confirm_session(connection: sa.Connection, session_id: int, now: int) -> None:
    """Keeps that the password was given again just now."""
    connection.execute(sa.update(_session).where(_session.c.id == session_id).values(confirmed_at=now))


def note_uses(connection: sa.Connection, uses: Mapping[tuple[Literal["session", "token"], str], int]) -> None:
    """Keeps when sessions and tokens were last used: (kind, hash) → ms."""
    for kind, bulk in _USED.items():
        if rows := sorted((hashed, at) for (of, hashed), at in uses.items() if of == kind):
            bulk.run(connection, rows)


def _alive(now: int) -> sa.ColumnElement[bool]:
    return sa.and_(_session.c.used_at > now - UNUSED_MS, _session.c.created_at > now - AGE_MS)
