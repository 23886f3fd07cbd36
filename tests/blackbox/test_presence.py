"""Who is here and who is typing, told to those alone who may know."""

import asyncio
from typing import Any

import pytest

from tests.blackbox.client import Refused
from tests.blackbox.hub import Hub, Person
from tests.blackbox.line import Line

A_WHILE_S = 1.0  # in which what must not be said would have been said


def states(line: Line, person: Person) -> list[str]:
    """What a line was told of somebody, oldest first."""
    told = [frame["people"] for frame in line.signals("presence")]
    return [people[str(person.id)] for people in told if str(person.id) in people]


def typists(line: Line, channel: int) -> list[int]:
    return [frame["person"] for frame in line.signals("typing") if frame["channel"] == channel]


def audience(line: Line, channel: int) -> list[int]:
    return [frame["count"] for frame in line.signals("audience") if frame["channel"] == channel]


async def online(line: Line, *people: Person) -> list[int]:
    found: list[int] = (await line.do("watch", people=[person.id for person in people]))["online"]
    return found


async def until_seen(line: Line, person: Person, *expected: str) -> None:
    """Waits until a line was told of these states, and of no other."""
    await line.until(lambda: states(line, person)[-1:] == [expected[-1]], within_s=10)
    assert states(line, person) == list(expected)


