"""Replays: what changed meanwhile is read again, nothing is replayed that may not be handed out, nobody is left."""

import asyncio
from collections import defaultdict
from typing import Any

import pytest

from hubchat.channels.encoded import Encoded
from hubchat.channels.live import Live
from hubchat.errors import RESTARTING
from tests.community import Community
from tests.lines import WAIT_S, Lines

SAID = 20
SILENCE_S = 0.2  # many turns


async def _room_said(hub: Community) -> tuple[Any, int]:
    """A member, and a room in which much was said that the node has not at hand."""
    ana = await hub.member("ana")
    room = await hub.group(ana)
    for number in range(SAID):
        await hub.say(ana, room, f"line {number}")
    hub.node.hub.recent.clear()
    return ana, room


class LateReads:
    """Lets pages of the log arrive one by one, by where they begin."""

    def __init__(self, hub: Community, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_come: dict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self.read: set[int] = set()
        self._query = hub.node.catchup._query
        monkeypatch.setattr(hub.node.catchup, "_query", self)

    async def __call__(self, live: Live, first: int) -> list[Encoded]:
        page = await self._query(live, first)
        self.read.add(first)
        await self.may_come[first].wait()
        return page

    async def until_read(self, *firsts: int) -> None:
        async with asyncio.timeout(WAIT_S):
            while not set(firsts) <= self.read:
                await asyncio.sleep(0.01)


async def test_two_replays_in_one_channel_do_not_take_each_other_s_changes(
    hub: Community, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, room = await _room_said(hub)
    late = LateReads(hub, monkeypatch)
    early, later, other = (lines.open(ana) for _ in range(3))
    early.send("subscribe", channel=room, after=5)
    later.send("subscribe", channel=room, after=10)
    await late.until_read(6, 11)
    late.may_come[11].set()
    await later.until_seq(room, SAID)
    await other.do("delete", channel=room, seq=15)
    for first in range(1, SAID + 1):
        late.may_come[first].set()
    assert await early.until_seq(room, SAID + 1) == list(range(6, SAID + 2))
    assert "line 14" not in early.texts(room), "it was deleted before it was replayed"
    assert not hub.node.hub.channels[room].replays


async def test_a_node_that_does_not_know_who_lost_a_right_replays_nothing(
    hub: Community, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, room = await _room_said(hub)
    late = LateReads(hub, monkeypatch)
    line, from_recent = lines.open(ana), lines.open(ana)
    line.send("subscribe", channel=room, after=0)
    await late.until_read(1)
    freshen = hub.node.hub.freshen
    monkeypatch.setattr(hub.node.hub, "freshen", lambda asked_at: False)
    hub.node.hub.fresh_at -= 100  # as if it had slept
    late.may_come[1].set()
    await from_recent.do("subscribe", channel=room, after=0)
    await asyncio.sleep(SILENCE_S)
    assert (line.seqs(room), from_recent.seqs(room)) == ([], [])
    monkeypatch.setattr(hub.node.hub, "freshen", freshen)
    for one in (line, from_recent):
        assert await one.until_seq(room, SAID) == list(range(1, SAID + 1))


async def test_nothing_is_replayed_of_a_channel_whose_rights_are_being_asked_again(
    hub: Community, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, room = await _room_said(hub)
    free = await hub.group(ana)
    await hub.say(ana, free)
    late = LateReads(hub, monkeypatch)
    line, other = lines.open(ana), lines.open(ana)
    line.send("subscribe", channel=room, after=0)
    await late.until_read(1)
    live = hub.node.hub.channels[room]
    hub.node.hub.block([live])
    for first in range(1, SAID + 1):
        late.may_come[first].set()
    await other.do("subscribe", channel=room, after=0)
    await other.do("subscribe", channel=free, after=0)
    assert await other.until_seq(free, 1) == [1]
    await asyncio.sleep(SILENCE_S)
    assert (line.seqs(room), other.seqs(room)) == ([], [])
    hub.node.hub.unblock([live])
    for one in (line, other):
        assert await one.until_seq(room, SAID) == list(range(1, SAID + 1))


@pytest.mark.parametrize("at_hand", [True, False], ids=["at hand", "in SQL"])
async def test_who_can_not_be_caught_up_comes_again(
    hub: Community, lines: Lines, monkeypatch: pytest.MonkeyPatch, at_hand: bool
) -> None:
    ana, room = await _room_said(hub)
    if at_hand:
        staying = lines.open(ana)
        await staying.do("subscribe", channel=room)
        await staying.until_seq(room, await hub.say(ana, room))
    line = lines.open(ana)
    frame = Encoded.frame

    def broken(self: Encoded, kind: Any) -> bytes:
        if self.channel == room:
            raise ValueError("an entry of another release")
        return frame(self, kind)

    monkeypatch.setattr(Encoded, "frame", broken)
    line.send("subscribe", channel=room, after=SAID if at_hand else 0)
    await line.until(lambda: line.closed_with)
    assert line.closed_with == RESTARTING.code
