"""Memberships: who belongs to a group or conversation, who asks to, who is invited, who is banned."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, TypeAlias

import sqlalchemy as sa

from hubchat.access import GroupRole, MemberState
from hubchat.storage.bulk import Bulk
from hubchat.storage.channels import ChannelRow
from hubchat.storage.database import now_ms

TOLD: Final = 20  # moderators who hear of one thing: a transaction writes at most 20 notices


class Person(NamedTuple):
    """Who is seen. `gone`: nobody is behind it any more. `attested` is the hub's word, not theirs; `group_badge`
    theirs, to one group, and told in it alone.
    """

    id: int
    handle: str
    name: str
    bot: bool
    gone: bool
    industry: bool
    attested: str | None
    group_badge: str | None = None

    @property
    def badges(self) -> list[str]:
        """What everybody sees beside the name; who is paid by industry is seen to be before anything else."""
        return [*(["industry"] if self.industry else []), *([self.attested] if self.attested else [])]

    def to_map(self) -> dict[str, Any]:
        """As others see them, over HTTP and live."""
        shown: dict[str, Any] = {"id": self.id, "handle": self.handle, "name": self.name}
        if badges := self.badges:
            shown["badge"] = badges[0]
            if len(badges) > 1:
                shown["badges"] = badges
        if self.group_badge:
            shown["group_badge"] = self.group_badge
        if self.bot:
            shown["bot"] = True
        if self.gone:
            shown["gone"] = True
        return shown


class Candidate(NamedTuple):
    """Somebody named by handle, and how their account stands to an access channel."""

    account_id: int
    persona_id: int
    inbox_id: int
    state: MemberState
    role: GroupRole
    by: int | None


class Member(NamedTuple):
    """A line of a list of memberships. `at` is since when it stands; `place` is where it stands in the list."""

    person: Person
    account_id: int
    role: GroupRole
    at: int
    word: str | None
    place: tuple[int, int, int]


class Invitation(NamedTuple):
    """An invitation by handle: the account that made it, and when."""

    by: int | None
    at: int


class Officer(NamedTuple):
    """An owner or moderator."""

    account_id: int
    persona_id: int
    inbox_id: int


Place: TypeAlias = tuple[int, int, int]

PERSON: Final = (
    "persona.id AS persona_id, persona.handle, persona.name, account.bot, persona.gone_at, account.industry, "
    "(SELECT attestation.kind FROM attestation WHERE attestation.account_id = account.id "
    "AND (attestation.until IS NULL OR attestation.until > CAST(:now AS bigint)) LIMIT 1) AS attested"
)
"""Columns that `person_of` makes a person of, where persona and account are joined; they want `now` (ms)."""

_SET: Final = sa.text(
    "INSERT INTO membership (access_id, account_id, persona_id, role, state, joined_at, first_seq, listed, word, by) "
    "VALUES (:access_id, :account_id, :persona_id, :role, :state, :at, :first_seq, :listed, :word, :by) "
    "ON CONFLICT (access_id, account_id) DO UPDATE SET persona_id = excluded.persona_id, role = excluded.role, "
    "state = excluded.state, joined_at = excluded.joined_at, first_seq = excluded.first_seq, "
    "listed = excluded.listed, word = excluded.word, by = excluded.by"
)
_CANDIDATE: Final = sa.text(
    "SELECT persona.account_id, persona.id, persona.inbox_id, coalesce(membership.state, 'none'), "
    "coalesce(membership.role, 'member'), membership.by FROM persona "
    "JOIN account ON account.id = persona.account_id AND account.state = 'active' "
    "LEFT JOIN membership ON membership.access_id = :access_id AND membership.account_id = persona.account_id "
    "WHERE persona.handle = :handle AND persona.gone_at IS NULL"
)
_OFFICERS: Final = sa.text(
    "SELECT membership.account_id, persona.id, persona.inbox_id FROM membership "
    "JOIN persona ON persona.id = membership.persona_id AND persona.gone_at IS NULL "
    "JOIN account ON account.id = membership.account_id AND account.state = 'active' "
    "WHERE membership.access_id = :id AND membership.state = 'member' AND membership.role <> 'member' "
    "ORDER BY membership.joined_at, membership.account_id LIMIT :limit"
)
_COUNTS: Final = Bulk(
    "SELECT membership.access_id, count(*) AS members FROM {rows} "
    "JOIN membership ON membership.access_id = rows_.id AND membership.state = 'member' GROUP BY membership.access_id",
    id="bigint",
)
_REQUESTS: Final = Bulk(
    "SELECT membership.access_id, count(*) AS requests FROM {rows} JOIN membership "
    "ON membership.access_id = rows_.id AND membership.state = 'requested' GROUP BY membership.access_id",
    id="bigint",
)
_RANK: Final = "CASE membership.role WHEN 'owner' THEN 0 WHEN 'moderator' THEN 1 ELSE 2 END"


def shown_as(membership: str) -> str:
    """SQL for whether a membership, by its alias, stands in the list that members see, where `channel` is its group.

    Where anybody can become a member (public and open groups), those stand in it who chose to or who wrote there,
    since it is open to all; elsewhere everyone does. Else joining would be a way to ask who else is here.
    """
    return (
        f"(channel.joining <> 'free' OR {membership}.listed OR EXISTS (SELECT 1 FROM entry "
        f"WHERE entry.channel_id = channel.id AND entry.author_id = {membership}.persona_id "
        "AND entry.kind = 'message' AND entry.deleted_at IS NULL AND entry.seq >= channel.open_from))"
    )


SHOWN: Final = shown_as("membership")

_LIST: Final = (
    f"SELECT {PERSON}, membership.account_id, membership.role, membership.joined_at, membership.word, "
    f"membership.badge AS group_badge, {_RANK} AS rank FROM membership "
    "JOIN persona ON persona.id = membership.persona_id "
    "JOIN account ON account.id = membership.account_id JOIN channel ON channel.id = membership.access_id "
    "WHERE membership.access_id = :id AND membership.state = :state "
    f"AND ({_RANK}, membership.joined_at, persona.id) > (:rank, :joined_at, :persona_id) {{shown}}"
    f"ORDER BY {_RANK}, membership.joined_at, persona.id LIMIT :limit"
)
_LIST_ALL: Final = sa.text(_LIST.format(shown=""))
_LIST_SHOWN: Final = sa.text(_LIST.format(shown=f"AND {SHOWN} "))
_IS_SHOWN: Final = sa.text(
    f"SELECT {SHOWN} FROM membership JOIN channel ON channel.id = membership.access_id "
    "WHERE membership.access_id = :id AND membership.account_id = :account_id"
)

FROM_THE_FIRST: Final[Place] = (-1, 0, 0)
"""Where a list begins."""


def person_of(row: Any) -> Person:
    """The person in a row that was selected with `PERSON`."""
    return Person(
        row.persona_id, row.handle, row.name, bool(row.bot), row.gone_at is not None, bool(row.industry), row.attested
    )


def set_membership(
    connection: sa.Connection,
    access_id: int,
    account_id: int,
    persona_id: int,
    *,
    state: MemberState,
    at: int,
    role: GroupRole = "member",
    first_seq: int = 1,
    listed: bool = False,
    word: str | None = None,
    by: int | None = None,
) -> None:
    """How this account stands there from now on, whatever it was before. `by` is the account that invited."""
    values = {
        "access_id": access_id, "account_id": account_id, "persona_id": persona_id, "state": state, "at": at,
        "role": role, "first_seq": first_seq, "listed": listed, "word": word, "by": by,
    }  # fmt: skip
    connection.execute(_SET, values)


def set_role(connection: sa.Connection, access_id: int, account_id: int, role: GroupRole) -> None:
    """Who takes an office is listed from then on: members must know whom to turn to."""
    connection.execute(
        sa.text(
            "UPDATE membership SET role = :role, listed = (listed OR :office) "
            "WHERE access_id = :id AND account_id = :account_id"
        ),
        {"role": role, "office": role != "member", "id": access_id, "account_id": account_id},
    )


def set_listed(connection: sa.Connection, access_id: int, account_id: int, listed: bool) -> None:
    connection.execute(
        sa.text("UPDATE membership SET listed = :listed WHERE access_id = :id AND account_id = :account_id"),
        {"listed": listed, "id": access_id, "account_id": account_id},
    )


def set_badge(connection: sa.Connection, access_id: int, account_id: int, badge: str | None) -> None:
    """What this member says of themselves to this group."""
    connection.execute(
        sa.text("UPDATE membership SET badge = :badge WHERE access_id = :id AND account_id = :account_id"),
        {"badge": badge, "id": access_id, "account_id": account_id},
    )


def delete_membership(connection: sa.Connection, access_id: int, account_id: int) -> None:
    """Forgets how the account stood there, and how far it had read: both are health data."""
    keys = {"id": access_id, "account_id": account_id}
    connection.execute(sa.text("DELETE FROM membership WHERE access_id = :id AND account_id = :account_id"), keys)
    connection.execute(
        sa.text(
            "DELETE FROM reading WHERE account_id = :account_id "
            "AND channel_id IN (SELECT id FROM channel WHERE access_id = :id)"
        ),
        keys,
    )


def delete_requests(connection: sa.Connection, access_id: int) -> None:
    """Forgets everyone who asks to come in."""
    connection.execute(
        sa.text("DELETE FROM membership WHERE access_id = :id AND state = 'requested'"), {"id": access_id}
    )


def read_candidate(connection: sa.Connection, access_id: int, handle: str) -> Candidate | None:
    """Whom this handle names; None where nobody has it or their account is not active."""
    row = connection.execute(_CANDIDATE, {"access_id": access_id, "handle": handle}).first()
    return None if row is None else Candidate(*row)


def read_invitation(connection: sa.Connection, access_id: int, account_id: int) -> Invitation | None:
    """The invitation by handle that this account has there."""
    query = sa.text(
        "SELECT membership.by, membership.joined_at FROM membership WHERE access_id = :id "
        "AND account_id = :account_id AND state = 'invited'"
    )
    row = connection.execute(query, {"id": access_id, "account_id": account_id}).first()
    return None if row is None else Invitation(row.by, row.joined_at)


def delete_invitation(connection: sa.Connection, access_id: int, persona_id: int, by: int | None) -> bool:
    """Takes back the invitation of this person, where `by` is set only if that account made it; False: none."""
    gone = connection.execute(
        sa.text(
            "DELETE FROM membership WHERE access_id = :id AND persona_id = :persona_id AND state = 'invited' "
            "AND (CAST(:by AS bigint) IS NULL OR membership.by = :by)"
        ),
        {"id": access_id, "persona_id": persona_id, "by": by},
    )
    return gone.rowcount == 1


def read_officers(connection: sa.Connection, access_id: int) -> list[Officer]:
    """Owners and moderators, those who serve longest first, at most as many as are told of one thing."""
    return [Officer(*row) for row in connection.execute(_OFFICERS, {"id": access_id, "limit": TOLD})]


def count_owners(connection: sa.Connection, access_id: int) -> int:
    """Owners whose account is active: a group is not left to somebody who can't come."""
    query = (
        "SELECT count(*) FROM membership JOIN account ON account.id = membership.account_id "
        "AND account.state = 'active' WHERE membership.access_id = :id AND membership.state = 'member' "
        "AND membership.role = 'owner'"
    )
    return int(connection.execute(sa.text(query), {"id": access_id}).scalar_one())


