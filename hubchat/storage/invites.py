"""Invitations: links, kept by the SHA-256 of their code. What somebody made who is a member no more is not found."""

from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from hubchat.access import GroupRole, HubRole, Standing
from hubchat.storage.database import new_id
from hubchat.storage.members import PERSON, Person, person_of


class Invite(NamedTuple):
    """A way in, with who made it and how they stand there now: it dies with their rights.

    By handle: `handle` says whose, and `id` is theirs; else by link.
    """

    id: int
    access_id: int
    maker: Person
    standing: Standing
    handle: str | None
    uses_left: int
    expires_at: int


_MADE: Final = (
    "SELECT made.id, made.access_id, made.invited, made.uses_left, made.expires_at, account.role AS hub_role, "
    f"membership.role, {PERSON} FROM made JOIN account ON account.id = made.by AND account.state = 'active' "
    "JOIN membership ON membership.access_id = made.access_id AND membership.account_id = made.by "
    "AND membership.state = 'member' JOIN persona ON persona.id = membership.persona_id "
    "WHERE made.uses_left > 0 AND made.expires_at > :now "
)
_BY_CODE: Final = sa.text(
    "WITH made AS (SELECT id, access_id, by, CAST(NULL AS text) AS invited, uses_left, expires_at FROM invite "
    f"WHERE hash = :hash) {_MADE}"
)
_BY_GROUP: Final = sa.text(
    "WITH made AS (SELECT id, access_id, by, CAST(NULL AS text) AS invited, uses_left, expires_at FROM invite "
    "WHERE access_id = :id UNION ALL "
    "SELECT membership.persona_id, access_id, by, persona.handle, 1, membership.joined_at + :held "
    "FROM membership JOIN persona ON persona.id = membership.persona_id "
    "WHERE membership.access_id = :id AND membership.state = 'invited') "
    f"{_MADE} AND made.id > :after AND (CAST(:by AS bigint) IS NULL OR made.by = :by) ORDER BY made.id LIMIT :limit"
)


def insert_invite(
    connection: sa.Connection, access_id: int, *, by: int, code_hash: str, uses: int, now: int, expires_at: int
) -> int:
    """Keeps a new link and gives its id; those that have ended are forgotten."""
    connection.execute(
        sa.text("DELETE FROM invite WHERE access_id = :id AND (expires_at <= :now OR uses_left <= 0)"),
        {"id": access_id, "now": now},
    )
    invite_id = new_id()
    values = {
        "id": invite_id, "access_id": access_id, "hash": code_hash, "by": by, "uses": uses, "now": now,
        "expires_at": expires_at,
    }  # fmt: skip
    connection.execute(
        sa.text(
            "INSERT INTO invite (id, access_id, hash, by, uses_left, created_at, expires_at) "
            "VALUES (:id, :access_id, :hash, :by, :uses, :now, :expires_at)"
        ),
        values,
    )
    return invite_id


def read_invite(connection: sa.Connection, code_hash: str, now: int) -> Invite | None:
    """The link with this code, unless it has ended."""
    row = connection.execute(_BY_CODE, {"hash": code_hash, "now": now}).first()
    return None if row is None else _invite(row)


def read_invites(
    connection: sa.Connection, access_id: int, *, now: int, held: int, by: int | None, limit: int, after: int = 0
) -> list[Invite]:
    """Every invitation to a group that has not ended, by id from the one after `after` on.

    Those by handle hold for `held` ms. Where `by` is set, only what that account made.
    """
    keys = {"id": access_id, "now": now, "held": held, "by": by, "limit": limit, "after": after}
    return [_invite(row) for row in connection.execute(_BY_GROUP, keys)]


def count_invites(connection: sa.Connection, access_id: int) -> int:
    """How many links a group has, ended ones too."""
    query = sa.text("SELECT count(*) FROM invite WHERE access_id = :id")
    return int(connection.execute(query, {"id": access_id}).scalar_one())


def spend_invite(connection: sa.Connection, invite_id: int) -> bool:
    """Takes one use of a link; False when none was left."""
    spent = connection.execute(
        sa.text("UPDATE invite SET uses_left = uses_left - 1 WHERE id = :id AND uses_left > 0"), {"id": invite_id}
    )
    return spent.rowcount == 1


def delete_invite(connection: sa.Connection, access_id: int, invite_id: int, by: int | None) -> bool:
    """Ends a link of this group, where `by` is set only if that account made it; False when there is none."""
    gone = connection.execute(
        sa.text(
            "DELETE FROM invite WHERE id = :id AND access_id = :access_id "
            "AND (CAST(:by AS bigint) IS NULL OR invite.by = :by)"
        ),
        {"id": invite_id, "access_id": access_id, "by": by},
    )
    return gone.rowcount == 1


def delete_invites_by(connection: sa.Connection, access_id: int, account_id: int) -> None:
    """Ends every link that this account made to this group."""
    connection.execute(
        sa.text("DELETE FROM invite WHERE access_id = :id AND invite.by = :by"), {"id": access_id, "by": account_id}
    )


def _invite(row: Any) -> Invite:
    hub_role: HubRole = row.hub_role
    role: GroupRole = row.role
    return Invite(
        row.id, row.access_id, person_of(row), Standing(hub_role, "member", role), row.invited, row.uses_left,
        row.expires_at,
    )  # fmt: skip
