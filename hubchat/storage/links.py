"""One-time links: for the first administrator, and to sign in somebody who lost everything else."""

from typing import Literal, NamedTuple

import sqlalchemy as sa

from hubchat.storage.tables import Link

_link = Link.__table__  # type: ignore[attr-defined]  # SQLModel does not type it

Purpose = Literal["first_admin", "sign_in"]


class LinkRow(NamedTuple):
    purpose: Purpose
    account_id: int | None


def put_link(
    connection: sa.Connection, hashed: str, purpose: Purpose, account_id: int | None, *, expires_at: int, now: int
) -> None:
    """Makes a link; the one made before for the same purpose and account is dead, as are all that are too old."""
    before = sa.and_(_link.c.purpose == purpose, _link.c.account_id.is_not_distinct_from(account_id))
    connection.execute(sa.delete(_link).where(sa.or_(before, _link.c.expires_at <= now)))
    row = {"hash": hashed, "purpose": purpose, "account_id": account_id, "expires_at": expires_at}
    connection.execute(sa.insert(_link), row)


def read_link(connection: sa.Connection, hashed: str, now: int) -> LinkRow | None:
    valid = sa.and_(_link.c.hash == hashed, _link.c.expires_at > now)
    row = connection.execute(sa.select(_link.c.purpose, _link.c.account_id).where(valid)).first()
    return None if row is None else LinkRow(*row)


def use_link(connection: sa.Connection, hashed: str, purpose: Purpose, now: int) -> LinkRow | None:
    """Uses a link up; None where it is no valid one of this purpose."""
    found = read_link(connection, hashed, now)
    if found is None or found.purpose != purpose:
        return None
    # of two who come at once, the second deletes nothing
    used = connection.execute(sa.delete(_link).where(_link.c.hash == hashed)).rowcount
    return found if used else None


def delete_links(connection: sa.Connection, purpose: Purpose) -> None:
    connection.execute(sa.delete(_link).where(_link.c.purpose == purpose))
