"""Ways to sign in: passwords and recovery codes, and the browsers that signed in before."""

from collections.abc import Iterable
from typing import Final, NamedTuple

import sqlalchemy as sa

from hubchat.storage.database import new_id
from hubchat.storage.tables import Credential, Device

_credential = Credential.__table__  # type: ignore[attr-defined]  # SQLModel does not type it
_device = Device.__table__  # type: ignore[attr-defined]

DEVICES: Final = 20  # browsers an account remembers; beyond that the least recent is forgotten


class Proof(NamedTuple):
    """What a sign-in is proved against. `is_device`: the browser signed in to this account before."""

    account_id: int
    password: str | None
    is_device: bool


_PROOF: Final = sa.text(
    "SELECT account.id, credential.secret, EXISTS (SELECT 1 FROM device WHERE device.account_id = account.id "
    "AND device.hash = :device) AS is_device FROM persona "
    "JOIN account ON account.id = persona.account_id AND account.state IN ('active', 'withdrawn') "
    "LEFT JOIN credential ON credential.account_id = account.id AND credential.kind = 'password' "
    "WHERE persona.handle = :handle AND persona.gone_at IS NULL"
)


def read_proof(connection: sa.Connection, handle: str, device: str | None) -> Proof | None:
    """What belongs to this handle and browser (by its hash); one query, whether the handle exists or not."""
    row = connection.execute(_PROOF, {"handle": handle, "device": device or ""}).first()
    return None if row is None else Proof(row.id, row.secret, bool(row.is_device))


def put_password(connection: sa.Connection, account_id: int, hashed: str, now: int) -> None:
    """Replaces the password."""
    connection.execute(sa.delete(_credential).where(_is(account_id, "password")))
    _insert(connection, account_id, "password", [hashed], now)


def replace_outgrown(connection: sa.Connection, account_id: int, old: str, new: str) -> None:
    """Stores the same password hashed anew, unless it was changed meanwhile."""
    where = sa.and_(_is(account_id, "password"), _credential.c.secret == old)
    connection.execute(sa.update(_credential).where(where).values(secret=new))


def has_password(connection: sa.Connection, account_id: int) -> bool:
    found = connection.execute(sa.select(_credential.c.id).where(_is(account_id, "password")))
    return found.first() is not None


def put_recovery(connection: sa.Connection, account_id: int, hashes: Iterable[str], now: int) -> None:
    """Replaces the recovery codes, used ones too."""
    connection.execute(sa.delete(_credential).where(_is(account_id, "recovery")))
    _insert(connection, account_id, "recovery", hashes, now)


def use_recovery(connection: sa.Connection, account_id: int, hashed: str, now: int) -> bool:
    """Uses a recovery code up; False where it is none, or was used."""
    fresh = sa.and_(_is(account_id, "recovery"), _credential.c.secret == hashed, _credential.c.used_at.is_(None))
    return bool(connection.execute(sa.update(_credential).where(fresh).values(used_at=now)).rowcount)


def count_recovery(connection: sa.Connection, account_id: int) -> int:
    """How many recovery codes are left."""
    fresh = sa.and_(_is(account_id, "recovery"), _credential.c.used_at.is_(None))
    return connection.execute(sa.select(sa.func.count()).where(fresh)).scalar_one()


def remember_device(connection: sa.Connection, account_id: int, hashed: str, now: int) -> None:
    """Keeps that this browser signed in."""
    mine = _device.c.account_id == account_id
    seen = connection.execute(sa.update(_device).where(mine, _device.c.hash == hashed).values(used_at=now))
    if not seen.rowcount:
        row = {"id": new_id(), "account_id": account_id, "hash": hashed, "used_at": now}
        connection.execute(sa.insert(_device), row)
    kept = sa.select(_device.c.id).where(mine).order_by(_device.c.used_at.desc()).limit(DEVICES)
    connection.execute(sa.delete(_device).where(mine, _device.c.id.not_in(kept)))


def forget_devices(connection: sa.Connection, account_id: int, keep: str | None) -> None:
    """Forgets the account's browsers but the one with this hash."""
    connection.execute(sa.delete(_device).where(_device.c.account_id == account_id, _device.c.hash != (keep or "")))


def _is(account_id: int, kind: str) -> sa.ColumnElement[bool]:
    return sa.and_(_credential.c.account_id == account_id, _credential.c.kind == kind)


def _insert(connection: sa.Connection, account_id: int, kind: str, secrets: Iterable[str], now: int) -> None:
    rows = [
        {"id": new_id(), "account_id": account_id, "kind": kind, "secret": secret, "created_at": now}
        for secret in secrets
    ]
    connection.execute(sa.insert(_credential), rows)
