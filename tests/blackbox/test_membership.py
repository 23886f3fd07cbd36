"""Leaving, being removed or banned, roles, the roster, and the end of what one was sent."""

import asyncio
from typing import Any

import pytest

from tests.blackbox.client import Refused
from tests.blackbox.hub import ON_BOTH, Hub, Person
from tests.blackbox.line import Line

pytestmark = ON_BOTH

VISIBILITIES = ("public", "open", "closed", "secret")


def texts(line: Line, group: int) -> list[str]:
    return [entry["text"] for entry in line.entries(group, "message")]


def changes(line: Line, roster: int) -> list[tuple[int, str]]:
    return [(entry["person"], entry["change"]) for entry in line.entries(roster, "member")]


async def roster(person: Person, group: int) -> int:
    found: int = (await person.get(f"groups/{group}"))["roster"]
    return found


async def go(how: str, owner: Person, group: int, member: Person) -> None:
    if how == "left":
        await member.post(f"groups/{group}/leave", status=204)
    elif how == "removed":
        await owner.delete(f"groups/{group}/members/{member.handle}")
    else:
        await owner.put(f"groups/{group}/bans/{member.handle}")


@pytest.mark.parametrize("how", ["left", "removed", "banned"])
@pytest.mark.parametrize("visibility", VISIBILITIES)
async def test_who_goes_hears_nothing_more(hub: Hub, visibility: str, how: str) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    group = await hub.group(anna, visibility, ben, zoe)
    room, list_ = group, await roster(ben, group)
    phone, desk, hers = await ben.live(room, list_), await ben.live(room), await zoe.live(room)
    await anna.say(group, "while he was here")
    await desk.until_entries(group)
    await go(how, anna, group, ben)
    await desk.until_revoked()
    assert await phone.until_revoked(2) == {room: how, list_: how}
    await anna.say(group, "after that")
    await hers.until_entries(group, 2)
    for line in (phone, desk):
        await line.do("ping")
        assert texts(line, group) == ["while he was here"]
    assert hers.revoked() == {}


