"""Reports: what may be reported, whose they are, what they show, and what deciding does."""

import asyncio

import pytest
import sqlalchemy as sa

from hubchat.actions import members, offices
from hubchat.actions.blocks import block
from hubchat.actions.conversations import converse
from hubchat.actions.reports import HOURLY, Reported, decide, possible, report, seer_of
from hubchat.channels.items import Delete
from hubchat.errors import HubError
from hubchat.storage import reports
from hubchat.storage.audit import read_audit
from hubchat.storage.reports import PATIENCE_MS, Decision, Report
from hubchat.storage.sessions import Caller
from hubchat.storage.tidying import DECIDED_MS, forget_served
from tests.community import Community


async def seen(hub: Community, who: Caller, *, later_ms: int = 0) -> list[int]:
    """The open reports that somebody finds in their queue."""
    seer = seer_of(who, hub.node.log.clock() + later_ms)
    found = await hub.read(lambda connection: reports.read_queue(connection, seer, "open", limit=50, after=None))
    return [one.id for one in found]


async def read(hub: Community, who: Caller, which: int) -> Report:
    seer = seer_of(who, hub.node.log.clock())
    found = await hub.read(lambda connection: reports.read_report(connection, which, seer))
    assert found is not None
    return found


async def ways(hub: Community, who: Caller, which: int) -> list[Decision]:
    found = await read(hub, who, which)
    return await hub.read(lambda connection: possible(connection, who, found))


async def texts(hub: Community, which: int) -> list[str | None]:
    lines = await hub.read(lambda connection: reports.read_lines(connection, which))
    return [line.text for line in lines]


async def delete(hub: Community, who: Caller, channel: int, seq: int) -> None:
    await hub.node.log.append(lambda done: Delete(who.account_id, who.persona_id, channel, done, seq))


async def test_a_message_is_kept_with_five_around_it_as_far_as_the_reporter_reads(hub: Community) -> None:
    ada, ben, cem, eve = await hub.members("ada", "ben", "cem", "eve")
    room = await hub.group(ada, "closed", ben, history="since_joining")
    for n in range(3):
        await hub.say(ben, room, f"before {n}")
    await hub.let_in(ada, room, cem)
    seqs = [await hub.say(ben, room, f"{n}") for n in range(9)]
    await delete(hub, ben, room, seqs[3])
    made, is_new = await report(hub.node, cem, Reported("abuse", room, seqs[4], text=" it hurts "))
    assert is_new
    assert await texts(hub, made) == ["0", "1", "2", "4", "5", "6"]
    first, _ = await report(hub.node, cem, Reported("abuse", room, seqs[0]))
    assert await texts(hub, first) == ["0", "1", "2", "4", "5", "6"]
    last, _ = await report(hub.node, cem, Reported("abuse", room, seqs[8]))
    assert await texts(hub, last) == ["2", "4", "5", "6", "7", "8"]
    await delete(hub, ben, room, seqs[4])
    assert "4" in await texts(hub, made), "as they were"
    found = await read(hub, ada, made)
    assert (found.queue, found.reason, found.text, found.persona_id) == ("group", "abuse", "it hurts", ben.persona_id)
    for wrong in (Reported("abuse", room, 1), Reported("abuse", room, seqs[3]), Reported("abuse", room, 10_000)):
        with pytest.raises(HubError, match="entry_unknown"):
            await report(hub.node, cem, wrong)
    for what in (Reported("abuse", room, seqs[5]), Reported("abuse", 1), Reported("abuse", ada.inbox_id)):
        with pytest.raises(HubError, match="channel_unknown"):
            await report(hub.node, eve, what)
    with pytest.raises(HubError, match="not_allowed"):
        await report(hub.node, ben, Reported("abuse", room, seqs[5]))
    with pytest.raises(HubError, match="not_allowed"):
        await report(hub.node, ben, Reported("abuse", person=ben.persona_id))
    with pytest.raises(HubError, match="person_unknown"):
        await report(hub.node, ben, Reported("abuse", person=12))
    for odd in (Reported("abuse"), Reported("abuse", seq=1), Reported("abuse", room, 1, ada.persona_id)):
        with pytest.raises(HubError, match="fields_invalid"):
            await report(hub.node, cem, odd)
    with pytest.raises(HubError, match="fields_invalid"):
        await report(hub.node, cem, Reported("abuse", room, text="x" * 1_001))


