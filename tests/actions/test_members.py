"""Coming into groups and going out of them: rights, what is told to whom, and what begins where."""

import asyncio

import pytest

from hubchat.access import Visibility
from hubchat.actions import groups, members
from hubchat.actions.groups import GroupChange
from hubchat.channels.items import Edit
from hubchat.errors import HubError
from hubchat.storage.channels import update_channel
from hubchat.storage.members import TOLD, count_members, read_members
from hubchat.storage.readings import read_mine
from tests.community import Community


@pytest.mark.parametrize("visibility", ["public", "open"])
async def test_a_free_group_is_joined_at_once_and_again_without_change(hub: Community, visibility: Visibility) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, visibility)
    assert await members.join(hub.node, ben, group) == "joined"
    assert await members.join(hub.node, ben, group) == "joined"
    assert await hub.states(group, [ben]) == ["member"]


async def test_a_closed_group_is_asked_and_its_officers_are_told_once(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    group = await hub.group(ada, "closed", ben)
    await members.set_role(hub.node, ada, group, "ben", "moderator")
    assert await members.join(hub.node, cem, group, "I was told of you at the clinic") == "requested"
    assert await members.join(hub.node, cem, group, "please") == "requested"
    for officer in (ada, ben):
        [notice] = [notice for notice in await hub.notices(officer) if notice.get("person") == cem.persona_id]
        assert (notice["reason"], notice["about"]) == ("request", {"channel": group})
        assert notice["person"] == cem.persona_id
        assert "clinic" not in str(notice)
    assert await hub.states(group, [cem]) == ["requested"]


async def test_an_approved_request_makes_a_member_and_tells_them_with_the_word(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "closed")
    await members.join(hub.node, ben, group)
    await members.decide(hub.node, ada, group, "ben", approve=True, word="Welcome")
    assert await hub.states(group, [ben]) == ["member"]
    [notice] = await hub.notices(ben)
    assert (notice["reason"], notice["word"]) == ("approved", "Welcome")
    assert (ben.persona_id, "joined") in await hub.roster(group)


async def test_a_declined_request_leaves_nothing_and_may_be_made_again(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "closed")
    await members.join(hub.node, ben, group)
    await members.decide(hub.node, ada, group, "ben", approve=False)
    assert await hub.states(group, [ben]) == ["none"]
    [notice] = await hub.notices(ben)
    assert (notice["reason"], notice["title"]) == ("declined", "A group")
    assert await members.join(hub.node, ben, group) == "requested"


async def test_a_request_is_decided_once(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "closed")
    await members.join(hub.node, ben, group)
    decisions = await asyncio.gather(
        *(members.decide(hub.node, ada, group, "ben", approve=yes) for yes in (True, False)), return_exceptions=True
    )
    [refused] = [one for one in decisions if one is not None]
    assert isinstance(refused, HubError)
    assert refused.reason == "not_requested"
    assert len(await hub.notices(ben)) == 1


async def test_nobody_without_the_office_decides(hub: Community) -> None:
    ada, ben, cem, admin = *await hub.members("ada", "ben", "cem"), await hub.member("root2", "admin")
    group = await hub.group(ada, "closed", ben)
    await members.join(hub.node, cem, group)
    for nobody in (ben, cem, admin):
        with pytest.raises(HubError, match="not_allowed"):
            await members.decide(hub.node, nobody, group, "cem", approve=True)
    await members.decide(hub.node, ada, group, "cem", approve=True)


async def test_a_secret_group_answers_a_stranger_as_if_it_were_not_there(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "secret")
    for attempt in (
        members.join(hub.node, ben, group),
        members.leave(hub.node, ben, group),
        members.set_listed(hub.node, ben, group, True),
        members.ban(hub.node, ben, group, "ada"),
        members.set_role(hub.node, ben, group, "nobody", "owner"),
        groups.delete(hub.node, ben, group),
    ):
        with pytest.raises(HubError, match="channel_unknown"):
            await attempt


async def test_only_the_longest_serving_officers_hear_of_one_thing(hub: Community) -> None:
    ada, asker = await hub.members("ada", "asker")
    group = await hub.group(ada, "closed")
    officers = [await hub.member(f"mod{i:02}") for i in range(TOLD + 2)]
    for officer in officers:
        await hub.let_in(ada, group, officer)
        await members.set_role(hub.node, ada, group, officer.handle, "moderator")
    await members.join(hub.node, asker, group)
    told = [one for one in (ada, *officers) if "request" in await hub.reasons(one)]
    assert told == [ada, *officers][:TOLD]
    await members.ban(hub.node, ada, group, "asker")
    told = [one for one in (*officers, asker) if "removed" in await hub.reasons(one)]
    assert len(told) + 1 == TOLD  # whom it concerns, and the longest-serving: she who did it is one of them
    assert asker in told


async def test_newcomers_read_from_the_beginning_or_from_their_joining(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    all_of_it = await hub.group(ada, "open")
    since = await hub.group(ada, "open", history="since_joining")
    for group in (all_of_it, since):
        await hub.say(ada, group)
        await hub.say(ada, group)
        await members.join(hub.node, ben, group)
    firsts = [(await hub.stand(ben, group)).first(await hub.channel(group)) for group in (all_of_it, since)]
    assert firsts == [1, 3]


async def test_leaving_ends_delivery_and_forgets_the_member(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "closed", ben)
    await members.leave(hub.node, ben, group)
    assert await hub.states(group, [ben]) == ["none"]
    assert (await hub.roster(group))[-1] == (ben.persona_id, "left")
    [left] = await hub.revocations()
    assert left == {"reason": "left", "account": ben.account_id, "channel": group}
    with pytest.raises(HubError, match="not_member"):
        await members.leave(hub.node, ben, group)


async def test_a_request_is_taken_back_by_leaving(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "closed")
    await members.join(hub.node, ben, group)
    await members.leave(hub.node, ben, group)
    with pytest.raises(HubError, match="not_requested"):
        await members.decide(hub.node, ada, group, "ben", approve=True)


async def test_the_last_owner_hands_over_or_archives_before_leaving(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "open", ben)
    for attempt in (members.leave(hub.node, ada, group), members.set_role(hub.node, ada, group, "ada", "member")):
        with pytest.raises(HubError, match="last_owner"):
            await attempt
    await members.set_role(hub.node, ada, group, "ben", "owner")
    await members.leave(hub.node, ada, group)
    await groups.change(hub.node, ben, group, GroupChange(state="archived"))
    await members.leave(hub.node, ben, group)
    assert await hub.read(lambda connection: count_members(connection, [group])) == {group: 0}


async def test_two_owners_who_leave_at_once_do_not_leave_the_group_alone(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "open", ben)
    await members.set_role(hub.node, ada, group, "ben", "owner")
    left = await asyncio.gather(
        members.leave(hub.node, ada, group), members.leave(hub.node, ben, group), return_exceptions=True
    )
    [stayed] = [one for one in left if one is not None]
    assert isinstance(stayed, HubError)
    assert stayed.reason == "last_owner"


async def test_a_removed_member_and_the_officers_are_told_and_the_room_is_not(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    group = await hub.group(ada, "closed", ben, cem)
    await members.set_role(hub.node, ada, group, "ben", "moderator")
    head = (await hub.channel(group)).head
    await members.remove(hub.node, ben, group, "cem")
    assert await hub.states(group, [cem]) == ["none"]
    assert (await hub.notices(cem))[-1] == {
        "about": {"channel": group}, "reason": "removed", "person": cem.persona_id, "change": "removed",
        "title": "A group", "slug": (await hub.channel(group)).slug,
    }  # fmt: skip
    assert (await hub.entries(cem.inbox_id))[-1].author is None
    assert (await hub.notices(ada))[-1]["person"] == cem.persona_id
    assert "removed" not in await hub.reasons(ben)
    assert (await hub.channel(group)).head == head
    assert (await hub.revocations())[-1]["reason"] == "removed"


async def test_who_is_banned_cannot_come_back_until_the_ban_is_lifted(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "open", ben)
    await members.ban(hub.node, ada, group, "ben")
    with pytest.raises(HubError, match="channel_unknown"):
        await members.join(hub.node, ben, group)
    await members.unban(hub.node, ada, group, "ben")
    assert await members.join(hub.node, ben, group) == "joined"


async def test_who_is_banned_from_a_public_group_may_not_join_but_sees_it(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "public")
    await members.ban(hub.node, ada, group, "ben")
    with pytest.raises(HubError, match="not_allowed"):
        await members.join(hub.node, ben, group)
    assert await hub.notices(ben) == []  # they had nothing to do with it: a ban tells of no group


async def test_banning_twice_tells_once(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "closed", ben)
    await members.ban(hub.node, ada, group, "ben")
    await members.ban(hub.node, ada, group, "ben")
    assert (await hub.reasons(ben)).count("removed") == 1


async def test_officers_act_on_those_below_them_alone(hub: Community) -> None:
    ada, ben, cem, dan = await hub.members("ada", "ben", "cem", "dan")
    group = await hub.group(ada, "open", ben, cem, dan)
    for moderator in ("ben", "cem"):
        await members.set_role(hub.node, ada, group, moderator, "moderator")
    for actor, target in ((ben, "ada"), (ben, "cem"), (ben, "ben"), (dan, "cem"), (ada, "ada")):
        for verb in (members.remove, members.ban):
            with pytest.raises(HubError, match="not_allowed"):
                await verb(hub.node, actor, group, target)
    await members.remove(hub.node, ben, group, "dan")
    await members.remove(hub.node, ada, group, "cem")


async def test_a_new_role_is_told_to_whom_has_it_and_to_the_roster(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "open", ben)
    await members.set_role(hub.node, ada, group, "ben", "moderator")
    assert (await hub.notices(ben))[-1] == {"about": {"channel": group}, "reason": "role", "role": "moderator"}
    assert (await hub.roster(group))[-1] == (ben.persona_id, "role")
    await members.set_role(hub.node, ada, group, "ben", "member")
    assert (await hub.revocations())[-1] == {"reason": "role", "channel": group}


async def test_only_owners_give_roles_and_only_to_members(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    group = await hub.group(ada, "open", ben)
    await members.set_role(hub.node, ada, group, "ben", "moderator")
    with pytest.raises(HubError, match="not_allowed"):
        await members.set_role(hub.node, ben, group, "ben", "owner")
    with pytest.raises(HubError, match="not_member"):
        await members.set_role(hub.node, ada, group, cem.handle, "moderator")
    with pytest.raises(HubError, match="person_unknown"):
        await members.set_role(hub.node, ada, group, "nobody", "moderator")


async def shown(hub: Community, group: int, *, everyone: bool = False) -> set[str]:
    room = await hub.channel(group)
    listed = await hub.read(lambda connection: read_members(connection, room, everyone=everyone, limit=50))
    return {member.person.handle for member in listed}


async def test_in_a_free_group_those_are_seen_who_wrote_or_chose_to_be(hub: Community) -> None:
    ada, ben, cem, dan = await hub.members("ada", "ben", "cem", "dan")
    group = await hub.group(ada, "open", ben, cem, dan)
    await hub.say(ben, group)
    await members.set_listed(hub.node, cem, group, True)
    assert await shown(hub, group) == {"ada", "ben", "cem"}
    assert await shown(hub, group, everyone=True) == {"ada", "ben", "cem", "dan"}
    assert await hub.roster(group) == [(ada.persona_id, "joined"), (cem.persona_id, "joined")]
    await members.leave(hub.node, dan, group)
    assert (await hub.roster(group))[-1] != (dan.persona_id, "left")


async def test_who_hides_again_leaves_the_list(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "open", ben)
    for listed in (True, True, False):
        await members.set_listed(hub.node, ben, group, listed)
    assert await shown(hub, group) == {"ada"}
    assert [change for person, change in await hub.roster(group) if person == ben.persona_id] == ["joined", "left"]


async def test_in_a_closed_group_members_see_each_other(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "closed", ben)
    assert await shown(hub, group) == {"ada", "ben"}


async def test_an_opened_group_hides_who_was_seen_among_few(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    group = await hub.group(ada, "closed", ben, cem)
    await hub.say(ben, group, "in confidence")
    await groups.change(hub.node, ada, group, GroupChange(visibility="open"))
    await hub.say(cem, group, "for all")
    assert await shown(hub, group) == {"ada", "cem"}


async def test_what_came_before_joining_is_not_unread(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "open")
    await hub.say(ada, group)
    await members.join(hub.node, ben, group)
    assert await hub.node.readings.unread(ben.account_id, {group}) == {group: 0}
    await hub.say(ada, group)
    assert await hub.node.readings.unread(ben.account_id, {group}) == {group: 1}


async def test_nobody_is_in_more_groups_than_a_connection_can_follow(
    hub: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "JOINED", 2)
    ada, ben = await hub.members("ada", "ben")
    for _ in range(2):
        await hub.group(ada, "open", ben)
    for visibility in ("open", "closed"):
        group = await hub.group(ada, visibility)
        with pytest.raises(HubError, match="too_many"):
            await members.join(hub.node, ben, group)


async def test_an_archived_group_takes_nobody_in(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "open")
    await groups.change(hub.node, ada, group, GroupChange(state="archived"))
    with pytest.raises(HubError, match="archived"):
        await members.join(hub.node, ben, group)


async def test_a_tail_is_never_read_past_by_newcomers(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "open")
    for _ in range(4):
        await hub.say(ada, group)
    await hub.node.log.write(lambda tx: update_channel(tx.connection, group, tail=3))
    await members.join(hub.node, ben, group)
    assert (await hub.stand(ben, group)).first_seq == 3


async def test_naming_somebody_does_not_tell_whether_they_are_in_a_free_group(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    free, closed = await hub.group(ada, "public", ben, cem), await hub.group(ada, "closed", ben, cem)
    await hub.say(cem, free)

    async def name_them(group: int) -> None:
        seq = await hub.say(ada, group, "@ben @cem @nobody")
        changed = "@cem @ben"
        await hub.node.log.append(lambda done: Edit(ada.account_id, ada.persona_id, group, done, seq, changed))

    for group in (free, closed):
        await name_them(group)
    told = [(await hub.entries(group, "message"))[-1].data for group in (free, closed)]
    assert told == [{"mentions": [cem.persona_id]}, {"mentions": [cem.persona_id, ben.persona_id]}]
    for group in (free, closed):  # who is named counts it all the same
        [position] = [one for one in await hub.read(lambda c: read_mine(c, ben.account_id)) if one.channel.id == group]
        assert position.mentions == 1