async def test_a_banned_member_has_no_way_back_but_reads_what_is_public_as_guests_do(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    for visibility in VISIBILITIES:
        group = await hub.group(anna, visibility, ben)
        await go("banned", anna, group, ben)
        line = await ben.live()
        assert (await ben.http.post(f"groups/{group}/join", json={})).status_code in (403, 404, 409)
        assert (await ben.http.post(f"channels/{group}/messages", json={"text": "x"})).status_code in (403, 404)
        if visibility == "public":
            assert (await line.subscribe(group))["channel"] == group
        else:
            with pytest.raises(Refused) as refused:
                await line.subscribe(group)
            assert refused.value.code == "not_found"
        link = (await anna.post(f"groups/{group}/invites", {}, 201))["code"]
        assert (await ben.http.post("invites", json={"code": link})).status_code in (403, 404, 409)
        await anna.delete(f"groups/{group}/bans/{ben.handle}")
        assert (await ben.http.post("invites", json={"code": link})).status_code == 200


async def test_who_is_removed_in_the_middle_of_much_talk_hears_its_beginning_and_no_more(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "closed", ben)
    his, hers = await ben.live(group), await anna.live(group)
    told = [await hers.tell("send", channel=group, nonce=f"n{n}", text=f"text {n}") for n in range(100)]
    await go("removed", anna, group, ben)
    await his.until_revoked()
    told += [await hers.tell("send", channel=group, nonce=f"n{n}", text=f"text {n}") for n in range(100, 200)]
    await asyncio.wait_for(asyncio.gather(*told), 20)
    await hers.until_at(group, 200)
    await his.do("ping")
    heard = his.seqs(group)
    assert heard == list(range(1, len(heard) + 1))
    assert len(heard) <= 100


async def test_a_member_who_left_neither_hears_nor_is_heard_typing(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "closed", ben)
    his, hers = await ben.live(group), await anna.live(group)
    await go("left", anna, group, ben)
    await his.until_revoked()
    await hers.do("typing", channel=group)
    with pytest.raises(Refused) as refused:
        await his.do("typing", channel=group)
    assert refused.value.code == "not_found"
    await hers.do("ping")
    await his.do("ping")
    assert his.signals("typing") == []
    assert ben.id not in [one["person"] for one in hers.signals("typing")]


async def test_who_left_finds_a_closed_room_like_any_stranger(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "closed", ben)
    await ben.say(group)
    line = await ben.live(group)
    await go("left", anna, group, ben)
    for verb, fields in (("history", {}), ("send", {"nonce": "n", "text": "x"}), ("edit", {"seq": 1, "text": "x"})):
        with pytest.raises(Refused) as refused:
            await line.do(verb, channel=group, **fields)
        assert refused.value.code == "not_found"
    await ben.get(f"channels/{group}/entries", 404)
    assert await ben.post(f"groups/{group}/join") == {"state": "requested"}


async def test_a_closed_groups_roster_tells_its_members_who_came_and_went(hub: Hub) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    group = await hub.group(anna, "closed", ben)
    list_ = await roster(ben, group)
    line = await ben.live(list_, group)
    await hub.let_in(anna, group, zoe, "closed")
    await anna.put(f"groups/{group}/members/{zoe.handle}", {"role": "moderator"})
    await go("left", anna, group, zoe)
    await line.until_entries(list_, 3)
    assert changes(line, list_) == [(zoe.id, "joined"), (zoe.id, "role"), (zoe.id, "left")]
    assert line.entries(group) == []
    with pytest.raises(Refused) as refused:
        await (await zoe.live()).subscribe(list_)
    assert refused.value.code == "not_found"


@pytest.mark.parametrize("visibility", ["public", "open"])
async def test_an_open_groups_roster_does_not_tell_of_who_is_not_listed(hub: Hub, visibility: str) -> None:
    anna, ben, zoe, mia = await hub.members("anna", "ben", "zoe", "mia")
    group = await hub.group(anna, visibility, ben, zoe)
    list_ = await roster(ben, group)
    line = await ben.live(list_)
    await mia.post(f"groups/{group}/join")
    await zoe.post(f"groups/{group}/leave", status=204)
    await anna.put(f"groups/{group}/members/{mia.handle}", {"role": "moderator"})
    await line.until(lambda: changes(line, list_)[-1:] == [(mia.id, "role")])
    assert zoe.id not in [person for person, _ in changes(line, list_)]
    guest = await hub.browser()
    with pytest.raises(Refused):
        await (await guest.live()).subscribe(list_)


async def test_removals_and_bans_are_not_told_as_such(hub: Hub) -> None:
    anna, ben, zoe, mia = await hub.members("anna", "ben", "zoe", "mia")
    group = await hub.group(anna, "closed", ben, zoe, mia)
    list_ = await roster(ben, group)
    line = await ben.live(list_, group)
    await go("removed", anna, group, zoe)
    await go("banned", anna, group, mia)
    await line.until_entries(list_, 2)
    assert changes(line, list_) == [(zoe.id, "left"), (mia.id, "left")]
    assert "ban" not in str(line.heard)
    assert "remov" not in str(line.heard)
    assert zoe.id not in [one["person"]["id"] for one in (await ben.get(f"groups/{group}/members"))["items"]]


async def test_roles_say_who_keeps_the_group(hub: Hub) -> None:
    anna, ben, zoe, mia = await hub.members("anna", "ben", "zoe", "mia")
    group = await hub.group(anna, "open", ben, zoe, mia)
    members = f"groups/{group}/members"
    await ben.put(f"{members}/{zoe.handle}", {"role": "moderator"}, 403)
    await ben.delete(f"{members}/{zoe.handle}", 403)
    await ben.put(f"groups/{group}/bans/{zoe.handle}", status=403)
    await ben.patch(f"groups/{group}", {"title": "x"}, 403)
    await anna.put(f"{members}/{ben.handle}", {"role": "moderator"})
    await ben.delete(f"{members}/{zoe.handle}")
    await ben.put(f"groups/{group}/bans/{mia.handle}")
    await ben.delete(f"{members}/{anna.handle}", 403)
    await ben.put(f"groups/{group}/bans/{anna.handle}", status=403)
    await ben.put(f"{members}/{ben.handle}", {"role": "owner"}, 403)
    await ben.delete(f"groups/{group}", 403)
    assert await anna.refused("DELETE", f"{members}/{zoe.handle}", 409) == "not_member"
    assert await anna.refused("PUT", f"{members}/nobody-here", 404, {"role": "member"}) == "person_unknown"
    await anna.put(f"{members}/{ben.handle}", {"role": "lord"}, 422)


async def test_a_right_that_was_taken_is_gone_on_open_connections_too(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "open", ben)
    await anna.say(group)
    line = await ben.live(group)
    await anna.put(f"groups/{group}/members/{ben.handle}", {"role": "moderator"})
    await line.do("pin", channel=group, seq=1, on=True)
    await anna.put(f"groups/{group}/members/{ben.handle}", {"role": "member"})
    for verb, fields in (("pin", {"on": False}), ("delete", {})):
        with pytest.raises(Refused) as refused:
            await line.do(verb, channel=group, seq=1, **fields)
        assert (refused.value.code, refused.value.reason) == ("forbidden", "not_allowed")
    assert line.revoked() == {}


async def test_who_only_reads_a_public_group_changes_nothing_in_it(hub: Hub) -> None:
    anna, zoe = await hub.members("anna", "zoe")
    group = await hub.group(anna, "public")
    await anna.say(group)
    line = await zoe.live(group)
    for verb, fields in (
        ("send", {"nonce": "n", "text": "x"}),
        ("react", {"seq": 1, "emoji": "👍", "on": True}),
        ("edit", {"seq": 1, "text": "x"}),
        ("delete", {"seq": 1}),
        ("pin", {"seq": 1, "on": True}),
    ):
        with pytest.raises(Refused) as refused:
            await line.do(verb, channel=group, **fields)
        assert refused.value.code == "forbidden"
    assert (await line.do("history", channel=group))["head"] == 1


async def test_the_last_owner_hands_over_before_leaving(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "open", ben)
    assert await anna.refused("POST", f"groups/{group}/leave", 409, {}) == "last_owner"
    assert await anna.refused("PUT", f"groups/{group}/members/{anna.handle}", 409, {"role": "member"}) == "last_owner"
    await anna.put(f"groups/{group}/members/{ben.handle}", {"role": "owner"})
    await anna.post(f"groups/{group}/leave", status=204)
    assert (await ben.get(f"groups/{group}"))["role"] == "owner"


async def test_an_archived_group_is_read_and_not_written(hub: Hub) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    group = await hub.group(anna, "open", ben)
    await ben.say(group)
    line = await ben.live(group)
    await anna.patch(f"groups/{group}", {"state": "archived"})
    (told,) = await line.until_heard()
    assert (told["kind"], told["change"]) == ("channel", "state")
    for verb, fields in (
        ("send", {"nonce": "n", "text": "x"}),
        ("edit", {"seq": 1, "text": "x"}),
        ("react", {"seq": 1, "emoji": "👍", "on": True}),
    ):
        with pytest.raises(Refused) as refused:
            await line.do(verb, channel=group, **fields)
        assert (refused.value.code, refused.value.reason) == ("forbidden", "archived")
    assert len((await line.do("history", channel=group))["entries"]) == 2
    assert (await zoe.http.post(f"groups/{group}/join", json={})).status_code == 403
    await anna.patch(f"groups/{group}", {"state": "open"})
    await line.send(group, "again")


async def test_a_deleted_group_is_gone_for_everybody(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "open", ben)
    list_ = await roster(ben, group)
    await ben.say(group)
    line = await ben.live(group, list_)
    await anna.delete(f"groups/{group}")
    assert await line.until_revoked(2) == {group: "deleted", list_: "deleted"}
    for person in (anna, ben):
        await person.get(f"groups/{group}", 404)
        await person.get(f"channels/{group}/entries", 404)
        mine: Any = await person.get("channels")
        assert group not in [one["id"] for one in mine["items"]]


async def test_a_request_can_be_taken_back(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "closed")
    await ben.post(f"groups/{group}/join", {"word": "please"})
    await ben.post(f"groups/{group}/leave", status=204)
    assert (await anna.get(f"groups/{group}/requests"))["items"] == []
    assert await ben.refused("POST", f"groups/{group}/leave", 409, {}) == "not_member"
