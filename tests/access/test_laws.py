"""What must hold whatever the table says: laws over every standing and every channel."""

from typing import Final, get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hubchat import access
from hubchat.access import (
    VISIBILITIES,
    Action,
    ChannelState,
    GroupRole,
    History,
    HubRole,
    MemberState,
    Place,
    Presets,
    Standing,
    can,
)
from hubchat.errors import HubError

READING: Final[tuple[Action, ...]] = ("see", "read")
PRIVATE: Final = (VISIBILITIES["closed"], VISIBILITIES["secret"], access.CONVERSATION)

actions = st.sampled_from(get_args(Action))
standings = st.builds(
    Standing,
    st.sampled_from(get_args(HubRole)),
    st.sampled_from(get_args(MemberState)),
    st.sampled_from(get_args(GroupRole)),
)
presets = st.sampled_from((*VISIBILITIES.values(), access.CONVERSATION, access.ROSTER, access.INBOX, access.INTERNAL))
places = st.builds(
    Place, presets, st.sampled_from(get_args(ChannelState)), st.sampled_from(("group", "conversation", "roster"))
)
seqs = st.integers(1, 1_000)


@given(actions, standings, st.sampled_from(PRIVATE), st.sampled_from(get_args(ChannelState)))
def test_no_rank_on_the_hub_changes_anything_where_only_members_read(
    action: Action, standing: Standing, private: Presets, state: ChannelState
) -> None:
    assume(standing.hub_role != "guest")
    plain = standing._replace(hub_role="member")
    assert can(action, standing, Place(private, state)) == can(action, plain, Place(private, state))


@given(actions, standings, places)
def test_a_guest_does_nothing_but_read_what_is_public(action: Action, standing: Standing, place: Place) -> None:
    if can(action, standing._replace(hub_role="guest"), place):
        assert action in READING
        assert place.presets == VISIBILITIES["public"]


@given(actions, standings, places)
def test_who_is_banned_may_do_exactly_what_a_guest_may(action: Action, standing: Standing, place: Place) -> None:
    assert can(action, standing._replace(state="banned"), place) == can(action, access.GUEST, place)


@given(actions, standings, places)
def test_a_higher_role_in_the_group_never_takes_a_right_away(action: Action, standing: Standing, place: Place) -> None:
    if can(action, standing, place):
        assert can(action, standing._replace(role="owner"), place)


@given(actions, standings, st.sampled_from(list(VISIBILITIES)), st.sampled_from(get_args(ChannelState)))
def test_a_group_that_is_easier_to_read_shows_nobody_less(
    action: Action, standing: Standing, visibility: access.Visibility, state: ChannelState
) -> None:
    if action not in READING or not can(action, standing, Place(VISIBILITIES[visibility], state)):
        return
    for other, ease in access.EASE.items():
        if ease >= access.EASE[visibility]:
            assert can(action, standing, Place(VISIBILITIES[other], state))


@given(actions, standings, places)
def test_an_archived_channel_allows_nothing_that_an_open_one_refuses(
    action: Action, standing: Standing, place: Place
) -> None:
    if can(action, standing, place._replace(state="archived")):
        assert can(action, standing, place._replace(state="open"))


@given(actions, standings, places)
def test_of_a_deleted_channel_nothing_is_left(action: Action, standing: Standing, place: Place) -> None:
    assert not can(action, standing, place._replace(state="deleted"))


@given(actions, standings, places)
def test_a_refusal_tells_of_no_channel_that_one_may_not_see(action: Action, standing: Standing, place: Place) -> None:
    if can(action, standing, place):
        access.require(action, standing, place)
        return
    with pytest.raises(HubError) as refused:
        access.require(action, standing, place)
    visible = can("see", standing, place) or can("read", standing, place)
    assert (refused.value.reason == "channel_unknown") == (not visible)


@given(standings)
def test_who_may_read_a_group_may_see_it(standing: Standing) -> None:
    for preset in VISIBILITIES.values():
        assert can("see", standing, Place(preset)) or not can("read", standing, Place(preset))


def test_owners_outrank_all_moderators_members_and_members_nobody() -> None:
    below = {
        "owner": {"member", "moderator", "owner"},
        "moderator": {"member"},
        "member": set(),
    }
    for actor in get_args(GroupRole):
        assert {target for target in get_args(GroupRole) if access.can_outrank(actor, target)} == below[actor]


@given(tail=seqs, open_from=seqs, head=seqs, history=st.sampled_from(get_args(History)))
def test_who_is_no_member_reads_nothing_from_before_the_opening(
    tail: int, open_from: int, head: int, history: History
) -> None:
    first = access.first_readable(tail=tail, open_from=open_from, first_seq=None, head=head, history=history)
    assert first >= (head + 1 if history == "since_joining" else max(tail, open_from))


@given(tail=seqs, opened=seqs, first_seq=seqs, head=seqs, history=st.sampled_from(get_args(History)))
def test_a_member_keeps_what_was_open_to_them_whatever_the_group_becomes(
    tail: int, opened: int, first_seq: int, head: int, history: History
) -> None:
    first = access.first_readable(tail=tail, open_from=opened, first_seq=first_seq, head=head, history=history)
    assert first == max(tail, first_seq)


def test_every_visibility_has_a_name_and_the_other_presets_have_none() -> None:
    assert {access.visibility(preset) for preset in VISIBILITIES.values()} == set(VISIBILITIES)
    assert access.visibility(access.CONVERSATION) is None
