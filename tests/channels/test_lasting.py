"""A node that runs for weeks, sleeps and wakes: it goes on knowing who lost a right, and nothing piles up in it."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from hubchat.channels import hub as hub_module
from hubchat.channels import log, repairs
from hubchat.channels.encoded import Encoded
from hubchat.channels.hub import HELD, LINGER_S
from hubchat.channels.items import Message, Stored
from hubchat.channels.transaction import Transaction
from hubchat.channels.watch import Watch
from hubchat.errors import HISTORY_REPLACED, RESTARTING, HubError
from hubchat.storage.channels import ACCESS
from hubchat.storage.database import Connection
from hubchat.wire import Entry
from tests.community import Community
from tests.lines import WAIT_S, Gate, Lines

MANY = HELD + 2 * repairs.ENTRIES  # more than a channel holds while nothing is handed out, and several reads of the log


async def _beside(hub: Community, verb: Callable[[Transaction], Any]) -> None:
    """A write as another process does it: committed, and not published here."""

    def work(connection: Connection) -> None:
        transaction = Transaction(connection)
        verb(transaction)
        transaction.finish()

    await hub.node.database.write(work)


async def _watch_stands(hub: Community) -> None:
    """Waits until the node's own watch is held up; from then on only the test looks at the access channel."""
    gate = Gate(hub.node.database.foreign_writes)
    hub.node.database.foreign_writes = gate  # type: ignore[method-assign]
    await gate.arrived.wait()


async def test_however_long_nothing_was_said_of_access_a_removal_is_still_heard(hub: Community, lines: Lines) -> None:
    ana, ben = await hub.members("ana", "ben")
    room = await hub.group(ana, "open", ben)
    line = lines.open(ben)
    await line.do("subscribe", channel=room)
    await _watch_stands(hub)
    hub.node.hub.channels[ACCESS].quiet_since -= LINGER_S + 1
    hub.node.hub.sweep()
    await _beside(hub, lambda tx: tx.revoke("removed", account=ben.account_id, channel=room))
    assert line.revoked() == []
    await Watch(hub.node.hub, None).look(monotonic(), everything=True)
    assert await line.until(line.revoked) == [room]


async def test_a_channel_that_nobody_reads_any_more_is_let_go_and_one_with_a_reader_is_kept(
    hub: Community, lines: Lines
) -> None:
    ana = await hub.member("ana")
    left, kept = await hub.group(ana), await hub.group(ana)
    line = lines.open(ana)
    for room in (left, kept):
        await line.do("subscribe", channel=room)
    await line.do("unsubscribe", channel=left)
    for room in (left, kept):
        hub.node.hub.channels[room].quiet_since -= LINGER_S + 1
    hub.node.hub.sweep()
    assert left not in hub.node.hub.channels
    assert kept in hub.node.hub.channels


async def test_channels_that_one_was_not_let_into_leave_nothing_behind(hub: Community, lines: Lines) -> None:
    secret = await hub.group(await hub.member("ana"), "secret")
    before = set(hub.node.hub.channels)
    guest = lines.open()
    for channel in (secret, *range(1_000, 1_020)):
        assert (await guest.do("subscribe", channel=channel))["code"] == "not_found"
    assert set(hub.node.hub.channels) == before


async def test_a_node_that_slept_reads_on_however_much_was_said_of_access_meanwhile(hub: Community) -> None:
    await _watch_stands(hub)
    access = hub.node.hub.channels[ACCESS]
    before = access.at

    def much(tx: Transaction) -> None:
        for _ in range(MANY):
            tx.revoke("presence", account=1)

    await _beside(hub, much)
    hub.node.hub.fresh_at -= 100  # as if it had slept
    assert hub.node.hub.is_stale()
    async with asyncio.timeout(WAIT_S):
        await Watch(hub.node.hub, None).look(monotonic(), everything=True)
    assert access.at == before + MANY
    assert not hub.node.hub.is_stale()


