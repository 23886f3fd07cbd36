"""What members do live: they write, react, edit, come back, and see who is here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from hubchat.actions import groups, members
from hubchat.storage.sessions import Caller
from hubchat.wire import Dialect
from tests.flows.live import Live, live
from tests.serving import Served


class Story:
    """Ana and Ben in a group of Ana's, each with a connection in another dialect."""

    def __init__(self, hub: Served, stack: AsyncExitStack) -> None:
        self.hub = hub
        self.stack = stack

    async def member(self, handle: str) -> Caller:
        return await self.hub.community.member(handle)

    async def connect(self, who: Caller | None, dialect: Dialect = "json") -> Live:
        return await self.stack.enter_async_context(live(self.hub.node, self.hub.port, who, dialect))


@pytest.fixture
async def story(hub: Served) -> AsyncIterator[Story]:
    async with AsyncExitStack() as stack:
        yield Story(hub, stack)


async def test_one_writes_and_the_other_and_a_guest_see_it_at_once(story: Story) -> None:
    ana, ben = await story.member("ana"), await story.member("ben")
    room = await story.hub.community.group(ana, "public", ben)
    at_ana, at_ben, guest = await story.connect(ana, "msgpack"), await story.connect(ben), await story.connect(None)
    heads = [(await one.do("subscribe", channel=room))["head"] for one in (at_ana, at_ben, guest)]
    sent = await at_ana.do("send", channel=room, nonce="n1", text="Hello **Ben**, é 👋 مرحبا")
    assert heads == [sent["seq"] - 1] * 3
    for one in (at_ana, at_ben, guest):
        entry = await one.entry(room, seq=sent["seq"])
        assert entry["text"] == "Hello **Ben**, é 👋 مرحبا"
        assert (entry["author"], entry["nonce"], entry["at"]) == (ana.persona_id, "n1", sent["at"])


async def test_edits_reactions_pins_and_deletions_reach_the_other(story: Story) -> None:
    ana, ben = await story.member("ana"), await story.member("ben")
    room = await story.hub.community.group(ana, "open", ben)
    at_ana, at_ben = await story.connect(ana), await story.connect(ben, "msgpack")
    await at_ben.do("subscribe", channel=room)
    seq = (await at_ana.do("send", channel=room, nonce="1", text="helo"))["seq"]
    edited = await at_ana.do("edit", channel=room, seq=seq, text="hello")
    assert (await at_ben.entry(room, kind="edit"))["text"] == "hello"
    reacted = await at_ben.do("react", channel=room, seq=seq, emoji="❤️", on=True)
    assert await at_ben.do("react", channel=room, seq=seq, emoji="❤️", on=True) == {}
    assert (await at_ben.do("pin", channel=room, seq=seq, on=True))["reason"] == "not_allowed"
    pinned = await at_ana.do("pin", channel=room, seq=seq, on=True)
    answered = await at_ben.do("send", channel=room, nonce="2", text="hi", reply_to=seq)
    page = await at_ben.do("history", channel=room)
    shown = next(entry for entry in page["entries"] if entry["seq"] == seq)
    assert shown["text"] == "hello"
    assert shown["reactions"] == {"❤️": {"count": 1, "people": [ben.persona_id]}}
    assert (shown["pinned"], shown["rev"]) == (True, pinned["seq"])
    assert page["entries"][-1]["reply_to"] == seq
    assert [entry["kind"] for entry in page["entries"]].count("edit") == 0
    assert (await at_ben.do("delete", channel=room, seq=seq))["reason"] == "not_allowed"
    deleted = await at_ana.do("delete", channel=room, seq=seq)
    await at_ben.entry(room, kind="delete", target=seq)
    page = await at_ben.do("history", channel=room)
    shown = next(entry for entry in page["entries"] if entry["seq"] == seq)
    assert shown["deleted"] is True
    assert "text" not in shown
    assert "reactions" not in shown
    assert [edited["seq"], reacted["seq"], pinned["seq"], answered["seq"], deleted["seq"]] == list(
        range(seq + 1, seq + 6)
    )
    assert at_ben.seqs(room) == list(range(seq, seq + 6))


async def test_who_comes_back_gets_what_was_missed_and_then_what_is_live(story: Story) -> None:
    ana, ben = await story.member("ana"), await story.member("ben")
    room = await story.hub.community.group(ana, "closed", ben)
    at_ana = await story.connect(ana)
    for n in range(30):
        await at_ana.do("send", channel=room, nonce=f"a{n}", text=f"line {n}")
    head = (await story.hub.community.channel(room)).head
    at_ben = await story.connect(ben, "msgpack")
    await at_ben.do("subscribe", channel=room, after=head - 12)
    await at_ana.do("send", channel=room, nonce="late", text="the newest")
    await at_ben.entry(room, seq=head + 1)
    assert at_ben.seqs(room) == list(range(head - 11, head + 2))


