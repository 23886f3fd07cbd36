"""Keys for programs."""

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from hubchat.access import Scope
from hubchat.storage.database import new_id
from hubchat.storage.tables import Token

_token = Token.__table__  # type: ignore[attr-defined]  # SQLModel does not type it


class TokenRow(NamedTuple):
    """A token as its owner sees it."""

    id: int
    name: str
    scopes: str
    created_at: int
    used_at: int | None
    expires_at: int


_COLUMNS = [_token.c[name] for name in TokenRow._fields]


def insert_token(
    connection: sa.Connection,
    account_id: int,
    *,
    hashed: str,
    name: str,
    scopes: Iterable[Scope],
    expires_at: int,
    now: int,
) -> TokenRow:
    row = TokenRow(new_id(), name, " ".join(scopes), now, None, expires_at)
    connection.execute(sa.insert(_token), {**row._asdict(), "account_id": account_id, "hash": hashed})
    return row


def read_tokens(connection: sa.Connection, account_id: int) -> list[TokenRow]:
    """The account's tokens, the newest first; ended ones are there until they are deleted."""
    mine = sa.select(*_COLUMNS).where(_token.c.account_id == account_id)
    return [TokenRow(*row) for row in connection.execute(mine.order_by(_token.c.created_at.desc(), _token.c.id))]


def delete_token(connection: sa.Connection, account_id: int, token_id: int) -> bool:
    """False where the account has no such token."""
    mine = sa.and_(_token.c.account_id == account_id, _token.c.id == token_id)
    return bool(connection.execute(sa.delete(_token).where(mine)).rowcount)


def delete_expired(connection: sa.Connection, account_id: int, now: int) -> None:
    connection.execute(sa.delete(_token).where(_token.c.account_id == account_id, _token.c.expires_at <= now))


def count_tokens(connection: sa.Connection, account_id: int) -> int:
    return connection.execute(sa.select(sa.func.count()).where(_token.c.account_id == account_id)).scalar_one()
