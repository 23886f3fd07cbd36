"""Subscriptions: every entry once, in order, without gaps. The client itself fails where one is missing or doubled."""

import asyncio
import random
import socket

from tests.blackbox.client import Frame
from tests.blackbox.hub import ON_BOTH, Hub, Person
from tests.blackbox.line import Line

pytestmark = ON_BOTH


async def write(line: Line, channel: int, count: int, start: int = 1) -> None:
    """Sends at once, and waits until all are stored."""
    told = [
        await line.tell("send", channel=channel, nonce=f"n{n}", text=f"text {n}") for n in range(start, start + count)
    ]
    await asyncio.wait_for(asyncio.gather(*told), 60)


async def room(hub: Hub, count: int = 0) -> tuple[Person, Line, int]:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    line = await anna.live()
    await write(line, group, count)
    return anna, line, group


async def test_without_after_only_what_follows_is_heard(hub: Hub) -> None:
    anna, line, group = await room(hub, 3)
    reader = await anna.live()
    assert await reader.subscribe(group) == {"channel": group, "head": 3, "first": 1}
    await line.send(group, "next")
    await reader.until_heard()
    assert reader.seqs(group) == [4]


async def test_a_replay_begins_after_what_is_known_and_goes_on_live(hub: Hub) -> None:
    anna, line, group = await room(hub, 5)
    for after, replayed in ((0, [1, 2, 3, 4, 5]), (3, [4, 5]), (5, [])):
        reader = await anna.live()
        assert await reader.subscribe(group, after) == {"channel": group, "head": 5, "first": 1}
        await reader.until_at(group, 5)
        assert reader.seqs(group) == replayed
        await line.do("typing", channel=group)
    reader = await anna.live()
    await reader.subscribe(group, after=5)
    await line.send(group, "next")
    await reader.until_at(group, 6)


async def test_who_is_beyond_the_head_or_too_far_behind_begins_anew(hub: Hub) -> None:
    anna, line, group = await room(hub, 1001)
    for after in (1002, 2**53 - 1, 0):
        reader = await anna.live()
        done = await reader.subscribe(group, after)
        assert done == {"channel": group, "head": 1001, "first": 1, "reset": True}
        await reader.do("ping")
        assert reader.seqs(group) == []
    reader = await anna.live()
    assert "reset" not in await reader.subscribe(group, after=1)
    await reader.until_at(group, 1001)
    assert reader.seqs(group) == list(range(2, 1002))
    anew = await anna.live()
    await anew.subscribe(group, after=0)
    await line.send(group, "next")
    await anew.until_at(group, 1002)


async def test_subscribing_again_replaces_the_subscription(hub: Hub) -> None:
    anna, line, group = await room(hub, 5)
    reader = await anna.live()
    await reader.subscribe(group)
    await reader.subscribe(group, after=2)
    await reader.subscribe(group, after=3)
    await line.send(group, "next")
    await reader.until_at(group, 6)
    assert reader.seqs(group)[-3:] == [4, 5, 6]
    await reader.subscribe(group)
    await line.send(group, "once")
    await reader.until_at(group, 7)
    assert reader.seqs(group).count(7) == 1


async def test_nothing_follows_the_reply_to_unsubscribe(hub: Hub) -> None:
    anna, line, group = await room(hub)
    other = await hub.group(anna, "open")
    reader = await anna.live(group, other)
    assert await reader.do("unsubscribe", channel=group) == {}
    assert await reader.do("unsubscribe", channel=group) == {}
    await line.send(group, "unheard")
    await line.send(other, "heard")
    await reader.until_at(other, 1)
    assert reader.seqs(group) == []


async def test_unsubscribing_ends_a_replay(hub: Hub) -> None:
    anna, line, group = await room(hub, 900)
    reader = await anna.live()
    told = [
        await reader.tell("subscribe", channel=group, after=0), await reader.tell("unsubscribe", channel=group),
        await reader.tell("ping"),
    ]  # fmt: skip
    await asyncio.wait_for(asyncio.gather(*told), 20)
    known = len(reader.heard)
    await line.send(group, "unheard")
    await reader.do("ping")
    assert len(reader.heard) == known


async def test_nobody_misses_anything_by_coming_while_much_is_said(hub: Hub) -> None:
    anna, line, group = await room(hub, 10)
    chance = random.Random(3)
    writing = asyncio.create_task(write(line, group, 400, start=11))
    readers = []
    for n in range(12):
        readers.append(await anna.live(dialect=("msgpack", "json")[n % 2]))
        await readers[-1].subscribe(group, after=chance.choice((0, 5, 10)))
        await asyncio.sleep(chance.random() * 0.02)
    await writing
    for reader in readers:
        await reader.until_at(group, 410)
        assert reader.seqs(group)[-400:] == list(range(11, 411))


async def test_a_client_that_is_cut_off_again_and_again_hears_all_once(hub: Hub) -> None:
    anna, line, group = await room(hub)
    reader = await anna.live()
    await reader.subscribe(group, after=0)
    for part in range(5):
        writing = asyncio.create_task(write(line, group, 60, start=1 + 60 * part))
        await asyncio.sleep(0.01)
        reader.ws.transport.abort()
        await writing
    await reader.until_at(group, 300)
    assert reader.seqs(group) == list(range(1, 301))


async def test_a_sender_that_is_cut_off_stores_each_message_once_and_in_order(hub: Hub) -> None:
    _, line, group = await room(hub)
    sending = [asyncio.create_task(line.send(group, f"text {n}")) for n in range(200)]
    for _ in range(3):
        await asyncio.sleep(0.02)
        line.ws.transport.abort()
    done = await asyncio.wait_for(asyncio.gather(*sending), 60)
    assert sorted(one["seq"] for one in done) == list(range(1, 201))
    page: Frame = await line.do("history", channel=group, limit=200)
    assert [entry["text"] for entry in page["entries"]] == [f"text {n}" for n in range(200)]


async def test_a_reader_that_stands_still_is_caught_up_when_it_reads_again(hub: Hub) -> None:
    anna, line, group = await room(hub)
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    small.connect(("127.0.0.1", hub.running.port))
    slow, quick = await anna.live(group, compression=None, max_queue=1, sock=small), await anna.live(group)
    slow.ws.transport.pause_reading()
    for n in range(300):
        await line.send(group, f"{n:05}" + "long words " * 1400)
    await quick.until_at(group, 300)
    slow.ws.transport.resume_reading()
    await slow.until_at(group, 300, within_s=60)
    assert slow.seqs(group) == list(range(1, 301))