def count_joined(connection: sa.Connection, account_id: int) -> int:
    """How many groups this account is a member of."""
    query = (
        "SELECT count(*) FROM membership JOIN channel ON channel.id = membership.access_id AND channel.kind = 'group' "
        "WHERE membership.account_id = :id AND membership.state = 'member'"
    )
    return int(connection.execute(sa.text(query), {"id": account_id}).scalar_one())


def count_members(connection: sa.Connection, access_ids: Iterable[int]) -> dict[int, int]:
    """Access channel → how many members it has; 0 where it has none."""
    wanted = set(access_ids)
    found = {row.access_id: row.members for row in _COUNTS.run(connection, [(id,) for id in wanted])}
    return {id: found.get(id, 0) for id in wanted}


def count_requests(connection: sa.Connection, access_ids: Iterable[int]) -> dict[int, int]:
    """Access channel → how many ask to come in; 0 where nobody does."""
    wanted = set(access_ids)
    if not wanted:
        return {}
    found = {row.access_id: row.requests for row in _REQUESTS.run(connection, [(id,) for id in wanted])}
    return {id: found.get(id, 0) for id in wanted}


def is_shown(connection: sa.Connection, room: ChannelRow, account_id: int) -> bool:
    """Whether this member stands in the list that members see (`shown_as`)."""
    if room.joining != "free":
        return True
    return bool(connection.execute(_IS_SHOWN, {"id": room.id, "account_id": account_id}).scalar())