async def test_what_is_missed_while_rights_are_asked_is_given_up_for_then_and_read_afterwards(
    hub: Community, lines: Lines
) -> None:
    ana = await hub.member("ana")
    room = await hub.group(ana)
    line = lines.open(ana)
    head = (await line.do("subscribe", channel=room))["head"]
    live = hub.node.hub.channels[room]

    def much(tx: Transaction) -> None:
        tx.lock(room)
        for n in range(MANY):
            tx.append(room, "message", author=ana.persona_id, text=f"{n}", nonce=f"{n}")

    hub.node.hub.block([live])
    await _beside(hub, much)
    hub.node.hub.repairs.begin(live)
    async with asyncio.timeout(WAIT_S):
        while live.repairing:
            await asyncio.sleep(0.01)
    assert line.seqs(room) == []
    hub.node.hub.unblock([live])
    assert await line.until_seq(room, head + MANY) == list(range(head + 1, head + MANY + 1))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer for everything
async def test_what_waits_for_a_channel_that_somebody_holds_is_bounded_and_loses_nothing(
    hub: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "WAITING", 20)
    ana = await hub.member("ana")
    held, other = await hub.group(ana), await hub.group(ana)
    answers: list[Stored | HubError] = []
    submitted: list[str] = []

    def submit() -> None:
        hub.node.log.submit(Message(ana.account_id, ana.persona_id, held, answers.append, "hello"))
        submitted.append("hello")

    def submit_many() -> None:
        for _ in range(log.WAITING + 1):
            submit()

    async with hub.node.database.engine.connect() as connection:  # type: ignore[attr-defined]
        await connection.exec_driver_sql(f"SELECT 1 FROM channel WHERE id = {held} FOR UPDATE")
        submit()
        await hub.say(ana, other)  # acknowledged, so the first one was put aside
        with pytest.raises(HubError) as refused:
            submit_many()
        assert refused.value.reason == "overloaded"
        assert answers == []
    async with asyncio.timeout(WAIT_S):
        while len(answers) < len(submitted):
            await asyncio.sleep(0.01)
    seqs = [answer.seq for answer in answers if isinstance(answer, Stored)]
    assert seqs == [entry.seq for entry in await hub.entries(held, "message")]
    assert len(seqs) == len(submitted) > 1


class SlowPeers:
    """Other nodes, and a beat that is not written for a long time."""

    in_doubt = False

    def __init__(self) -> None:
        self.beats = 0

    async def look(self) -> None:
        self.beats += 1
        await asyncio.Event().wait()


async def test_a_node_whose_beat_is_slow_to_be_written_goes_on_reading(hub: Community) -> None:
    await _watch_stands(hub)
    hub.node.database.foreign_writes = _changes  # type: ignore[method-assign]
    peers: Any = SlowPeers()
    watch = Watch(hub.node.hub, peers)
    async with asyncio.timeout(WAIT_S):
        await watch._round()
        while not peers.beats:
            await asyncio.sleep(0)
        hub.node.hub.fresh_at -= 100
        await watch._round()
    assert not hub.node.hub.is_stale()
    assert peers.beats == 1, "one at a time"
    await watch.close()


async def test_a_node_that_can_not_say_that_it_lives_tells_it_once(
    hub: Community, caplog: pytest.LogCaptureFixture
) -> None:
    await _watch_stands(hub)
    hub.node.database.foreign_writes = _changes  # type: ignore[method-assign]
    peers: Any = SlowPeers()

    async def away() -> None:
        peers.beats += 1
        raise HubError("database_unavailable")

    peers.look = away
    watch = Watch(hub.node.hub, peers)
    for beats in (1, 2, 3):
        await watch._round()
        while peers.beats < beats:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert [one.message for one in caplog.records].count("this node can't say that it lives") == 1


