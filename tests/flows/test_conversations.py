"""Stories of conversations: asked for, accepted, declined."""

import pytest

from tests.flows.asking import askers
from tests.flows.live import live
from tests.serving import Served


async def test_a_stranger_is_asked_reads_and_writes_once_they_accept(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    async with live(hub.node, hub.port, ben.who) as at_ben:
        await at_ben.do("subscribe", channel=ben.who.inbox_id)
        made = await ada.post("conversations", {"handles": ["@Ben"]})
        talk = made["id"]
        assert [person["handle"] for person in made["people"]] == ["ada", "ben"]
        assert (made["kind"], made["title"], made["slug"], made["members"]) == ("conversation", None, None, 2)
        notice = await at_ben.entry(ben.who.inbox_id, reason="invitation")
        assert (notice["about"], notice["author"]) == ({"channel": talk}, ada.id)
        await at_ben.do("subscribe", channel=talk, after=0)
        await ada.post(f"channels/{talk}/messages", {"text": "May I ask you something?"})
        assert (await at_ben.entry(talk, kind="message"))["text"] == "May I ask you something?"
        asked = next(one for one in (await ben.get("channels"))["items"] if one["id"] == talk)
        assert (asked["membership"], asked["unread"]) == ("invited", 1)
        assert await ben.refused("POST", f"channels/{talk}/messages", {"text": "Yes"}) == (403, "not_allowed")
        await ben.post(f"conversations/{talk}/accept")
        await ben.post(f"channels/{talk}/messages", {"text": "Yes"})
    assert (await ada.get(f"channels/{talk}"))["unread"] == 1


async def test_who_declines_is_left_in_peace_and_nobody_is_told(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    talk = (await ada.post("conversations", {"handles": ["ben"]}))["id"]
    before = await ada.get(f"channels/{talk}")
    async with live(hub.node, hub.port, ben.who) as at_ben, live(hub.node, hub.port, ada.who) as at_ada:
        await at_ben.do("subscribe", channel=talk)
        for channel in (talk, ada.who.inbox_id):
            await at_ada.do("subscribe", channel=channel)
        await ben.post(f"conversations/{talk}/decline")
        await at_ben.until(lambda m: m.get("revoked", {}).get("channel") == talk)
        sent = await ada.post(f"channels/{talk}/messages", {"text": "Hello?"})
        await at_ada.entry(talk, seq=sent["seq"])
        assert at_ada.seqs(ada.who.inbox_id) == []
        assert talk not in [channel["id"] for channel in (await ben.get("channels"))["items"]]
        assert (await at_ben.do("history", channel=talk))["code"] == "not_found"
    after = await ada.get(f"channels/{talk}")
    assert (after["people"], after["members"]) == (before["people"], before["members"])
    assert (await ada.post("conversations", {"handles": ["ben"]}))["id"] == talk
    assert await ben.refused("GET", f"channels/{talk}") == (404, "channel_unknown")


async def test_eight_talk_and_a_ninth_is_too_many(hub: Served) -> None:
    ada, *others = await askers(hub, *(f"m{i}" for i in range(9)))
    handles = [other.handle for other in others]
    talk = await ada.post("conversations", {"handles": handles[:7]})
    assert len(talk["people"]) == 8
    assert (await others[0].post("conversations", {"handles": [ada.handle, *handles[1:7]]}))["id"] == talk["id"]
    for wrong in (handles, [], [ada.handle]):
        assert await ada.refused("POST", "conversations", {"handles": wrong}) == (400, "people_count")
    assert await ada.refused("POST", "conversations", {"handles": ["nobody"]}) == (404, "person_unknown")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_everybody_in_a_conversation_may_pin(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    await hub.community.group(ada.who, "closed", ben.who)
    talk = (await ada.post("conversations", {"handles": ["ben"]}))["id"]
    await ada.post(f"channels/{talk}/messages", {"text": "remember"})
    await ben.put(f"channels/{talk}/messages/1/pin")
    assert (await ada.get(f"channels/{talk}/entries"))["entries"][0]["pinned"] is True