def read_members(
    connection: sa.Connection, room: ChannelRow, *, everyone: bool, limit: int, after: Place = FROM_THE_FIRST
) -> list[Member]:
    """Members after a place in the list: owners, moderators, members, each by time of joining.

    Not `everyone`: those that `is_shown` tells.
    """
    query = _LIST_ALL if everyone or room.joining != "free" else _LIST_SHOWN
    return _listed(connection, query, room.id, "member", limit, after)


def read_standing_as(
    connection: sa.Connection, access_id: int, state: MemberState, *, limit: int, after: Place = FROM_THE_FIRST
) -> list[Member]:
    """Those who are `requested`, `invited` or `banned`, by time."""
    return _listed(connection, _LIST_ALL, access_id, state, limit, after)


def _listed(
    connection: sa.Connection, query: sa.TextClause, access_id: int, state: MemberState, limit: int, after: Place
) -> list[Member]:
    keys = {"rank": after[0], "joined_at": after[1], "persona_id": after[2]}
    rows = connection.execute(query, {"id": access_id, "state": state, "limit": limit, "now": now_ms(), **keys})
    return [
        Member(
            person_of(row)._replace(group_badge=row.group_badge), row.account_id, row.role, row.joined_at, row.word,
            (row.rank, row.joined_at, row.persona_id),
        )
        for row in rows
    ]  # fmt: skip
