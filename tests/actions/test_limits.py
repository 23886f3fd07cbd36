"""What holds people up beside rights: their first day, a slowed room, a request that waits, whom one lets write."""

import asyncio

import pytest
import sqlalchemy as sa

from hubchat.actions import conversations, groups, members
from hubchat.actions.conversations import accept, converse
from hubchat.actions.groups import GroupChange
from hubchat.actions.me import MeChange, change_me
from hubchat.channels.items import Edit
from hubchat.errors import HubError
from hubchat.storage.newcomers import NEWCOMER_MS
from hubchat.storage.sessions import Caller
from hubchat.storage.tidying import forget_served
from hubchat.words import has_link
from tests.community import Community


async def edit(hub: Community, who: Caller, channel: int, seq: int, text: str) -> None:
    await hub.node.log.append(lambda done: Edit(who.account_id, who.persona_id, channel, done, seq, text))


async def count(hub: Community, table: str) -> int:
    return await hub.read(lambda connection: connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_what_a_client_makes_a_link_of_is_one() -> None:
    for text in (
        "https://x.example/a", "see www.cures", "ftp://x", "javascript://x", "[here](/groups/a)", "buy at pills.shop!",
        "a.b-c.co.uk/x", "MAILTO:me", "Pills.COM",
    ):  # fmt: skip
        assert has_link(text), text
    for text in ("5.5 mg", "e.g. this", "ask ana@clinic.de", "v1.2.3", "Dr. Ebert", "1/2", "a" * 16_000, "a." * 8_000):
        assert not has_link(text), text[:20]


async def test_a_newcomers_first_day_has_its_limits_and_ends(hub: Community) -> None:
    ada = await hub.member("ada")
    new = await hub.member("new", trusted=False)
    room, other = await hub.group(ada, "open", new), await hub.group(ada, "open", new)
    first = await hub.say(new, room, "I am new here")
    for text in ("look: https://x.example", "come to www.pills"):
        with pytest.raises(HubError, match="newcomer_links") as refused:
            await hub.say(new, room, text)
        assert set(refused.value.facts or {}) == {"until"}
        with pytest.raises(HubError, match="newcomer_links"):
            await edit(hub, new, room, first, text)
    await edit(hub, new, room, first, "I am new here, hello")
    for n in range(19):
        await hub.say(new, (room, other)[n % 2], f"{n}")
    with pytest.raises(HubError, match="newcomer_messages") as over:
        await hub.say(new, other)
    assert over.value.facts is not None
    assert over.value.facts["limit"] == 20
    assert 0 < (over.value.retry_after_ms or 0) <= NEWCOMER_MS
    await hub.say(ada, room, "https://x.example is what I may")
    later = hub.node.log.clock() + NEWCOMER_MS
    hub.node.log.clock = lambda: later
    await hub.say(new, other, "https://x.example")
    await hub.node.database.write(lambda connection: forget_served(connection, later + 1))
    assert await count(hub, "newcomer") == 0


async def test_many_messages_at_once_pass_no_more_than_one_by_one(hub: Community) -> None:
    ada, new = await hub.member("ada"), await hub.member("new", trusted=False)
    room = await hub.group(ada, "open", new)
    told = await asyncio.gather(*(hub.say(new, room, f"{n}") for n in range(30)), return_exceptions=True)
    assert sum(isinstance(one, int) for one in told) == 20


async def test_a_newcomer_begins_five_conversations_a_day(hub: Community) -> None:
    new = await hub.member("new", trusted=False)
    await hub.members(*(f"m{n}" for n in range(6)))
    for n in range(5):
        await converse(hub.node, new, [f"m{n}"])
    await converse(hub.node, new, ["m0"])
    with pytest.raises(HubError, match="newcomer_conversations") as over:
        await converse(hub.node, new, ["m5"])
    assert over.value.facts is not None
    assert over.value.facts["limit"] == 5
    later = hub.node.log.clock() + NEWCOMER_MS
    hub.node.log.clock = lambda: later
    await converse(hub.node, new, ["m5"])


async def test_in_a_slowed_room_members_wait_and_moderators_do_not(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    room = await hub.group(ada, "open", ben)
    for wrong in (1, 9, 3_601, -10, 2**40):
        with pytest.raises(HubError, match="fields_invalid"):
            await groups.change(hub.node, ada, room, GroupChange(slow_s=wrong))
    with pytest.raises(HubError, match="not_allowed"):
        await groups.change(hub.node, ben, room, GroupChange(slow_s=10))
    await groups.change(hub.node, ada, room, GroupChange(slow_s=60))
    await groups.change(hub.node, ada, room, GroupChange(slow_s=60))
    assert [(e.data or {})["change"] for e in await hub.entries(room, "channel")] == ["writing"]
    assert (await hub.channel(room)).slow_s == 60
    now = hub.node.log.clock()
    hub.node.log.clock = lambda: now
    first = await hub.say(ben, room)
    await edit(hub, ben, room, first, "an edit is no message")
    with pytest.raises(HubError, match="slow_mode") as slowed:
        await hub.say(ben, room)
    assert (slowed.value.facts, slowed.value.retry_after_ms) == ({"slow_s": 60}, 60_000)
    for _ in range(2):
        await hub.say(ada, room)
    await members.leave(hub.node, ben, room)
    await members.join(hub.node, ben, room)
    with pytest.raises(HubError, match="slow_mode"):
        await hub.say(ben, room, "coming back is no way around")
    hub.node.log.clock = lambda: now + 60_000
    await hub.say(ben, room)
    await groups.change(hub.node, ada, room, GroupChange(slow_s=0))
    await hub.say(ben, room)
    await hub.node.database.write(lambda connection: forget_served(connection, now + 60_000 + 3_600_001))
    assert await count(hub, "pace") == 0


async def test_where_moderators_alone_write_members_are_told_so(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    room = await hub.group(ada, "open", ben)
    seq = await hub.say(ben, room)
    with pytest.raises(HubError, match="not_allowed"):
        await groups.change(hub.node, ben, room, GroupChange(writers="moderators"))
    await groups.change(hub.node, ada, room, GroupChange(writers="moderators"))
    for attempt in (hub.say(ben, room), edit(hub, ben, room, seq, "x")):
        with pytest.raises(HubError, match="not_writable"):
            await attempt
    await hub.say(ada, room)
    await groups.change(hub.node, ada, room, GroupChange(visibility="closed"))
    assert (await hub.channel(room)).writers == "moderators", "another door is another thing"
    assert [(e.data or {})["change"] for e in await hub.entries(room, "channel")] == ["writing", "visibility"]
    await groups.change(hub.node, ada, room, GroupChange(writers="members"))
    await hub.say(ben, room)


async def test_a_request_holds_a_few_messages_until_it_is_accepted(hub: Community) -> None:
    ada, ben, _cem = await hub.members("ada", "ben", "cem")
    made = await converse(hub.node, ada, ["ben"])
    for n in range(3):
        await hub.say(ada, made, f"{n}")
    with pytest.raises(HubError, match="request_waits"):
        await hub.say(ada, made)
    with pytest.raises(HubError, match="request_waits") as waits:
        await converse(hub.node, ada, ["ben", "cem"])
    assert waits.value.facts == {"people": [ben.persona_id]}
    await accept(hub.node, ben, made)
    for n in range(5):
        await hub.say(ada, made, f"{n}")
    await converse(hub.node, ada, ["ben", "cem"])


async def test_a_request_that_was_declined_is_as_one_that_waits(hub: Community) -> None:
    ada, ben, _cem = await hub.members("ada", "ben", "cem")
    made = await converse(hub.node, ada, ["ben"])
    await conversations.decline(hub.node, ben, made)
    with pytest.raises(HubError, match="request_waits"):
        await converse(hub.node, ada, ["ben", "cem"])
    for n in range(3):
        await hub.say(ada, made, f"{n}")
    with pytest.raises(HubError, match="request_waits"):
        await hub.say(ada, made)


async def test_a_member_chooses_who_may_write_to_them(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    await hub.group(ada, "closed", ben)
    await change_me(hub.node, ada, MeChange(writing="nobody"))
    for who, whom in ((ben, ["ada"]), (cem, ["ada"]), (cem, ["ada", "ben"])):
        with pytest.raises(HubError, match="takes_no_messages") as closed:
            await converse(hub.node, who, whom)
        assert closed.value.facts == {"people": [ada.persona_id]}
    made = await converse(hub.node, ada, ["ben"])
    assert await converse(hub.node, ben, ["ada"]) == made, "what they began themselves goes on"
    await hub.say(ben, made)
    await change_me(hub.node, ada, MeChange(writing="everyone"))
    made = await converse(hub.node, cem, ["ada"])
    assert await hub.states(made, [ada]) == ["member"]
    for n in range(5):
        await hub.say(cem, made, f"{n}")
