"""A group that is opened shows newcomers only what comes after; one that is shut ends what others were sent."""

from typing import Any

import pytest

from tests.blackbox.client import Refused
from tests.blackbox.hub import ON_BOTH, Hub, Person, new_name

pytestmark = ON_BOTH


async def seqs(person: Person, group: int, **asked: int) -> list[int]:
    """What somebody finds in history, live and over HTTP alike."""
    live = await (await person.live()).do("history", channel=group, limit=200, **asked)
    read = await person.get(f"channels/{group}/entries", params={"limit": 200, **asked})
    found = [entry["seq"] for entry in live["entries"]]
    assert found == [entry["seq"] for entry in read["entries"]]
    assert (live["first"], live["more"]) == (read["first"], read["more"])
    return found


async def replayed(person: Person, group: int, after: int = 0) -> list[dict[str, Any]]:
    line = await person.live()
    done = await line.subscribe(group, after)
    await line.until_at(group, done["head"])
    return line.entries(group)


async def opened(hub: Hub, start: str, end: str) -> tuple[Person, Person, Person, int]:
    """Anna's group with Ben in it, where both wrote; opened then, while Zoe stood outside. Its head is 3."""
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    group = await hub.group(anna, start, ben)
    await anna.say(group, "in confidence")
    await ben.say(group, "likewise in confidence")
    address = {"slug": new_name("group")} if start == "secret" else {}
    await anna.patch(f"groups/{group}", {"visibility": end, **address})
    return anna, ben, zoe, group


@pytest.mark.parametrize("start_end", ["secret open", "closed open", "closed public", "open public"])
async def test_what_was_said_in_confidence_is_never_opened(hub: Hub, start_end: str) -> None:
    start, end = start_end.split()
    anna, ben, zoe, group = await opened(hub, start, end)
    guest = await hub.browser()
    for outsider in [zoe] if end == "open" else [zoe, guest]:
        assert not [entry for entry in await replayed(outsider, group) if "text" in entry]
        assert not {1, 2} & set(await seqs(outsider, group))
        assert "confidence" not in (await outsider.http.get(f"channels/{group}/entries")).text
        assert (await outsider.get(f"groups/{group}"))["first"] >= 3
    await zoe.post(f"groups/{group}/join")
    await anna.say(group, "in the open")
    for newcomer in [zoe] if end == "open" else [zoe, guest]:
        assert [entry["text"] for entry in await replayed(newcomer, group) if "text" in entry] == ["in the open"]
        assert not {1, 2} & set(await seqs(newcomer, group, around=1))
    assert {1, 2} < set(await seqs(ben, group))
    assert [entry["text"] for entry in await replayed(ben, group) if "text" in entry][:1] == ["in confidence"]


async def test_nor_by_what_happens_to_it_later(hub: Hub) -> None:
    anna, ben, zoe, group = await opened(hub, "closed", "open")
    await zoe.post(f"groups/{group}/join")
    line, his = await zoe.live(group), await ben.live(group)
    messages = f"channels/{group}/messages"
    await anna.patch(f"{messages}/1", {"text": "other words in confidence"})
    await ben.put(f"{messages}/1/reactions/%F0%9F%91%8D")
    await anna.put(f"{messages}/1/pin")
    await anna.say(group, "an answer", reply_to=1)
    for reader in (line, his):
        await reader.until_entries(group, 1, "message")
    assert "confidence" not in str(line.heard)
    assert "confidence" not in str(await replayed(zoe, group))
    for method, path in (("GET", "revisions"), ("GET", "reactions"), ("PUT", "reactions/%F0%9F%91%8D")):
        assert (await zoe.http.request(method, f"{messages}/1/{path}")).status_code == 404
    assert (await zoe.get(f"channels/{group}/pins"))["items"] == []
    assert len((await ben.get(f"channels/{group}/pins"))["items"]) == 1
    refusing = await zoe.live()
    for verb, fields in (("react", {"emoji": "👍", "on": True}), ("delete", {}), ("edit", {"text": "x"})):
        with pytest.raises(Refused) as refused:
            await refusing.do(verb, channel=group, seq=1, **fields)
        assert (refused.value.code, refused.value.reason) == ("not_found", "entry_unknown")
    with pytest.raises(Refused) as refused:
        await refusing.do("send", channel=group, nonce="n", text="x", reply_to=1)
    assert refused.value.reason == "reply_unknown"


async def test_newcomers_see_what_came_since_they_joined_where_a_group_says_so(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "closed", history="since_joining")
    await anna.say(group, "before he came")
    await hub.let_in(anna, group, ben, "closed")
    line = await ben.live()
    assert await line.subscribe(group) == {"channel": group, "head": 1, "first": 2}
    await anna.say(group, "after he came")
    assert await seqs(ben, group) == [2]
    assert [entry["seq"] for entry in await replayed(ben, group)] == [2]
    await anna.patch(f"channels/{group}/messages/2", {"text": "edited"})
    await line.until_heard(2)
    assert (line.heard[1]["kind"], "text" in line.heard[1]) == ("edit", False)
    assert (await ben.get(f"channels/{group}/entries"))["entries"][0]["text"] == "edited"


async def test_history_that_is_opened_is_opened_for_what_comes_after(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "open", history="since_joining")
    await anna.say(group, "before he came")
    await ben.post(f"groups/{group}/join")
    await anna.say(group, "after he came")
    await anna.patch(f"groups/{group}", {"history": "all"})
    assert 1 not in await seqs(ben, group)
    assert 2 in await seqs(ben, group)
    zoe = await hub.member()
    await zoe.post(f"groups/{group}/join")
    assert not {1, 2} & set(await seqs(zoe, group))


async def test_who_was_a_member_before_and_came_back_is_a_newcomer(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "open", ben, history="since_joining")
    await anna.say(group, "while he was here")
    assert await seqs(ben, group) == [1]
    await ben.post(f"groups/{group}/leave", status=204)
    await anna.say(group, "while he was away")
    await ben.post(f"groups/{group}/join")
    assert await seqs(ben, group) == []


@pytest.mark.parametrize(("start", "end"), [("public", "open"), ("open", "closed"), ("public", "secret")])
async def test_making_it_harder_ends_the_others_delivery(hub: Hub, start: str, end: str) -> None:
    anna, ben, zoe, guest = *await hub.members("anna", "ben", "zoe"), await hub.browser()
    group = await hub.group(anna, start, ben)
    outsider = guest if end == "open" else zoe
    inside, outside = await ben.live(group), await outsider.live(group)
    await anna.patch(f"groups/{group}", {"visibility": end})
    assert await outside.until_revoked() == {group: "visibility"}
    await anna.say(group, "among ourselves")
    await inside.until_entries(group, 1, "message")
    await outside.do("ping")
    assert "among ourselves" not in str(outside.heard)
    assert inside.revoked() == {}
    with pytest.raises(Refused) as refused:
        await outside.subscribe(group)
    assert refused.value.code == "not_found"


async def test_a_change_of_visibility_is_told_in_the_room(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "closed", ben)
    line = await ben.live(group)
    await anna.patch(f"groups/{group}", {"visibility": "open"})
    await anna.patch(f"groups/{group}", {"title": "Another", "about": "for more"})
    await line.until_heard(3)
    first, *others = [one["change"] for one in line.heard]
    assert (first, sorted(others)) == ("visibility", ["about", "title"])