@pytest.mark.parametrize(("after", "is_reset"), [(0, True), (10**9, True), (600, False)])
async def test_a_place_too_far_behind_or_ahead_is_reset_and_live_entries_follow_the_head(
    story: Story, after: int, is_reset: bool
) -> None:
    ana = await story.member("ana")
    room = await story.hub.community.group(ana, "open")
    at_ana = await story.connect(ana)
    for start in range(0, 1_050, 50):
        await asyncio.gather(*(story.hub.community.say(ana, room, f"line {start + n}") for n in range(50)))
    head = (await story.hub.community.channel(room)).head
    told = await at_ana.do("subscribe", channel=room, after=after)
    assert told.get("reset", False) is is_reset
    last = await story.hub.community.say(ana, room, "the newest")
    await at_ana.entry(room, seq=last)
    assert at_ana.seqs(room) == ([last] if is_reset else list(range(after + 1, last + 1)))
    assert told["head"] == head


async def test_the_same_nonce_is_the_same_message_even_after_it_was_deleted(story: Story) -> None:
    ana = await story.member("ana")
    room = await story.hub.community.group(ana, "open")
    at_ana = await story.connect(ana)
    first = await at_ana.do("send", channel=room, nonce="n", text="once")
    assert await at_ana.do("send", channel=room, nonce="n", text="once") == first
    await at_ana.do("delete", channel=room, seq=first["seq"])
    assert await at_ana.do("send", channel=room, nonce="n", text="once") == first


async def test_a_removed_member_hears_nothing_more(story: Story) -> None:
    ana, ben = await story.member("ana"), await story.member("ben")
    room = await story.hub.community.group(ana, "closed", ben)
    at_ana, at_ben = await story.connect(ana), await story.connect(ben)
    await at_ben.do("subscribe", channel=room)
    seq = (await at_ana.do("send", channel=room, nonce="1", text="while Ben is here"))["seq"]
    await at_ben.entry(room, seq=seq)  # the premise
    await members.remove(story.hub.node, ana, room, "ben")
    await at_ben.until(lambda m: m.get("revoked", {}).get("channel") == room)
    await at_ana.do("send", channel=room, nonce="2", text="without Ben")
    assert (await at_ben.do("history", channel=room))["code"] == "not_found"
    assert (await at_ben.do("subscribe", channel=room, after=0))["code"] == "not_found"
    assert (await at_ben.do("send", channel=room, nonce="3", text="hello?"))["code"] == "not_found"
    assert at_ben.seqs(room)[-1] == seq


async def test_presence_typing_and_reading_are_told_to_those_concerned_and_nobody_else(story: Story) -> None:
    ana, ben, cleo = await story.member("ana"), await story.member("ben"), await story.member("cleo")
    room = await story.hub.community.group(ana, "open", ben)
    at_ana, at_cleo = await story.connect(ana), await story.connect(cleo)
    people = [ben.persona_id, cleo.persona_id, 4242]
    assert await at_ana.do("watch", people=people) == {"online": []}
    at_ben, ben_at_home = await story.connect(ben), await story.connect(ben, "msgpack")
    assert (await at_ana.signal("presence"))["people"] == {str(ben.persona_id): "online"}
    assert await at_cleo.do("watch", people=[ben.persona_id]) == {"online": []}  # they share nothing
    for one in (at_ana, at_ben, at_cleo):
        await one.do("subscribe", channel=room)
    await at_ben.do("typing", channel=room)
    assert (await at_ana.signal("typing", channel=room))["person"] == ben.persona_id
    seq = (await at_ana.do("send", channel=room, nonce="1", text="hello"))["seq"]
    await at_ben.do("read", channel=room, seq=seq)
    assert (await ben_at_home.signal("inbox"))["unread"] == {str(room): 0}
    await at_ben.do("unread", channel=room, seq=seq)
    await ben_at_home.signal("inbox", unread={str(room): 1})
    await at_ben.do("idle", on=True)
    await ben_at_home.do("idle", on=True)
    await at_ana.signal("presence", people={str(ben.persona_id): "away"})
    assert [m for m in at_cleo.heard if "signal" in m] == []
    assert [m for m in at_ana.heard if m.get("signal") == "inbox"] == []


async def test_when_the_session_ends_the_connection_says_so_and_closes(story: Story) -> None:
    ana = await story.member("ana")
    at_ana, other = await story.connect(ana), await story.connect(ana)
    await story.hub.node.log.write(lambda tx: tx.revoke("ended", account=ana.account_id))
    assert await at_ana.closed() == await other.closed() == 4003
    assert at_ana.heard[-1]["bye"]["code"] == 4003


async def test_when_a_group_is_deleted_its_readers_are_told_so_and_nothing_of_it_is_kept(story: Story) -> None:
    ana, ben = await story.member("ana"), await story.member("ben")
    room = await story.hub.community.group(ana, "open", ben)
    at_ben = await story.connect(ben)
    await at_ben.do("subscribe", channel=room)
    seq = await story.hub.community.say(ana, room, "soon gone")
    await at_ben.entry(room, seq=seq)
    assert story.hub.node.hub.recent.get(room, seq) is not None  # the premise
    await groups.delete(story.hub.node, ana, room)
    told = await at_ben.until(lambda m: "revoked" in m)
    assert told["revoked"] == {"channel": room, "reason": "deleted"}
    assert story.hub.node.hub.recent.get(room, seq) is None