async def test_a_node_that_does_not_know_who_lost_a_right_tells_nobody_who_is_writing(
    hub: Community, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = await hub.members("ana", "ben")
    room = await hub.group(ana, "open", ben)
    line = lines.open(ben)
    await line.do("subscribe", channel=room)
    await _watch_stands(hub)
    fresh_at = hub.node.hub.fresh_at
    for at, told in ((fresh_at - 100, 0), (monotonic() + 100, 1)):
        hub.node.hub.fresh_at, hub.node.hub.halted = at, False
        hub.node.hub.tell_typing(room, ana.persona_id)
        await line.do("ping")
        assert sum(message.get("signal") == "typing" for message in line.heard) == told


async def _changes() -> None:
    """It can't be told whether somebody wrote."""


async def test_what_comes_again_and_again_while_nothing_is_handed_out_is_counted_once(
    hub: Community, lines: Lines
) -> None:
    ana = await hub.member("ana")
    room = await hub.group(ana)
    line = lines.open(ana)
    await line.do("subscribe", channel=room)
    live = hub.node.hub.channels[room]
    early = [Encoded(Entry(room, seq, "message", ana.persona_id, 1, "early")) for seq in (5, 6)]
    for _ in range(3):
        hub.node.hub.offer(early)
    assert live.held_bytes == sum(one.size for one in early)
    hub.node.hub.offer([Encoded(Entry(room, 7, "delete", ana.persona_id, 1, target=5))])
    assert live.held_bytes == sum(one.size for one in live.held.values())


async def test_a_fault_while_it_is_published_makes_nothing_of_what_is_stored_unstored(
    hub: Community, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await hub.member("ana")
    room = await hub.group(ana)
    line = lines.open(ana)
    await line.do("subscribe", channel=room)
    publish, asked = hub.node.hub.publish, list[int]()

    def broken(entries: Any) -> None:
        asked.append(1)
        if len(asked) == 1:
            raise ValueError("a fault of ours")
        publish(entries)

    monkeypatch.setattr(hub.node.hub, "publish", broken)
    sent = await line.do("send", channel=room, nonce="a", text="stored")
    assert await line.until_seq(room, sent["seq"]) == [1]
    assert (await line.do("send", channel=room, nonce="b", text="and the next"))["seq"] == 2


async def test_a_lost_right_that_this_release_does_not_understand_sends_everybody_to_ask_anew(
    hub: Community, lines: Lines
) -> None:
    ana, ben = await hub.members("ana", "ben")
    room = await hub.group(ana, "open", ben)
    line = lines.open(ben)
    await line.do("subscribe", channel=room)
    await _watch_stands(hub)
    access = hub.node.hub.channels[ACCESS]
    strange = Entry(ACCESS, access.at + 1, "access", None, 1, data={"reason": "of a later release"})
    hub.node.hub.offer([Encoded(strange)])
    assert line.closed_with == HISTORY_REPLACED.code
    assert access.at == strange.seq


async def test_a_batch_that_can_not_be_handed_out_sends_its_readers_to_come_again(
    hub: Community, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await hub.member("ana")
    room, other = await hub.group(ana), await hub.group(ana)
    line, elsewhere = lines.open(ana), lines.open(ana)
    await line.do("subscribe", channel=room)
    await elsewhere.do("subscribe", channel=other)

    def broken(*_: Any) -> bytes:
        raise ValueError("an entry of another release")

    with monkeypatch.context() as patched:
        patched.setattr(hub_module, "joined", broken)
        await hub.say(ana, room)
        await line.until(lambda: line.closed_with)
    assert line.closed_with == RESTARTING.code
    await hub.say(ana, other)
    assert await elsewhere.until_seq(other, 1) == [1]


async def test_a_channel_whose_repair_failed_is_compared_soon(
    hub: Community, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await hub.member("ana")
    room = await hub.group(ana)
    line = lines.open(ana)
    await line.do("subscribe", channel=room)
    await _watch_stands(hub)

    async def away(_work: Any) -> Any:
        raise HubError("database_unavailable")

    live = hub.node.hub.channels[room]
    with monkeypatch.context() as patched:
        patched.setattr(hub.node.database, "read", away)
        hub.node.hub.repairs.begin(live)
        async with asyncio.timeout(WAIT_S):
            while live.repairing:
                await asyncio.sleep(0.01)
    assert hub.node.hub.repairs._doubted == {room}


async def test_who_comes_while_a_history_is_replaced_is_told_of_the_new_one(
    hub: Community, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await hub.member("ana")
    await _watch_stands(hub)
    gate = Gate(hub.node.hub._open)
    monkeypatch.setattr(hub.node.hub, "_open", gate)
    beginning = asyncio.create_task(hub.node.hub.start_anew(hub.node.hub.log_id + 1))
    await gate.arrived.wait()
    line = lines.open(ana)
    assert line.closed_with is None
    gate.open()
    await beginning
    assert line.closed_with == HISTORY_REPLACED.code
