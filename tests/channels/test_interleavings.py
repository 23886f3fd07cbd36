"""Interleavings that could break what holds, each forced to happen; test_rules.py shows that each rule is needed."""

import asyncio
import random
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from hubchat.access import can
from hubchat.actions import members
from hubchat.channels import batch
from hubchat.channels.items import Message, Stored
from hubchat.errors import HubError
from hubchat.storage.database import OutcomeUnknown
from hubchat.storage.entries import insert_entries
from hubchat.storage.groups import read_roster
from tests.community import Community
from tests.lines import Gate, Lines

T = TypeVar("T")


async def test_who_joins_while_a_batch_goes_out_misses_and_doubles_nothing(hub: Community, lines: Lines) -> None:
    ana, ben = await hub.members("ana", "ben")
    room = await hub.group(ana, "open", ben)
    first = lines.open(ana)
    await first.do("subscribe", channel=room)
    dice = random.Random(7)
    joined = []
    for n in range(60):
        first.send("send", channel=room, nonce=f"n{n}", text=f"line {n}")
        if n % 4 == 0:
            line = lines.open(ben)
            after = dice.randrange((first.seqs(room) or [0])[-1] + 1)
            line.send("subscribe", channel=room, after=after)
            joined.append((line, after))
        await asyncio.sleep(dice.random() * 0.008)
    while len(first.seqs(room)) < 60:
        await asyncio.sleep(0.01)
    head = first.seqs(room)[-1]
    for line, after in joined:
        heard = await line.until_seq(room, head)
        told = next(m["ok"] for m in line.heard if m.get("re") == 1)
        start = told["head"] if told.get("reset") else after
        assert heard == list(range(start + 1, head + 1))


async def test_who_subscribes_without_a_place_hears_what_comes_after_the_head_it_was_told(
    hub: Community, lines: Lines
) -> None:
    ana, ben = await hub.members("ana", "ben")
    room = await hub.group(ana, "open", ben)
    gate = Gate(hub.node.database.read, answer_late=True)
    line = lines.open(ben)
    hub.node.hub.database.read = gate  # type: ignore[method-assign]
    waiting = line.send("subscribe", channel=room)
    await gate.arrived.wait()
    gate.open()
    for n in range(5):
        await hub.say(ana, room, f"line {n}")
    head = (await line.reply(waiting))["head"]
    last = await hub.say(ana, room, "the last")
    assert await line.until_seq(room, last) == list(range(head + 1, last + 1))


async def test_a_right_that_is_lost_while_it_is_asked_is_not_given(hub: Community, lines: Lines) -> None:
    ana, ben = await hub.members("ana", "ben")
    room = await hub.group(ana, "closed", ben)
    roster = await hub.read(lambda connection: read_roster(connection, room))
    assert roster is not None
    seat = await hub.node.seats.get((ben.account_id, roster))
    assert seat is not None
    assert can("read", seat.stand.standing, seat.channel.place)  # the premise
    gate = Gate(hub.node.seats.get, answer_late=True)
    hub.node.seats.get = gate  # type: ignore[method-assign]
    line = lines.open(ben)
    waiting = line.send("subscribe", channel=roster)
    await gate.arrived.wait()
    await members.leave(hub.node, ben, room)
    gate.open()
    assert (await line.reply(waiting))["code"] == "not_found"
    assert line.seqs(roster) == []


async def test_who_loses_the_right_hears_nothing_of_the_same_batch(hub: Community, lines: Lines) -> None:
    ana, ben = await hub.members("ana", "ben")
    room = await hub.group(ana, "closed", ben)
    line = lines.open(ben)
    await line.do("subscribe", channel=room)
    last = await hub.say(ana, room, "while Ben is here")
    await line.until_seq(room, last)
    await asyncio.gather(members.remove(hub.node, ana, room, "ben"), hub.say(ana, room, "when Ben is gone"))
    await line.until(line.revoked)
    await hub.say(ana, room, "and later")
    await asyncio.sleep(0.1)
    heard_after = line.heard[next(i for i, m in enumerate(line.heard) if "revoked" in m) :]
    assert line.revoked() == [room]
    assert [m for m in heard_after if m.get("kind") == "message"] == []


