"""Who is blocked reaches nobody who blocks them, and sees no difference."""

from collections.abc import Awaitable, Callable

import pytest

from hubchat.actions import groups, invites, members
from hubchat.actions.blocks import block, unblock
from hubchat.actions.conversations import accept, converse, decline
from hubchat.actions.groups import GroupChange
from hubchat.channels.items import Message
from hubchat.errors import HubError
from hubchat.storage import blocks
from hubchat.storage.presence import read_visible
from hubchat.storage.readings import read_mine
from hubchat.storage.sessions import Caller
from tests.community import Community


async def blocked(hub: Community, who: Caller) -> list[str]:
    found = await hub.read(lambda connection: blocks.read_blocks(connection, who.account_id))
    return [one.person.handle for one in found]


async def mine(hub: Community, who: Caller) -> list[int]:
    """Channels that somebody finds in their list, but for the inbox."""
    found = await hub.read(lambda connection: read_mine(connection, who.account_id))
    return [one.channel.id for one in found if one.channel.kind != "inbox"]


async def test_a_block_is_one_however_often_and_can_be_taken_back(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    for _ in range(2):
        await block(hub.node, ada, "ben")
    assert await blocked(hub, ada) == ["ben"]
    assert await blocked(hub, ben) == []
    for _ in range(2):
        await unblock(hub.node, ada, "ben")
    assert await blocked(hub, ada) == []
    for attempt in (block(hub.node, ada, "nobody"), unblock(hub.node, ada, "nobody")):
        with pytest.raises(HubError, match="person_unknown"):
            await attempt
    with pytest.raises(HubError, match="not_allowed"):
        await block(hub.node, ben, "ben")


async def test_nobody_blocks_without_end(hub: Community, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, _, _ = await hub.members("ada", "ben", "cem")
    monkeypatch.setattr("hubchat.actions.blocks.BLOCKS", 1)
    await block(hub.node, ada, "ben")
    await block(hub.node, ada, "ben")
    with pytest.raises(HubError, match="too_many"):
        await block(hub.node, ada, "cem")


async def test_who_blocks_is_never_reached_whatever_the_blocked_one_does(hub: Community) -> None:
    """A table of everything that tells somebody something; each line is first seen to reach whoever blocks nobody."""
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    room = await hub.group(ada, "open", ben, cem)
    own = await hub.group(ben, "closed")
    asked = await hub.group(ada, "closed")
    await members.set_role(hub.node, ada, room, "cem", "moderator")
    answered = {who: await hub.say(who, room, "a question") for who in (ada, cem)}

    async def reply(to: Caller) -> None:
        await hub.node.log.append(
            lambda done: Message(ben.account_id, ben.persona_id, room, done, "an answer", answered[to])
        )

    async def ask(to: Caller) -> None:
        which = asked if to is ada else await hub.group(cem, "closed")
        await members.join(hub.node, ben, which, "let me in")

    deeds: dict[str, Callable[[Caller], Awaitable[object]]] = {
        "mention": lambda to: hub.say(ben, room, f"@{to.handle} look"),
        "reply": reply,
        "invitation": lambda to: invites.invite(hub.node, ben, own, to.handle),
        "request": ask,
        "conversation": lambda to: converse(hub.node, ben, [to.handle]),
    }
    await block(hub.node, ada, "ben")
    quiet = await hub.notices(ada)
    before = await mine(hub, ada)
    for name, deed in deeds.items():
        heard = len(await hub.notices(cem))
        await deed(cem)
        assert len(await hub.notices(cem)) == heard + 1, f"{name} reaches who blocks nobody"
        await deed(ada)
        assert await hub.notices(ada) == quiet, f"{name} reaches nobody who blocks"
        assert await mine(hub, ada) == before
    assert await hub.node.readings.unread(ada.account_id, {room}) == {room: 1}, "of cem alone"
    (position,) = [p for p in await hub.read(lambda c: read_mine(c, ada.account_id)) if p.channel.id == room]
    assert (position.unread, position.mentions) == (1, 0)
    assert [entry.text for entry in await hub.entries(room, "message")][-1] == "an answer", "the log is everybody's"


async def test_what_an_officer_does_about_one_is_told_without_their_name(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    room = await hub.group(ben, "closed")
    await members.join(hub.node, ada, room, "please")
    await block(hub.node, ada, "ben")
    await members.decide(hub.node, ben, room, "ada", approve=True)
    await members.set_role(hub.node, ben, room, "ada", "moderator")
    assert [(e.author, (e.data or {})["reason"]) for e in await hub.entries(ada.inbox_id, "notice")] == [
        (None, "approved"),
        (None, "role"),
    ]


async def test_an_invitation_that_waited_is_gone_with_the_block(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    theirs, others = await hub.group(ben, "secret"), await hub.group(cem, "secret")
    await invites.invite(hub.node, ben, theirs, "ada")
    await invites.invite(hub.node, cem, others, "ada")
    await block(hub.node, ada, "ben")
    assert await mine(hub, ada) == [others]


async def test_their_conversation_goes_on_for_the_blocked_as_if_it_were_never_answered(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    await hub.group(ada, "closed", ben)
    made = await converse(hub.node, ben, ["ada"])
    await hub.say(ada, made, "hello")
    told = await hub.notices(ben)
    await block(hub.node, ada, "ben")
    assert (await hub.revocations())[-1] == {"reason": "blocked", "account": ada.account_id, "channel": made}
    for n in range(5):
        await hub.say(ben, made, f"are you there? {n}")
    assert await converse(hub.node, ben, ["ada"]) == made
    assert made in await mine(hub, ben)
    assert await hub.notices(ben) == told
    assert made not in await mine(hub, ada)
    with pytest.raises(HubError, match="channel_unknown"):
        await hub.say(ada, made)
    with pytest.raises(HubError, match="blocked_by_you"):
        await converse(hub.node, ada, ["ben"])
    await unblock(hub.node, ada, "ben")
    assert made in await mine(hub, ada)
    assert await hub.node.readings.unread(ada.account_id, {made}) == {made: 0}
    await hub.say(ada, made, "here I am again")


async def test_a_block_gives_back_what_was_there_before_and_nothing_else(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    asked = await converse(hub.node, ben, ["ada"])
    declined = await converse(hub.node, cem, ["ada"])
    await decline(hub.node, ada, declined)
    for handle in ("ben", "cem"):
        await block(hub.node, ada, handle)
        await unblock(hub.node, ada, handle)
    assert await hub.states(asked, [ada]) == ["invited"]
    assert await hub.states(declined, [ada]) == ["banned"]
    await accept(hub.node, ada, asked)
    await block(hub.node, ada, "ben")
    await block(hub.node, ben, "ada")
    await unblock(hub.node, ada, "ben")
    assert await hub.states(asked, [ada, ben]) == ["member", "banned"]


async def test_a_stranger_who_is_blocked_is_refused_exactly_what_any_stranger_is(hub: Community) -> None:
    ada, ben, cem, dan = await hub.members("ada", "ben", "cem", "dan")
    await block(hub.node, ada, "ben")
    for who in (ben, cem):
        made = await converse(hub.node, who, ["ada"])
        for n in range(3):
            await hub.say(who, made, f"hello {n}")
        with pytest.raises(HubError, match="request_waits"):
            await hub.say(who, made, "hello?")
        with pytest.raises(HubError, match="request_waits"):
            await converse(hub.node, who, ["ada", "dan"])
        assert await converse(hub.node, who, ["ada"]) == made
    assert await hub.reasons(ada) == ["invitation"], "of the one who is not blocked"
    assert await hub.reasons(dan) == []


async def test_nobody_sees_whether_the_other_is_there(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    await hub.group(ada, "closed", ben)
    pairs = [(ada.account_id, ben.persona_id), (ben.account_id, ada.persona_id)]
    assert len(await hub.read(lambda connection: read_visible(connection, pairs))) == 2
    await block(hub.node, ada, "ben")
    assert await hub.read(lambda connection: read_visible(connection, pairs)) == {}
    await unblock(hub.node, ada, "ben")
    assert len(await hub.read(lambda connection: read_visible(connection, pairs))) == 2


async def test_a_group_that_opens_lets_the_blocked_in_and_still_tells_nothing(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    room = await hub.group(ada, "closed")
    await block(hub.node, ada, "ben")
    await groups.change(hub.node, ada, room, GroupChange(visibility="open"))
    await members.join(hub.node, ben, room)
    assert await hub.reasons(ada) == []
