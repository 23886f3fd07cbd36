"""Who may do what, written down once more apart from it, and held against `access.can` cell by cell.

Nothing here is taken from the rules themselves: a cell names people, and people are told apart below.
"""

from collections.abc import Iterator
from itertools import product
from typing import Final, get_args

import pytest

from hubchat import access
from hubchat.access import Action, ChannelState, GroupRole, HubRole, MemberState, Place, Presets, Standing

KINDS: Final = ("public", "open", "closed", "secret", "conversation", "roster", "inbox")
QUIET: Final = ("send", "edit", "react", "typing")
"""What a group that moderators alone write in keeps to them."""

# Words of the table. `+rank` adds the hub's moderators and administrators who are not banned there.
PEOPLE: Final[dict[str, frozenset[str]]] = {
    "anybody": frozenset({"guest", "banned", "stranger", "requested", "invited", "member", "moderator", "owner"}),
    "signed-in": frozenset({"stranger", "requested", "invited", "member", "moderator", "owner"}),
    "outside": frozenset({"stranger", "requested", "invited"}),
    "pending": frozenset({"requested", "invited"}),
    "stranger": frozenset({"stranger"}),
    "invited": frozenset({"invited"}),
    "let-in": frozenset({"invited", "member", "moderator", "owner"}),
    "members": frozenset({"member", "moderator", "owner"}),
    "moderators": frozenset({"moderator", "owner"}),
    "owners": frozenset({"owner"}),
    "-": frozenset(),
}

TABLE: Final = """
action              public           open             closed      secret      conversation  roster      inbox
see                 anybody          signed-in        signed-in   let-in      let-in        members     members
read                anybody          signed-in        members     members     let-in        members     members
mark_read           signed-in        signed-in        members     members     let-in        members     members
send                members          members          members     members     members       -           -
send_freely         moderators       moderators       moderators  moderators  moderators    -           -
edit                members          members          members     members     members       -           -
react               members          members          members     members     members       -           -
typing              members          members          members     members     members       -           -
delete_own          signed-in        signed-in        members     members     let-in        members     members
delete_any          moderators+rank  moderators+rank  moderators  moderators  moderators    moderators  moderators
revisions           moderators+rank  moderators+rank  moderators  moderators  moderators    moderators  moderators
pin                 moderators       moderators       moderators  moderators  members       -           -
see_members         members          members          members     members     members       members     members
see_all_members     moderators       moderators       moderators  moderators  moderators    moderators  moderators
join                outside          outside          -           -           -             -           -
request             -                -                stranger    -           -             -           -
accept              invited          invited          invited     invited     invited       invited     invited
withdraw            pending          pending          pending     pending     pending       pending     pending
leave               members          members          members     members     -             -           -
invite              members          members          moderators  moderators  -             -           -
decide              moderators       moderators       moderators  moderators  -             -           -
remove              moderators       moderators       moderators  moderators  -             -           -
ban                 moderators       moderators       moderators  moderators  -             -           -
set_role            owners           owners           owners      owners      -             -           -
change              moderators       moderators       moderators  moderators  -             -           -
change_visibility   owners           owners           owners      owners      -             -           -
archive             owners           owners           owners      owners      -             -           -
delete              owners           owners           owners      owners      -             -           -
"""

STILL_IN_THE_ARCHIVE: Final = (
    *("see", "read", "mark_read", "delete_own", "delete_any", "revisions", "see_members", "see_all_members"),
    *("withdraw", "leave", "remove", "ban", "set_role", "archive", "delete"),
)
"""An archived group is read, tidied and left, or opened again; nothing is written and nobody comes in."""

PRESETS: Final[dict[str, Presets]] = {
    **dict(access.VISIBILITIES.items()),
    "conversation": access.CONVERSATION,
    "roster": access.ROSTER,
    "inbox": access.INBOX,
}


def read_table() -> dict[str, dict[str, str]]:
    """action → kind of channel → who."""
    head, *lines = (line.split() for line in TABLE.strip().splitlines())
    return {action: dict(zip(head[1:], cells, strict=True)) for action, *cells in lines}


EXPECTED: Final = read_table()


def who_is(standing: Standing) -> str:
    """The word for somebody. Roles mean something among members only; a guest has no membership that counts."""
    if standing.hub_role == "guest":
        return "guest"
    if standing.state == "member":
        return standing.role
    return "stranger" if standing.state == "none" else standing.state


def expected(action: str, standing: Standing, kind: str, state: ChannelState) -> bool:
    if state == "deleted" or (state == "archived" and action not in STILL_IN_THE_ARCHIVE):
        return False
    people, _, rank = EXPECTED[action][kind].partition("+")
    who = who_is(standing)
    by_rank = bool(rank) and standing.hub_role in ("moderator", "admin") and who != "banned"
    return who in PEOPLE[people] or by_rank


def place_of(kind: str, state: ChannelState = "open") -> Place:
    return Place(PRESETS[kind], state, "group" if kind in access.VISIBILITIES else kind)


def everybody() -> Iterator[Standing]:
    for hub_role, state, role in product(get_args(HubRole), get_args(MemberState), get_args(GroupRole)):
        yield Standing(hub_role, state, role)


def test_the_table_has_every_action_and_every_kind_of_channel() -> None:
    assert set(EXPECTED) == set(get_args(Action))
    assert all(tuple(cells) == KINDS for cells in EXPECTED.values())
    assert set(EXPECTED) == set(access.RULES)


@pytest.mark.parametrize("action", EXPECTED)
def test_everybody_may_do_what_the_table_says_and_nothing_else(action: Action) -> None:
    wrong = [
        (standing, kind, state)
        for standing, kind, state in product(everybody(), KINDS, get_args(ChannelState))
        if access.can(action, standing, place_of(kind, state)) != expected(action, standing, kind, state)
    ]
    assert not wrong


def test_where_moderators_alone_write_members_do_all_but_that() -> None:
    actions: tuple[Action, ...] = get_args(Action)
    for standing, kind, state in product(everybody(), access.VISIBILITIES, get_args(ChannelState)):
        place = place_of(kind, state)
        quiet = place._replace(presets=place.presets._replace(writers="moderators"))
        wrong = [
            action
            for action in actions
            if access.can(action, standing, quiet)
            != (expected(action, standing, kind, state) and (action not in QUIET or standing.role != "member"))
        ]
        assert not wrong
        assert access.visibility(quiet.presets) == kind


def test_what_a_client_is_told_it_may_do_is_what_it_may_do() -> None:
    for standing, kind, state in product(everybody(), KINDS, get_args(ChannelState)):
        told = access.allowed(standing, place_of(kind, state))
        assert set(told) == {action for action in EXPECTED if expected(action, standing, kind, state)}