async def test_a_reader_whose_socket_fills_in_the_middle_of_a_write_goes_on_where_it_stood(
    hub: Community, lines: Lines
) -> None:
    ana, ben = await hub.members("ana", "ben")
    room = await hub.group(ana, "open", ben)
    line, fast = lines.open(ben), lines.open(ben)
    for one in (line, fast):
        await one.do("subscribe", channel=room)
    start = (await hub.channel(room)).head
    dice = random.Random(3)
    line.on_write = lambda: line.choke() if dice.random() < 0.5 else None
    for n in range(80):
        await hub.say(ana, room, f"line {n}")
        if dice.random() < 0.3:
            line.release()
    line.on_write = lambda: None
    line.release()
    last = (await hub.channel(room)).head
    assert await fast.until_seq(room, last) == list(range(start + 1, last + 1))
    assert await line.until_seq(room, last) == list(range(start + 1, last + 1))


async def test_a_reader_that_lags_is_written_nothing_and_not_read_from(hub: Community, lines: Lines) -> None:
    ana, ben = await hub.members("ana", "ben")
    room = await hub.group(ana, "open", ben)
    line = lines.open(ben)
    await line.do("subscribe", channel=room)
    line.choke()
    writes = line.writes
    for n in range(20):
        await hub.say(ana, room, f"line {n}")
    assert line.writes == writes
    assert not line.reading


async def test_a_replay_never_shows_what_an_edit_replaced(hub: Community, lines: Lines) -> None:
    ana, ben = await hub.members("ana", "ben")
    room = await hub.group(ana, "open", ben)
    here = lines.open(ana)
    start = (await here.do("subscribe", channel=room))["head"]
    seq = (await here.do("send", channel=room, nonce="a", text="my old words"))["seq"]
    await here.do("edit", channel=room, seq=seq, text="my first change")
    last = (await here.do("edit", channel=room, seq=seq, text="my new words"))["seq"]
    await here.until_seq(room, last)
    late = lines.open(ben)
    await late.do("subscribe", channel=room, after=start)
    assert await late.until_seq(room, last) == list(range(start + 1, last + 1))
    assert set(late.texts(room)) == {"my new words"}


async def test_what_is_deleted_while_a_replay_reads_it_does_not_come(hub: Community, lines: Lines) -> None:
    ana, ben = await hub.members("ana", "ben")
    room = await hub.group(ana, "open", ben)
    start = (await hub.channel(room)).head
    seq = await hub.say(ana, room, "I wish I had not said this")
    last = await hub.say(ana, room, "hello")
    here = lines.open(ana)
    await here.do("subscribe", channel=room)
    gate = Gate(hub.node.database.read, answer_late=True)
    line = lines.open(ben)
    reads = hub.node.database.read
    waiting = line.send("subscribe", channel=room, after=start)
    await line.reply(waiting)
    hub.node.hub.database.read = gate  # type: ignore[method-assign]  # the page of the replay
    await gate.arrived.wait()
    hub.node.hub.database.read = reads  # type: ignore[method-assign]
    deleted = (await here.do("delete", channel=room, seq=seq))["seq"]
    await here.until_seq(room, deleted)
    gate.open()
    assert await line.until_seq(room, deleted) == list(range(start + 1, deleted + 1))
    assert last in line.seqs(room)
    assert "I wish I had not said this" not in line.texts(room)


async def test_equal_nonces_in_one_batch_are_one_message(hub: Community, lines: Lines) -> None:
    ana = await hub.member("ana")
    room = await hub.group(ana, "open")
    line = lines.open(ana)
    start = (await line.do("subscribe", channel=room))["head"]
    twins = [line.send("send", channel=room, nonce="same", text="once") for _ in range(3)]
    replies = [await line.reply(twin) for twin in twins]
    assert replies[0] == replies[1] == replies[2]
    assert await line.until_seq(room, replies[0]["seq"]) == [start + 1]
    assert (await hub.channel(room)).head == start + 1