async def test_a_report_is_in_the_queue_of_those_whose_it_is(hub: Community) -> None:
    ada, ben, cem, eve = await hub.members("ada", "ben", "cem", "eve")
    mod, root = await hub.member("mod", "moderator"), await hub.member("root", "admin")
    room = await hub.group(ada, "secret", ben, cem)
    await members.set_role(hub.node, ada, room, "cem", "moderator")
    talk = await converse(hub.node, ada, ["ben"])
    theirs, about_officer = await hub.say(ben, room, "buy this"), await hub.say(cem, room, "obey")
    said = await hub.say(ada, talk, "between us")
    in_group, _ = await report(hub.node, cem, Reported("spam", room, theirs))
    of_officer, _ = await report(hub.node, ben, Reported("abuse", room, about_officer))
    of_person, _ = await report(hub.node, ben, Reported("impersonation", person=eve.persona_id))
    of_group, _ = await report(hub.node, ben, Reported("harmful_advice", room))
    of_talk, _ = await report(hub.node, ben, Reported("abuse", talk, said))
    of_mod, _ = await report(hub.node, ben, Reported("abuse", person=mod.persona_id))
    hubs = {of_officer, of_person, of_group, of_talk}
    assert set(await seen(hub, ada)) == set(await seen(hub, cem)) == {in_group}
    assert set(await seen(hub, mod)) == hubs
    assert set(await seen(hub, root)) == hubs | {of_mod}
    assert await seen(hub, ben) == await seen(hub, eve) == []
    assert set(await seen(hub, root, later_ms=PATIENCE_MS)) == hubs | {of_mod, in_group}
    assert set(await seen(hub, ada, later_ms=PATIENCE_MS)) == {in_group}
    reasons = {who.handle: (await hub.reasons(who)).count("report") for who in (ada, ben, cem, mod, root, eve)}
    assert reasons == {"ada": 1, "ben": 0, "cem": 0, "mod": 4, "root": 5, "eve": 0}
    for who, which in ((ada, of_group), (mod, in_group), (mod, of_mod), (eve, of_person), (ben, in_group)):
        with pytest.raises(HubError, match="thing_unknown"):
            await decide(hub.node, who, which, "dismissed", "no")
    assert await ways(hub, root, of_talk) == ["dismissed", "warned", "disabled"]
    assert await ways(hub, mod, of_talk) == ["dismissed", "warned"], "no rank reads a conversation, or writes in it"
    assert await ways(hub, cem, in_group) == ["dismissed", "warned", "removed_message", "removed_member", "banned"]


