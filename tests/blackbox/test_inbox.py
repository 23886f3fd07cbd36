"""Notices: what a member's inbox is told, for which reason and about what, and the counts that go with it."""

from typing import Any

import pytest

from tests.blackbox.client import Refused
from tests.blackbox.hub import ON_BOTH, Hub, Person
from tests.blackbox.line import Line

pytestmark = ON_BOTH


def notices(line: Line) -> list[tuple[str, int, int | None]]:
    """(reason, channel, author) of what the inbox was told."""
    told = [one for one in line.heard if one.get("kind") == "notice"]
    return [(one["reason"], one["about"]["channel"], one["author"]) for one in told]


def counts(line: Line, channel: int) -> list[int]:
    told = [one["unread"] for one in line.signals("inbox")]
    return [unread[str(channel)] for unread in told if str(channel) in unread]


async def inbox(person: Person) -> Line:
    """A line that hears what comes from now on."""
    return await person.live(person.inbox)


async def test_who_is_named_or_answered_is_told_where(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "closed", ben)
    line = await inbox(ben)
    first = await ben.say(group, "a question")
    named = await anna.say(group, f"@{ben.handle}, what is it?")
    answered = await anna.say(group, "an answer", reply_to=first)
    await line.until_entries(ben.inbox, 2)
    assert notices(line) == [("mention", group, anna.id), ("reply", group, anna.id)]
    assert "what is it" not in str(line.heard)
    told: list[Any] = [one["about"] for one in line.heard if one.get("kind") == "notice"]
    assert told == [{"channel": group, "seq": named}, {"channel": group, "seq": answered}]
    await line.until(lambda: counts(line, group)[-1:] == [2])


async def test_nobody_is_told_of_what_one_did_oneself(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "closed")
    line = await inbox(anna)
    first = await anna.say(group, f"I, @{anna.handle}")
    await anna.say(group, "and again", reply_to=first)
    await line.do("ping")
    assert notices(line) == []


async def test_an_admission_is_told_step_by_step(hub: Hub) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    group = await hub.group(anna, "closed")
    hers, his, theirs = await inbox(anna), await inbox(ben), await inbox(zoe)
    await ben.post(f"groups/{group}/join", {"word": "please"})
    await zoe.post(f"groups/{group}/join")
    await hers.until_entries(anna.inbox, 2)
    assert notices(hers) == [("request", group, ben.id), ("request", group, zoe.id)]
    await anna.post(f"groups/{group}/requests/{ben.handle}", {"decision": "approve"}, 204)
    await anna.post(f"groups/{group}/requests/{zoe.handle}", {"decision": "decline"}, 204)
    await his.until_entries(ben.inbox)
    await theirs.until_entries(zoe.inbox)
    assert [one[:2] for one in notices(his)] == [("approved", group)]
    assert [one[:2] for one in notices(theirs)] == [("declined", group)]


async def test_invitations_roles_and_removals_are_told_to_whom_they_concern(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "secret")
    line = await inbox(ben)
    await anna.post(f"groups/{group}/invites", {"handle": ben.handle}, 201)
    await ben.post(f"groups/{group}/join")
    await anna.put(f"groups/{group}/members/{ben.handle}", {"role": "moderator"})
    await anna.delete(f"groups/{group}/members/{ben.handle}")
    await line.until_entries(ben.inbox, 3)
    assert [one[:2] for one in notices(line)] == [("invitation", group), ("role", group), ("removed", group)]


async def test_an_inbox_is_its_members_alone(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "closed", ben)
    line = await ben.live()
    for verb in ("subscribe", "history"):
        with pytest.raises(Refused) as refused:
            await line.do(verb, channel=anna.inbox)
        assert refused.value.code == "not_found"
    mine = await anna.get(f"channels/{anna.inbox}/entries")
    assert [(one["reason"], one["about"]["channel"]) for one in mine["entries"]] == [("request", group)]
    with pytest.raises(Refused) as refused:
        await (await anna.live()).do("send", channel=anna.inbox, nonce="n", text="x")
    assert refused.value.code == "forbidden"
