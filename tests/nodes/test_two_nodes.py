"""What is said on one node is heard on the other, once and in order, with the bus and without it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hubchat.actions import members
from hubchat.channels.items import Delete, Edit
from hubchat.presence import tracker
from hubchat.storage.sessions import Caller
from tests.community import open_community
from tests.lines import WAIT_S, Line
from tests.nodes.conftest import Here
from tests.redis_servers import RedisServer
from tests.waiting import until

Nodes = tuple[Here, Here]

SOON_S = 5.0  # a busy machine's second; a third of the time after which SQL is asked while the bus is trusted


async def _room(one: Here) -> tuple[int, Caller, Caller]:
    ana, ben = await one.hub.members("ana", "ben")
    return await one.hub.group(ana, "closed", ben), ana, ben


def _signals(line: Line, kind: str) -> list[dict[str, Any]]:
    return [message for message in line.heard if message.get("signal") == kind]


async def test_a_message_of_one_node_comes_to_readers_of_the_other_in_both_dialects(nodes: Nodes) -> None:
    one, two = nodes
    room, ana, ben = await _room(one)
    readers = [two.lines.open(ben, "json"), two.lines.open(ben, "msgpack")]
    head = max([(await line.do("subscribe", channel=room))["head"] for line in readers])
    writer = one.lines.open(ana)
    for number in range(20):
        writer.send("send", channel=room, nonce=f"n{number}", text=f"text {number}")
    for line in readers:
        assert await line.until_seq(room, head + 20) == list(range(head + 1, head + 21))
        assert line.texts(room) == [f"text {number}" for number in range(20)]
    assert two.node.hub.bus.is_ok, "it came by the bus"


async def test_both_nodes_write_to_one_channel_and_all_read_one_order(nodes: Nodes) -> None:
    one, two = nodes
    room, ana, ben = await _room(one)
    lines = [one.lines.open(ana), two.lines.open(ben)]
    heads = [(await line.do("subscribe", channel=room))["head"] for line in lines]
    for number in range(50):
        for line in lines:
            line.send("send", channel=room, nonce=f"n{number}", text="hello")
    for line, head in zip(lines, heads, strict=True):
        assert await line.until_seq(room, head + 100) == list(range(head + 1, head + 101))
    assert [e["author"] for e in lines[0].entries(room)] == [e["author"] for e in lines[1].entries(room)]


async def test_edits_and_deletions_cross_and_leave_no_words_in_what_the_other_node_keeps(nodes: Nodes) -> None:
    one, two = nodes
    room, ana, ben = await _room(one)
    reader = two.lines.open(ben)
    await reader.do("subscribe", channel=room)
    seq = await one.hub.say(ana, room, "first words")
    who = (ana.account_id, ana.persona_id, room)
    await one.node.log.append(lambda done: Edit(*who, done, seq, "other words"))
    await one.node.log.append(lambda done: Delete(*who, done, seq))
    await reader.until_seq(room, seq + 2)
    late = two.lines.open(ben)
    await late.do("subscribe", channel=room, after=seq - 1)
    await late.until_seq(room, seq + 2)
    assert late.texts(room) == []
    assert late.entries(room)[0]["deleted"]


async def test_a_right_lost_on_one_node_ends_delivery_on_the_other(nodes: Nodes) -> None:
    one, two = nodes
    room, ana, ben = await _room(one)
    reader = two.lines.open(ben)
    await reader.do("subscribe", channel=room)
    await members.remove(one.node, ana, room, "ben")
    await until(lambda: reader.revoked() == [room], SOON_S)
    after = await one.hub.say(ana, room, "without ben")
    await asyncio.sleep(0.3)
    assert after not in reader.seqs(room)


async def test_presence_typing_and_the_audience_cross(nodes: Nodes) -> None:
    one, two = nodes
    room, ana, ben = await _room(one)
    others = await one.hub.members(*(f"m{number}" for number in range(4)))
    for other in others:
        await one.hub.let_in(ana, room, other)
    watcher, here = two.lines.open(ben), one.lines.open(ana)
    assert (await watcher.do("watch", people=[ana.persona_id])) in ({"online": []}, {"online": [ana.persona_id]})
    await watcher.do("subscribe", channel=room)
    await here.do("subscribe", channel=room)
    told = {str(ana.persona_id): "online"}
    await until(lambda: told in [s["people"] for s in _signals(watcher, "presence")], SOON_S)
    await here.do("typing", channel=room)
    await until(lambda: _signals(watcher, "typing"), SOON_S)
    assert _signals(watcher, "typing") == [{"signal": "typing", "channel": room, "person": ana.persona_id}]
    for number, other in enumerate(others):
        await nodes[number % 2].lines.open(other).do("subscribe", channel=room)
    for line in (watcher, here):
        await until(lambda line=line: [s["count"] for s in _signals(line, "audience")][-1:] == [6], SOON_S)  # type: ignore[misc]


async def test_a_node_full_of_members_tells_them_in_parts_and_again_when_one_is_lost(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracker, "PART", 2)
    one, two = nodes
    crowd = [await one.hub.member(f"member-{number}") for number in range(7)]
    hear = two.node.hub.on_signal["presence"]
    lost: list[dict[str, Any]] = []

    def hear_badly(node: int, about: int, signal: dict[str, Any]) -> None:
        if signal["from"] == 2 and not lost:
            lost.append(signal)
        else:
            hear(node, about, signal)

    monkeypatch.setitem(two.node.hub.on_signal, "presence", hear_badly)
    for member in crowd:
        one.lines.open(member)
    await until(lambda: all(two.node.tracker.roster.presence(m.account_id) == "online" for m in crowd), WAIT_S)
    assert lost


async def test_who_reads_on_one_node_is_told_what_is_unread_on_the_other(nodes: Nodes) -> None:
    one, two = nodes
    room, ana, ben = await _room(one)
    seq = await one.hub.say(ana, room)
    phone, desk = one.lines.open(ben), two.lines.open(ben)
    await phone.do("read", channel=room, seq=seq)
    await until(lambda: {str(room): 0} in [s["unread"] for s in _signals(desk, "inbox")], SOON_S)


async def test_who_is_named_on_one_node_finds_it_in_the_inbox_on_the_other(nodes: Nodes) -> None:
    one, two = nodes
    room, ana, ben = await _room(one)
    desk = two.lines.open(ben)
    head = (await desk.do("subscribe", channel=ben.inbox_id))["head"]
    await one.hub.say(ana, room, "see here, @ben")
    await desk.until_seq(ben.inbox_id, head + 1)
    assert desk.entries(ben.inbox_id)[-1]["reason"] == "mention"


# ---------------------------------------------------------------- without the bus


async def test_without_redis_all_goes_on_and_when_it_is_back_nothing_is_missing_or_doubled(
    nodes: Nodes, redis: RedisServer
) -> None:
    one, two = nodes
    room, ana, ben = await _room(one)
    reader = two.lines.open(ben)
    head = (await reader.do("subscribe", channel=room))["head"]
    await one.hub.say(ana, room, "with it")
    await reader.until_seq(room, head + 1)
    redis.kill()
    await until(lambda: not one.node.hub.bus.is_ok and not two.node.hub.bus.is_ok, SOON_S)
    seq = await one.hub.say(ana, room, "without it")
    await until(lambda: seq in reader.seqs(room), SOON_S)
    redis.start()
    said = [await one.hub.say(ana, room, f"{number}") for number in range(20)]
    await until(lambda: one.node.hub.bus.is_ok and two.node.hub.bus.is_ok, 20)
    last = await one.hub.say(ana, room, "with it again")
    assert await reader.until_seq(room, last) == list(range(head + 1, last + 1))
    assert said[-1] + 1 == last


async def test_a_hanging_redis_holds_nobody_up(nodes: Nodes, redis: RedisServer) -> None:
    one, two = nodes
    room, ana, ben = await _room(one)
    reader = two.lines.open(ben)
    head = (await reader.do("subscribe", channel=room))["head"]
    redis.hang()
    last = [await one.hub.say(ana, room, f"{number}") for number in range(10)][-1]
    newcomer = two.lines.open(ana)
    await asyncio.wait_for(newcomer.do("subscribe", channel=await one.hub.group(ana)), SOON_S)
    assert await reader.until_seq(room, last) == list(range(head + 1, last + 1))
    redis.go_on()


async def test_who_came_and_went_without_redis_is_known_when_it_is_back(nodes: Nodes, redis: RedisServer) -> None:
    one, two = nodes
    room, ana, ben = await _room(one)
    others = await one.hub.members(*(f"m{number}" for number in range(5)))
    for other in others:
        await one.hub.let_in(ana, room, other)
    watcher = two.lines.open(ben)
    leaving = [one.lines.open(who) for who in (ana, *others)]
    for line in (watcher, *leaving):
        await line.do("subscribe", channel=room)
    await watcher.do("watch", people=[ana.persona_id])
    roster = two.node.tracker.roster
    await until(lambda: roster.presence(ana.account_id) == "online", SOON_S)
    await until(lambda: [s["count"] for s in _signals(watcher, "audience")][-1:] == [7], SOON_S)
    redis.kill()
    await until(lambda: not one.node.hub.bus.is_ok and not two.node.hub.bus.is_ok, SOON_S)
    for line in leaving[:2]:
        line.session.closed()
    await until(lambda: one.node.tracker.roster.presence(ana.account_id) == "offline", SOON_S)
    assert roster.presence(ana.account_id) == "online", "nobody could tell"
    redis.start()
    await until(lambda: roster.presence(ana.account_id) == "offline", WAIT_S)
    await until(lambda: [s["count"] for s in _signals(watcher, "audience")][-1:] == [5], WAIT_S)


async def test_what_the_bus_lost_without_a_word_is_found_in_sql(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = nodes
    room, ana, ben = await _room(one)
    reader = two.lines.open(ben)
    head = (await reader.do("subscribe", channel=room))["head"]
    monkeypatch.setattr(one.node.hub.bus, "publish", lambda batch: None)
    await one.hub.say(ana, room, "lost")
    monkeypatch.undo()
    last = await one.hub.say(ana, room, "not lost")
    assert await reader.until_seq(room, last) == [head + 1, head + 2]
    assert reader.texts(room) == ["lost", "not lost"]


async def test_a_command_beside_the_servers_is_heard_by_the_bus(
    nodes: Nodes, database_url: str, tmp_path: Path, redis: RedisServer
) -> None:
    one, two = nodes
    room, ana, ben = await _room(one)
    reader = two.lines.open(ben)
    head = (await reader.do("subscribe", channel=room))["head"]
    async with open_community(database_url, tmp_path / "one", redis_url=redis.url) as command:
        await command.say(ana, room, "from a command")
    await until(lambda: head + 1 in reader.seqs(room), SOON_S)


# ---------------------------------------------------------------- nodes that come and go


async def test_a_node_that_goes_takes_its_presences_with_it(nodes: Nodes) -> None:
    one, two = nodes
    _, ana, ben = await _room(one)
    watcher, _here = two.lines.open(ben), one.lines.open(ana)
    at_first = (await watcher.do("watch", people=[ana.persona_id]))["online"]
    here = {str(ana.persona_id): "online"}
    await until(lambda: at_first or here in [s["people"] for s in _signals(watcher, "presence")], SOON_S)
    one.node.hub.bus._say_once = lambda *_: None  # type: ignore[attr-defined]  # it says nothing any more
    peers = two.node.peers
    assert peers is not None
    one.node.peers.look = peers.look  # type: ignore[union-attr,method-assign]  # nor in SQL
    gone = sa.text("DELETE FROM node WHERE id = :id")
    await two.node.database.write(lambda connection: connection.execute(gone, {"id": one.node.id}).rowcount)
    told = {str(ana.persona_id): "offline"}
    await until(lambda: told in [s["people"] for s in _signals(watcher, "presence")], WAIT_S)


async def test_a_history_that_was_replaced_sends_everybody_away_on_every_node(nodes: Nodes) -> None:
    one, two = nodes
    room, ana, ben = await _room(one)
    lines = [one.lines.open(ana), two.lines.open(ben), two.lines.open()]
    for line in lines[:2]:
        await line.do("subscribe", channel=room)
    public = await one.hub.group(ana, "public")
    await lines[2].do("subscribe", channel=public)
    before = one.node.hub.log_id
    other = sa.text("UPDATE hub SET value = '4711' WHERE key = 'log'")
    await one.node.database.write(lambda connection: connection.execute(other).rowcount)
    for line in lines:
        await until(lambda line=line: line.closed_with == 1012, SOON_S)  # type: ignore[misc]
    await until(lambda: one.node.hub.log_id == two.node.hub.log_id == 4711 != before, SOON_S)
    again = two.lines.open(ben)
    head = (await again.do("subscribe", channel=room))["head"]
    await one.hub.say(ana, room, "in the other history")
    await again.until_seq(room, head + 1)


async def test_a_head_that_runs_back_is_a_history_that_was_replaced(nodes: Nodes) -> None:
    one, two = nodes
    room, ana, ben = await _room(one)
    line = two.lines.open(ben)
    await line.do("subscribe", channel=room)
    seq = await one.hub.say(ana, room)
    await line.until_seq(room, seq)
    before = one.node.hub.log_id
    back = sa.text("UPDATE channel SET head = :head WHERE id = :id")
    await one.node.database.write(lambda c: c.execute(back, {"head": seq - 1, "id": room}).rowcount)
    two.node.hub.gapped(None)
    await until(lambda: line.closed_with == 1012, WAIT_S)
    await until(lambda: one.node.hub.log_id == two.node.hub.log_id != before, WAIT_S)
