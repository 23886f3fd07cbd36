"""Conversations of 2 to 8: one for each set of people, asked for where they share no group."""

import asyncio

import pytest
import sqlalchemy as sa

from hubchat.actions import members
from hubchat.actions.blocks import block
from hubchat.actions.conversations import accept, converse, decline
from hubchat.errors import HubError
from hubchat.storage.conversations import read_people
from tests.community import Community


async def people(hub: Community, conversation: int) -> list[str]:
    found = await hub.read(lambda connection: read_people(connection, [conversation]))
    return [person.handle for person in found[conversation]]


async def test_the_same_people_always_have_the_same_conversation(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    await hub.group(ada, "closed", ben, cem)
    pair = await converse(hub.node, ada, ["ben"])
    three = await converse(hub.node, ada, ["ben", "cem"])
    assert pair != three
    assert await converse(hub.node, ben, ["ada", "ada", "ben"]) == pair
    assert await converse(hub.node, cem, ["ben", "ada"]) == three
    assert await people(hub, three) == ["ada", "ben", "cem"]


async def test_two_who_open_it_at_once_are_in_the_same_one(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    opened = await asyncio.gather(
        converse(hub.node, ada, ["ben", "cem"]), converse(hub.node, ben, ["cem", "ada"]),
        converse(hub.node, cem, ["ada", "ben"]), converse(hub.node, ada, ["cem", "ben"]),
    )  # fmt: skip
    assert len(set(opened)) == 1
    assert await hub.states(opened[0], [ada, ben, cem]) == ["member"] * 3


async def test_a_conversation_has_two_to_eight_people_who_are_there(hub: Community) -> None:
    ada, *others = await hub.members(*(f"m{i}" for i in range(9)))
    handles = [other.handle for other in others]
    for wrong in ([], [ada.handle], handles):
        with pytest.raises(HubError, match="people_count"):
            await converse(hub.node, ada, wrong)
    with pytest.raises(HubError, match="person_unknown"):
        await converse(hub.node, ada, ["m1", "nobody"])
    eight = await converse(hub.node, ada, handles[:7])
    assert len(await people(hub, eight)) == 8


async def test_who_shares_a_group_is_in_at_once_and_who_does_not_is_asked(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    await hub.group(ada, "secret", ben)
    made = await converse(hub.node, ada, ["ben", "cem"])
    assert await hub.states(made, [ada, ben, cem]) == ["member", "member", "invited"]
    for who in (ben, cem):
        assert (await hub.notices(who))[-1] == {"about": {"channel": made}, "reason": "invitation"}


async def test_to_have_joined_where_anybody_may_is_no_leave_to_write_to_everybody_there(hub: Community) -> None:
    ada, ben, cem, eve = await hub.members("ada", "ben", "cem", "eve")
    group = await hub.group(ada, "public", ben, cem, eve)
    await hub.say(ben, group)
    made = await converse(hub.node, eve, ["ben", "cem"])
    assert await hub.states(made, [ben, cem]) == ["member", "invited"]


async def test_to_have_been_banned_from_a_group_is_not_to_share_it(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "open", ben)
    await members.ban(hub.node, ada, group, "ben")
    made = await converse(hub.node, ben, ["ada"])
    assert await hub.states(made, [ada]) == ["invited"]


async def test_who_is_asked_reads_but_writes_only_after_accepting(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    made = await converse(hub.node, ada, ["ben"])
    await hub.say(ada, made, "may I ask you something?")
    stand = await hub.stand(ben, made)
    assert stand.first(await hub.channel(made)) == 1
    assert await hub.node.readings.unread(ben.account_id, {made}) == {made: 1}
    with pytest.raises(HubError, match="not_allowed"):
        await hub.say(ben, made)
    await accept(hub.node, ben, made)
    await accept(hub.node, ben, made)
    await hub.say(ben, made, "of course")


async def test_who_writes_back_has_accepted(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    made = await converse(hub.node, ada, ["ben"])
    assert await converse(hub.node, ben, ["ada"]) == made
    assert await hub.states(made, [ben]) == ["member"]


async def test_a_declined_request_ends_silently_and_is_not_made_again(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    made = await converse(hub.node, ada, ["ben"])
    told = len(await hub.notices(ben))
    await decline(hub.node, ben, made)
    assert await hub.revocations() == [{"reason": "declined", "account": ben.account_id, "channel": made}]
    assert await hub.notices(ada) == []
    assert await people(hub, made) == ["ada", "ben"]  # what the asker sees stays as it was
    await hub.say(ada, made, "hello?")
    assert await converse(hub.node, ada, ["ben"]) == made
    assert len(await hub.notices(ben)) == told
    for attempt in (accept(hub.node, ben, made), decline(hub.node, ben, made)):
        with pytest.raises(HubError, match="channel_unknown"):
            await attempt
    assert await converse(hub.node, ben, ["ada"]) == made
    assert await hub.states(made, [ben]) == ["member"]


async def test_who_blocked_the_asker_is_not_asked_and_the_asker_sees_no_difference(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    await hub.group(ada, "closed", ben, cem)
    await block(hub.node, ben, "ada")
    made = await converse(hub.node, ada, ["ben", "cem"])
    assert await people(hub, made) == ["ada", "ben", "cem"]
    assert await hub.states(made, [ben, cem]) == ["banned", "member"]
    assert [notice for notice in await hub.notices(ben) if notice["about"]["channel"] == made] == []


async def test_a_stranger_finds_no_conversation_and_nobody_leaves_one_like_a_group(hub: Community) -> None:
    ada, _ben, cem = await hub.members("ada", "ben", "cem")
    made = await converse(hub.node, ada, ["ben"])
    for attempt in (accept(hub.node, cem, made), decline(hub.node, cem, made), members.leave(hub.node, ada, made)):
        with pytest.raises(HubError, match="channel_unknown"):
            await attempt
    with pytest.raises(HubError, match="not_allowed"):
        await decline(hub.node, ada, made)


async def test_a_group_is_accepted_at_its_own_door_alone(hub: Community) -> None:
    ada = await hub.member("ada")
    group = await hub.group(ada)
    for attempt in (accept(hub.node, ada, group), decline(hub.node, ada, ada.inbox_id), accept(hub.node, ada, 1)):
        with pytest.raises(HubError, match="channel_unknown"):
            await attempt


async def test_who_is_gone_is_not_there_to_talk_to(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    statement = sa.text("UPDATE account SET state = 'disabled' WHERE id = :ben")
    await hub.node.log.write(lambda tx: tx.connection.execute(statement, {"ben": ben.account_id}))
    with pytest.raises(HubError, match="person_unknown"):
        await converse(hub.node, ada, ["ben"])
