"""Answers to POSTs that carried an Idempotency-Key."""

from typing import Final, NamedTuple

import sqlalchemy as sa

from hubchat.storage.tables import Idempotency

KEPT_MS: Final = 24 * 3_600_000
CLAIM_MS: Final = 60_000  # a claim that is older was left by a node that died, and may be taken over
UNDER_WAY: Final = 0

_table = Idempotency.__table__  # type: ignore[attr-defined]  # SQLModel does not type it


class Key(NamedTuple):
    """Whose key, and for what."""

    account_id: int
    key: str
    path: str


class Kept(NamedTuple):
    """What is known of a key: its first body, and the answer to it. `status` is UNDER_WAY until there is one."""

    body_hash: str
    status: int
    answer: str


def claim(connection: sa.Connection, key: Key, body_hash: str, now: int) -> Kept | None:
    """Takes the key, and gives None; or what is known of it, when it was taken before."""
    old = sa.and_(_table.c.status == UNDER_WAY, _table.c.at < now - CLAIM_MS, _is(key))
    connection.execute(sa.delete(_table).where(sa.or_(_table.c.at < now - KEPT_MS, old)))
    taken = connection.execute(
        sa.text(
            "INSERT INTO idempotency (account_id, key, path, body_hash, status, answer, at) "
            "VALUES (:account_id, :key, :path, :body_hash, 0, '', :at) ON CONFLICT DO NOTHING"
        ),
        {**key._asdict(), "body_hash": body_hash, "at": now},
    )
    if taken.rowcount:
        return None
    row = connection.execute(sa.select(_table.c.body_hash, _table.c.status, _table.c.answer).where(_is(key))).one()
    return Kept(*row)


def keep(connection: sa.Connection, key: Key, status: int, answer: str) -> None:
    connection.execute(sa.update(_table).where(_is(key)).values(status=status, answer=answer))


def release(connection: sa.Connection, key: Key) -> None:
    """Gives the key back: nothing was done for it."""
    connection.execute(sa.delete(_table).where(_is(key)))


def _is(key: Key) -> sa.ColumnElement[bool]:
    return sa.and_(_table.c.account_id == key.account_id, _table.c.key == key.key, _table.c.path == key.path)