async def test_what_was_stored_before_its_author_was_removed_is_answered_as_stored(
    hub: Community, lines: Lines
) -> None:
    ana, ben = await hub.members("ana", "ben")
    room = await hub.group(ana, "closed", ben)
    line = lines.open(ben)
    stored = await line.do("send", channel=room, nonce="its reply was lost", text="once")
    await members.remove(hub.node, ana, room, ben.handle)
    assert await line.do("send", channel=room, nonce="its reply was lost", text="once") == stored
    assert (await line.do("send", channel=room, nonce="new", text="once more"))["code"] == "not_found"


async def test_one_item_that_cannot_be_stored_takes_no_other_with_it(
    hub: Community, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await hub.member("ana")
    room = await hub.group(ana, "open")
    line = lines.open(ana)
    start = (await line.do("subscribe", channel=room))["head"]

    def poisoned(connection: sa.Connection, rows: Any) -> None:
        insert_entries(connection, rows)
        if any(row.text == "poison" for row in rows):
            raise IntegrityError("", None, Exception("poison"))

    monkeypatch.setattr(batch, "insert_entries", poisoned)
    sent = [line.send("send", channel=room, nonce=t, text=t) for t in ("one", "two", "poison", "three")]
    replies = [await line.reply(one) for one in sent]
    assert [reply.get("code") for reply in replies] == [None, None, "internal", None]
    assert await line.until_seq(room, start + 3) == [start + 1, start + 2, start + 3]
    assert line.texts(room) == ["one", "two", "three"]


@pytest.mark.parametrize("is_stored", [True, False])
async def test_after_a_commit_of_unknown_outcome_what_is_stored_is_acknowledged_and_published_and_nothing_else(
    hub: Community, lines: Lines, is_stored: bool
) -> None:
    ana = await hub.member("ana")
    room = await hub.group(ana, "open")
    line = lines.open(ana)
    start = (await line.do("subscribe", channel=room))["head"]
    write = hub.node.database.write
    broken = 0

    async def breaks_while_committing(work: Callable[[sa.Connection], T]) -> T:
        nonlocal broken
        broken += 1
        if broken > 1:
            return await write(work)
        if is_stored:
            await write(work)
        raise OutcomeUnknown

    hub.node.database.write = breaks_while_committing  # type: ignore[method-assign]
    sent = [line.send("send", channel=room, nonce=f"n{n}", text=f"line {n}") for n in range(3)]
    sent.append(line.send("edit", channel=room, seq=start + 1, text="changed"))
    replies = [await line.reply(one) for one in sent]
    if is_stored:
        assert [reply["seq"] for reply in replies] == [start + 1, start + 2, start + 3, start + 4]
        assert await line.until_seq(room, start + 4) == [start + 1, start + 2, start + 3, start + 4]
    else:
        assert {reply["code"] for reply in replies} == {"unavailable"}
        assert (await hub.channel(room)).head == start
    again = await line.do("send", channel=room, nonce="n0", text="line 0")
    assert again["seq"] == start + 1
    assert (await hub.channel(room)).head == start + (4 if is_stored else 1)


async def test_a_message_is_acknowledged_only_when_it_is_stored(hub: Community) -> None:
    ana = await hub.member("ana")
    room = await hub.group(ana, "open")
    told: list[Stored | HubError] = []
    gate = Gate(hub.node.database.write)
    hub.node.database.write = gate  # type: ignore[method-assign]
    hub.node.log.submit(Message(ana.account_id, ana.persona_id, room, told.append, "hello"))
    await gate.arrived.wait()
    assert told == []
    gate.open()
    while not told:
        await asyncio.sleep(0.01)
    assert isinstance(told[0], Stored)
