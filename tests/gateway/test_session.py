"""A connection: one reply to each command, nothing done after its end, nothing piled up before a full socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hubchat.actions import me, members
from hubchat.gateway import session
from hubchat.gateway.keeper import Keeper
from hubchat.storage import gathered
from hubchat.storage.sessions import Caller
from tests.community import Community, open_community
from tests.lines import WAIT_S, Gate, Lines

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the database has no part in it


@pytest.fixture
async def hub(database_url: str, tmp_path: Path) -> AsyncIterator[Community]:
    """A hub without members."""
    async with open_community(database_url, tmp_path) as community:
        yield community


@pytest.fixture
def lines(hub: Community) -> Lines:
    """Live connections to that hub."""
    return Lines(hub.node)


async def test_what_was_said_behind_the_command_that_closed_it_is_not_done(
    hub: Community, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "BAD", 1)
    ana, ben = await hub.members("ana", "ben")
    await hub.group(ana, "closed", ben)
    line, other = lines.open(ana), lines.open(ben)
    assert (await other.do("watch", people=[ana.persona_id]))["online"] == [ana.persona_id]
    for channel in (4242, 4243):
        line.send("subscribe", channel=channel)  # neither is there, and one was too many
    behind = [line.send("idle", on=True), line.send("watch", people=[ben.persona_id])]
    await line.until(lambda: line.closed_with)
    assert line.closed_with == 4009
    assert (await other.do("watch", people=[ana.persona_id]))["online"] == []
    assert "bye" in line.heard[-1]
    assert not any(message.get("re") in behind for message in line.heard)
    assert line.session not in hub.node.tracker._watches


async def test_who_joins_hears_typing_without_subscribing_again(hub: Community, lines: Lines) -> None:
    ana, ben, eva, ida, zoe = await hub.members("ana", "ben", "eva", "ida", "zoe")
    group = await hub.group(ana, "public", eva, ida)
    his, theirs = lines.open(ben), lines.open(zoe)
    for line in (his, theirs):
        await line.do("subscribe", channel=group)

    async def types(who: Caller) -> list[list[int]]:
        """Whom Ben and Zoe have heard typing once somebody has."""
        line = lines.open(who)
        await line.do("typing", channel=group)
        seq = await hub.say(who, group)
        for reader in (his, theirs):
            await reader.until_seq(group, seq)
        return [[one["person"] for one in reader.heard if one.get("signal") == "typing"] for reader in (his, theirs)]

    assert await types(ana) == [[], []]
    await members.join(hub.node, ben, group)
    async with asyncio.timeout(WAIT_S):
        while not his.session.subscriptions[group].member:
            await asyncio.sleep(0.01)
    assert await types(eva) == [[eva.persona_id], []]
    await members.leave(hub.node, ben, group)
    await his.until(lambda: his.revoked() == [group])
    await his.do("subscribe", channel=group)
    assert await types(ida) == [[eva.persona_id], []]


async def test_who_shows_themselves_to_others_is_no_member_by_that(hub: Community, lines: Lines) -> None:
    ana, ben = await hub.members("ana", "ben")
    room, club = await hub.group(ana, "public"), await hub.group(ana, "public")
    line = lines.open(ben)
    for channel in (room, club):
        await line.do("subscribe", channel=channel)
    await me.change_me(hub.node, ben, me.MeChange(presence="nobody"))
    await members.join(hub.node, ben, club)
    async with asyncio.timeout(WAIT_S):
        while not line.session.subscriptions[club].member:
            await asyncio.sleep(0.01)
    assert not line.session.subscriptions[room].member


async def test_a_broken_command_with_the_id_of_an_open_one_does_not_let_a_third_have_it(
    hub: Community, lines: Lines
) -> None:
    ana = await hub.member("ana")
    room = await hub.group(ana)
    line = lines.open(ana)
    hub.node.seats.get = gate = Gate(hub.node.seats.get)  # type: ignore[method-assign]
    good, broken = (json.dumps({"do": "history", "id": 700, "channel": channel}) for channel in (room, "x"))
    for payload in (good, broken, good, broken, good):
        line.session.received(payload)
    gate.open()
    await line.do("ping")
    replies = [message for message in line.heard if message.get("re") == 700]
    reasons = [reply["error"]["reason"] for reply in replies if "error" in reply]
    assert reasons == ["field_invalid", "id_in_use", "field_invalid", "id_in_use"]
    assert len([reply for reply in replies if "ok" in reply]) == 1


async def test_while_the_socket_is_full_no_reply_is_made_and_afterwards_each_one_comes(
    hub: Community, lines: Lines
) -> None:
    ana = await hub.member("ana")
    room = await hub.group(ana)
    slow, other = lines.open(ana), lines.open(ana)
    await slow.do("ping")
    heard = len(slow.heard)
    asked = [slow.send("history", channel=room) for _ in range(20)]
    slow.choke()
    for _ in asked:
        await other.do("history", channel=room)
    assert len(slow.heard) == heard
    slow.release()
    for one in asked:
        assert "entries" in await slow.reply(one)
    assert [message["re"] for message in slow.heard if message.get("re") in asked] == asked


@pytest.mark.parametrize(("connections", "most_ms"), [(3, 5_000), (40_000, 40_000)])
async def test_a_node_that_stops_spreads_those_who_come_back_over_the_others(
    hub: Community, lines: Lines, monkeypatch: pytest.MonkeyPatch, connections: int, most_ms: int
) -> None:
    line = lines.open(await hub.member("ana"))
    monkeypatch.setattr(Keeper, "links", connections)
    line.session.shutdown()
    assert line.heard[-1]["bye"] == {"code": 1012, "reason": "restarting", "reconnect_in_ms": [200, most_ms]}
    assert line.closed_with == 1012


async def test_subscriptions_that_stand_together_are_answered_in_order_each_with_what_it_missed(
    hub: Community, lines: Lines
) -> None:
    ana = await hub.member("ana")
    rooms = [await hub.group(ana) for _ in range(3)]
    for room in rooms:
        await hub.say(ana, room, "missed")
    line = lines.open(ana)
    asked = [line.send("subscribe", channel=room, after=0) for room in (rooms[0], 12345, *rooms[1:], rooms[0])]
    asked += [line.send("send", channel=rooms[2], nonce="a", text="behind it"), line.send("ping")]
    replies = [await line.reply(one) for one in asked]
    assert [reply.get("reason") for reply in replies] == [None, "channel_unknown", *[None] * 5]
    assert [message["re"] for message in line.heard if message.get("re") in asked] == asked
    for room in rooms:
        await line.until_seq(room, 1)
        reply = next(at for at, message in enumerate(line.heard) if message.get("ok", {}).get("channel") == room)
        entry = line.heard.index(line.entries(room)[0])
        assert reply < entry, "what is replayed follows the reply"


async def test_a_right_that_was_asked_ahead_is_asked_again_once_rights_have_changed(
    hub: Community, lines: Lines
) -> None:
    ana, ben = await hub.members("ana", "ben")
    rooms = [await hub.group(ana, "closed", ben) for _ in range(2)]
    line = lines.open(ben)
    hub.node.hub.open = gate = Gate(hub.node.hub.open)  # type: ignore[method-assign]
    asked = [line.send("subscribe", channel=room) for room in rooms]
    await gate.arrived.wait()  # the first one has its right, and the second was asked for with it
    await members.remove(hub.node, ana, rooms[1], ben.handle)
    gate.open()
    assert [(await line.reply(one)).get("reason") for one in asked] == [None, "channel_unknown"]


async def test_when_too_much_waits_to_be_asked_each_subscription_is_told_so(
    hub: Community, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await hub.member("ana")
    rooms = [await hub.group(ana) for _ in range(3)]
    monkeypatch.setattr(gathered, "WAITING", 0)
    line = lines.open(ana)
    asked = [line.send("subscribe", channel=room) for room in rooms]
    assert [(await line.reply(one))["reason"] for one in asked] == ["overloaded"] * 3
    monkeypatch.setattr(gathered, "WAITING", 10)
    assert (await line.do("subscribe", channel=rooms[0]))["head"] == 0