async def test_those_who_share_a_group_see_each_other_come_and_go(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    await hub.group(anna, "closed", ben)
    line = await anna.live()
    assert await online(line, ben) == []
    his = await ben.live()
    await until_seen(line, ben, "online")
    assert await online(line, ben) == [ben.id]
    await his.__aexit__()
    await until_seen(line, ben, "online", "offline")
    assert await online(line, ben) == []


async def test_a_member_is_here_once_however_many_devices_are(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    await hub.group(anna, "closed", ben)
    line, phone, desk = await anna.live(), await ben.live(), await ben.live()
    assert await online(line, ben) == [ben.id]
    await phone.__aexit__()
    await asyncio.sleep(A_WHILE_S)
    assert await online(line, ben) == [ben.id]
    await desk.do("idle", on=True)
    await until_seen(line, ben, "away")


async def test_a_member_is_away_when_every_device_is_idle(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    await hub.group(anna, "closed", ben)
    line, phone, desk = await anna.live(), await ben.live(), await ben.live()
    await online(line, ben)
    assert await phone.do("idle", on=True) == {}
    await asyncio.sleep(A_WHILE_S)
    assert states(line, ben) == []
    assert await desk.do("idle", on=True) == {}
    await until_seen(line, ben, "away")
    assert await phone.do("idle", on=False) == {}
    await until_seen(line, ben, "away", "online")


async def test_a_new_list_replaces_the_last(hub: Hub) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    await hub.group(anna, "closed", ben, zoe)
    line = await anna.live()
    await online(line, ben)
    await online(line, zoe)
    await ben.live()
    await zoe.live()
    await until_seen(line, zoe, "online")
    assert states(line, ben) == []


async def test_to_anybody_else_one_looks_offline_as_an_unknown_id_does(hub: Hub) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    group = await hub.group(anna, "closed", ben)
    line, stranger = await anna.live(), await zoe.live()
    assert await online(line, ben) == []
    assert await online(stranger, ben) == []
    await ben.live()
    await until_seen(line, ben, "online")
    assert (await stranger.do("watch", people=[ben.id, 12345]))["online"] == []
    assert states(stranger, ben) == []
    await hub.let_in(anna, group, zoe, "closed")
    assert await online(stranger, ben) == [ben.id]


async def test_who_is_watched_is_seen_from_when_a_group_is_shared(hub: Hub) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    group = await hub.group(anna, "closed", ben)
    line, his = await zoe.live(), await ben.live()
    assert await online(line, ben) == []
    await hub.let_in(anna, group, zoe, "closed")
    await his.do("idle", on=True)
    await line.until(lambda: states(line, ben)[-1:] == ["away"], within_s=4)


@pytest.mark.parametrize("how", ["left", "removed"])
async def test_who_shares_no_group_any_more_is_not_seen_any_more(hub: Hub, how: str) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "closed", ben)
    line, his = await anna.live(), await ben.live()
    assert await online(line, ben) == [ben.id]
    assert await online(his, anna) == [anna.id]
    if how == "left":
        await ben.post(f"groups/{group}/leave", status=204)
    else:
        await anna.delete(f"groups/{group}/members/{ben.handle}")
    await until_seen(line, ben, "offline")
    await until_seen(his, anna, "offline")
    await his.do("idle", on=True)
    await asyncio.sleep(A_WHILE_S)
    assert states(line, ben) == ["offline"]
    assert await online(line, ben) == []


async def test_an_open_group_shows_the_presence_of_whom_its_list_shows(hub: Hub) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    group = await hub.group(anna, "open", ben, zoe)
    line = await zoe.live()
    await ben.live()
    assert await online(line, ben) == []
    await ben.say(group, "here I am")
    assert await online(line, ben) == [ben.id]


@pytest.mark.parametrize("shown", ["nobody", "conversations"])
async def test_who_shows_no_presence_looks_offline_at_once(hub: Hub, shown: str) -> None:
    anna, ben = await hub.members("anna", "ben")
    await hub.group(anna, "closed", ben)
    line = await anna.live()
    await ben.live()
    assert await online(line, ben) == [ben.id]
    await ben.patch("me", {"presence": shown})
    await until_seen(line, ben, "offline")
    assert await online(line, ben) == []
    await ben.patch("me", {"presence": "shared"})
    await until_seen(line, ben, "offline", "online")


@pytest.mark.parametrize("shown", ["nobody", "conversations"])
@pytest.mark.parametrize("when", ["before connecting", "while connected"])
async def test_who_shows_no_presence_is_not_told_to_be_typing(hub: Hub, shown: str, when: str) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "closed", ben)
    line, early = await anna.live(group), await ben.live()
    await ben.patch("me", {"presence": shown})
    his = early if when == "while connected" else await ben.live()
    assert await his.do("typing", channel=group) == {}
    await ben.say(group)
    await line.until_entries(group)
    assert typists(line, group) == []


async def test_who_is_here_for_conversations_is_seen_there_alone(hub: Hub) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    await hub.group(anna, "closed", ben, zoe)
    await anna.post("conversations", {"handles": [ben.handle]})
    await ben.patch("me", {"presence": "conversations"})
    friend, fellow = await anna.live(), await zoe.live()
    await ben.live()
    assert await online(friend, ben) == [ben.id]
    assert await online(fellow, ben) == []


async def test_typing_is_told_to_members_in_the_room_and_not_too_often(hub: Hub) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    group = await hub.group(anna, "public", ben)
    his, hers, reader = await ben.live(group), await anna.live(), await zoe.live(group)
    for _ in range(5):
        assert await hers.do("typing", channel=group) == {}
    await his.until(lambda: typists(his, group))
    await anna.say(group)
    await his.until_entries(group)
    assert typists(his, group) == [anna.id]
    await reader.until_entries(group)
    assert typists(reader, group) == []
    await asyncio.sleep(3.1)
    await hers.do("typing", channel=group)
    await his.until(lambda: typists(his, group) == [anna.id] * 2)


async def test_who_may_not_write_does_not_type(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "public")
    with pytest.raises(Refused) as refused:
        await (await ben.live()).do("typing", channel=group)
    assert refused.value.code == "forbidden"


@pytest.mark.parametrize("verb", ["watch", "typing"])
async def test_guests_get_none_of_it(hub: Hub, verb: str) -> None:
    anna, guest = await hub.member(), await hub.browser()
    group = await hub.group(anna, "public")
    fields: dict[str, Any] = {"people": [anna.id]} if verb == "watch" else {"channel": group}
    with pytest.raises(Refused) as refused:
        await (await guest.live(group)).do(verb, **fields)
    assert refused.value.code == "unauthorized"


async def test_an_audience_is_told_from_five_up_and_when_it_ends(hub: Hub) -> None:
    anna, guest = await hub.member(), await hub.browser()
    group = await hub.group(anna, "public")
    hers = await anna.live(group)
    others = [await guest.live(group) for _ in range(3)]
    await asyncio.sleep(A_WHILE_S)
    assert audience(hers, group) == []
    others += [await guest.live(group) for _ in range(3)]
    await hers.until(lambda: audience(hers, group)[-1:] == [7], within_s=5)
    assert min(audience(hers, group)) >= 5
    for line in others[:4]:
        await line.do("unsubscribe", channel=group)
    await hers.until(lambda: audience(hers, group)[-1:] == [0], within_s=5)
    assert len(audience(hers, group)) <= 4