async def test_the_same_thing_reported_twice_is_one_report(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    room = await hub.group(ada, "open", ben, cem)
    seq = await hub.say(ben, room)
    told = await asyncio.gather(*(report(hub.node, cem, Reported("spam", room, seq)) for _ in range(4)))
    assert len({made for made, _ in told}) == 1
    assert sorted(is_new for _, is_new in told) == [False, False, False, True]
    other, is_new = await report(hub.node, ada, Reported("spam", room, seq))
    assert is_new
    assert len(await seen(hub, ada)) == 2
    await decide(hub.node, ada, other, "dismissed", "no harm")
    again, is_new = await report(hub.node, ada, Reported("spam", room, seq))
    assert is_new
    assert again != other
    assert (await hub.reasons(ada)).count("report") == 2, "the one of another, and how one's own ended"


async def test_nobody_reports_without_end(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    room = await hub.group(ada, "open", ben)
    seqs = [await hub.say(ben, room) for _ in range(HOURLY + 1)]
    for seq in seqs[:-1]:
        await report(hub.node, ada, Reported("spam", room, seq))
    with pytest.raises(HubError, match="too_many_reports"):
        await report(hub.node, ada, Reported("spam", room, seqs[-1]))
    await report(hub.node, ada, Reported("spam", room, seqs[0]))


async def test_what_is_decided_is_done_and_told_to_both_sides(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    root = await hub.member("root", "admin")
    room = await hub.group(ada, "closed", ben, cem)
    seqs = [await hub.say(ben, room, f"{n}") for n in range(5)]

    async def decided(decision: Decision, seq: int, by: Caller) -> int:
        made, _ = await report(hub.node, cem, Reported("abuse", room, seq))
        await decide(hub.node, by, made, decision, f"because of {decision}")
        assert (await hub.notices(cem))[-1] == {
            "about": {"channel": room, "seq": seq}, "reason": "report", "report": made, "decision": decision,
            "word": f"because of {decision}",
        }  # fmt: skip
        with pytest.raises(HubError, match="already_decided"):
            await decide(hub.node, by, made, "dismissed", "again")
        return made

    quiet = await hub.notices(ben)
    await decided("dismissed", seqs[0], ada)
    assert await hub.notices(ben) == quiet, "who was reported in vain is not told"
    await decided("warned", seqs[1], ada)
    await decided("removed_message", seqs[2], ada)
    entries = {entry.seq: entry for entry in await hub.entries(room, "message")}
    assert [entries[seq].deleted for seq in seqs] == [False, False, True, False, False]
    assert [(e.target, e.author) for e in await hub.entries(room, "delete")] == [(seqs[2], ada.persona_id)]
    await decided("removed_member", seqs[3], ada)
    assert await hub.states(room, [ben]) == ["none"]
    await decided("banned", seqs[4], ada)
    assert await hub.states(room, [ben]) == ["banned"]
    told = [notice for notice in await hub.notices(ben) if notice["reason"] == "moderation"]
    assert [one["decision"] for one in told] == ["warned", "removed_message", "removed_member", "banned"]
    assert told[0] == {
        "about": {"channel": room, "seq": seqs[1]}, "reason": "moderation", "decision": "warned",
        "word": "because of warned",
    }  # fmt: skip
    of_person, _ = await report(hub.node, cem, Reported("danger", person=ben.persona_id))
    await decide(hub.node, root, of_person, "disabled", "he threatens people")
    assert (await hub.revocations())[-1] == {"reason": "disabled", "account": ben.account_id}
    done = await hub.read(lambda connection: connection.execute(sa.text("SELECT action FROM audit")).scalars().all())
    for decision in ("dismissed", "warned", "removed_message", "removed_member", "banned"):
        assert f"group.report.{decision}" in done
    assert {"report.disabled", "member.removed", "member.banned", "account.disable"} <= set(done)
    audited = await hub.read(lambda connection: read_audit(connection, limit=50))
    assert {one.action for one in audited} == {"report.disabled", "account.disable"}, "who moderates a group is its own"


async def test_a_decision_that_one_may_not_carry_out_by_hand_changes_nothing(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    mod = await hub.member("mod", "moderator")
    room = await hub.group(ada, "closed", ben, cem)
    await members.set_role(hub.node, ada, room, "ben", "moderator")
    seq = await hub.say(ada, room, "I own this")
    made, _ = await report(hub.node, cem, Reported("abuse", room, seq))
    for decision in ("removed_message", "removed_member", "banned", "disabled"):
        with pytest.raises(HubError) as refused:
            await decide(hub.node, mod, made, decision, "away")
        assert refused.value.reason in ("not_allowed", "channel_unknown")
    for word in ("", "  ", "x" * 501):
        with pytest.raises(HubError, match="fields_invalid"):
            await decide(hub.node, mod, made, "warned", word)
    with pytest.raises(HubError, match="thing_unknown"):
        await decide(hub.node, mod, 12, "dismissed", "no")
    assert await seen(hub, mod) == [made]
    assert [entry.deleted for entry in await hub.entries(room, "message")] == [False]
    assert "moderation" not in await hub.reasons(ada)


async def test_where_signed_in_people_read_the_hubs_moderators_take_messages_away(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    mod = await hub.member("mod", "moderator")
    room = await hub.group(ada, "open", ben, cem)
    seq = await hub.say(ada, room, "obey me")
    made, _ = await report(hub.node, cem, Reported("abuse", room, seq))
    assert await ways(hub, mod, made) == ["dismissed", "warned", "removed_message"]
    await decide(hub.node, mod, made, "removed_message", "not here")
    assert [entry.deleted for entry in await hub.entries(room, "message")] == [True]


async def test_two_who_decide_at_once_decide_once(hub: Community) -> None:
    ada, ben, cem, dan = await hub.members("ada", "ben", "cem", "dan")
    room = await hub.group(ada, "open", ben, cem, dan)
    await members.set_role(hub.node, ada, room, "cem", "moderator")
    seq = await hub.say(ben, room)
    made, _ = await report(hub.node, dan, Reported("spam", room, seq))
    told = await asyncio.gather(
        *(decide(hub.node, who, made, "removed_message", "spam") for who in (ada, cem, ada, cem)),
        return_exceptions=True,
    )
    assert [one.reason for one in told if isinstance(one, HubError)] == ["already_decided"] * 3
    assert len(await hub.entries(room, "delete")) == 1
    assert (await hub.reasons(ben)).count("moderation") == 1


async def test_a_group_that_is_warned_hears_it_by_its_officers(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    mod = await hub.member("mod", "moderator")
    room = await hub.group(ada, "closed", ben)
    made, _ = await report(hub.node, ben, Reported("harmful_advice", room))
    await decide(hub.node, mod, made, "warned", "no cures are sold here")
    assert await hub.reasons(ada) == ["request", "moderation"]
    assert await hub.reasons(ben) == ["approved", "report"]


async def test_who_blocks_a_moderator_still_hears_how_it_ended(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    room = await hub.group(ada, "open", ben, cem)
    seq = await hub.say(ben, room)
    await block(hub.node, cem, "ada")
    made, _ = await report(hub.node, cem, Reported("spam", room, seq))
    await decide(hub.node, ada, made, "warned", "enough")
    (entry,) = await hub.entries(cem.inbox_id, "notice")
    assert entry.author is None


async def test_a_group_without_officers_leaves_it_to_the_hub(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    root = await hub.member("root", "admin")
    room = await hub.group(ada, "open", ben, cem)
    await offices.disable(hub.node, root, "ada")
    made, _ = await report(hub.node, cem, Reported("spam", room, await hub.say(ben, room)))
    assert await seen(hub, root) == [made]


async def test_reports_are_forgotten_90_days_after_and_erased_with_whom_they_are_about(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    room = await hub.group(ada, "open", ben, cem)
    await hub.say(cem, room, "beside it")
    seq = await hub.say(ben, room, "spam")
    decided, _ = await report(hub.node, cem, Reported("spam", room, seq))
    await decide(hub.node, ada, decided, "dismissed", "no")
    open_, _ = await report(hub.node, ada, Reported("spam", room, seq))
    now = hub.node.log.clock()
    await hub.node.database.write(lambda connection: forget_served(connection, now + DECIDED_MS - 60_000))
    assert await texts(hub, decided) == ["beside it", "spam"]
    await hub.node.database.write(lambda connection: forget_served(connection, now + DECIDED_MS + 60_000))
    assert await texts(hub, decided) == []
    assert await texts(hub, open_) == ["beside it", "spam"]

    for who, left in ((cem, [None, "spam"]), (ben, [])):
        account = who.account_id
        await hub.node.database.write(lambda connection, account=account: reports.erase_reports(connection, account))  # type: ignore[misc]
        assert await texts(hub, open_) == left
