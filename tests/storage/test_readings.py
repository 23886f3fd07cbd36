"""What is unread: counted as docs/protocol.md says, for many channels in few statements."""

import random

import pytest
import sqlalchemy as sa

from hubchat.actions import conversations, groups, invites, members
from hubchat.channels.addressed import handles
from hubchat.channels.items import Delete, React
from hubchat.storage import readings
from hubchat.storage.channels import read_channels
from hubchat.storage.readings import count_unread, mark_read, read_mine, read_positions, set_notify, set_read
from hubchat.storage.sessions import Caller
from hubchat.wire import UNREAD_KINDS
from tests.community import Community


async def one(hub: Community, who: Caller | None, channel: int) -> readings.Position:
    account = who.account_id if who else None
    [position] = await hub.read(
        lambda connection: read_positions(connection, account, list(read_channels(connection, [channel]).values()))
    )
    return position


async def counted_by_hand(hub: Community, who: Caller, channel: int) -> tuple[int, int]:
    """Unread and mentions as a reader of the whole log would count them."""
    row = (await hub.stand(who, channel)).first(await hub.channel(channel))
    query = sa.text("SELECT read_seq FROM reading WHERE channel_id = :c AND account_id = :a")
    keys = {"c": channel, "a": who.account_id}
    read_seq = await hub.read(lambda connection: connection.execute(query, keys).scalar()) or 0
    unread = [
        entry
        for entry in await hub.entries(channel)
        if entry.kind in UNREAD_KINDS and entry.seq > max(read_seq, row - 1) and not entry.deleted
        and entry.author != who.persona_id
    ]  # fmt: skip
    named = [entry for entry in unread if who.handle in handles(entry.text or "")]
    return len(unread), len(named)


async def do_something(hub: Community, who: Caller, people: list[Caller], room: int, chance: random.Random) -> None:
    """One of the things that change what is unread, for somebody."""
    messages = [entry for entry in await hub.entries(room, "message") if entry.seq > 3 and not entry.deleted]
    own = [entry.seq for entry in messages if entry.author == who.persona_id]
    what = chance.choice(["say", "say", "say", "name", "delete", "react", "read"])
    if what == "say":
        await hub.say(who, room)
    elif what == "name":
        await hub.say(who, room, f"@{chance.choice(people).handle} look")
    elif what == "delete" and own:
        seq = chance.choice(own)
        await hub.node.log.append(lambda done: Delete(who.account_id, who.persona_id, room, done, seq))
    elif what == "react" and messages:
        seq = chance.choice(messages).seq
        await hub.node.log.append(lambda done: React(who.account_id, who.persona_id, room, done, seq, "❤", True))
    elif what == "read":
        seq = chance.randint(1, (await hub.channel(room)).head)
        await hub.node.log.write(lambda tx: mark_read(tx.connection, [(room, who.account_id, seq)]))


@pytest.mark.parametrize("seed", range(3))
async def test_unread_is_what_a_reader_of_the_whole_log_counts(hub: Community, seed: int) -> None:
    chance = random.Random(seed)
    people = await hub.members("ada", "ben", "cem")
    room = await hub.group(people[0], "open", history=chance.choice(["all", "since_joining"]))
    for _ in range(3):
        await hub.say(people[0], room)
    for who in people[1:]:
        await hub.let_in(people[0], room, who)
    for _ in range(25):
        await do_something(hub, chance.choice(people), people, room, chance)
    by_hand = [await counted_by_hand(hub, who, room) for who in people]
    positions = [await one(hub, who, room) for who in people]
    assert [(position.unread, position.mentions) for position in positions] == by_hand
    assert by_hand != [(0, 0)] * 3


async def test_counting_ends_at_its_bound(hub: Community, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "COUNTED", 3)
    ada, ben = await hub.members("ada", "ben")
    room = await hub.group(ada, "open", ben)
    for _ in range(5):
        await hub.say(ada, room)
    assert (await one(hub, ben, room)).unread == 3


async def test_a_position_moves_forward_and_back_only_where_it_is_wanted(hub: Community) -> None:
    ada = await hub.member("ada")
    room = await hub.group(ada)
    for _ in range(5):
        await hub.say(ada, room)

    async def after(seq: int) -> int:
        await hub.node.log.write(lambda tx: mark_read(tx.connection, [(room, ada.account_id, seq)]))
        return (await one(hub, ada, room)).read_seq

    assert [await after(seq) for seq in (3, 1, 4)] == [3, 3, 4]
    await hub.node.log.write(lambda tx: set_read(tx.connection, room, ada.account_id, 2))
    assert (await one(hub, ada, room)).read_seq == 2


async def test_what_to_be_told_of_stays_when_one_reads(hub: Community) -> None:
    ada = await hub.member("ada")
    room = await hub.group(ada)
    await hub.node.log.write(lambda tx: set_notify(tx.connection, room, ada.account_id, "none", None))
    await hub.node.log.write(lambda tx: set_notify(tx.connection, room, ada.account_id, None, True))
    await hub.node.log.write(lambda tx: mark_read(tx.connection, [(room, ada.account_id, 1)]))
    position = await one(hub, ada, room)
    assert (position.notify, position.follow, position.read_seq) == ("none", True, 1)


async def test_a_guest_and_a_stranger_have_nothing_unread(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    room = await hub.group(ada, "public")
    await hub.say(ada, room)
    for who in (None, ben):
        position = await one(hub, who, room)
        assert (position.first, position.unread, position.read_seq) == (1, 0, 0)
        assert position.last_at is not None


async def test_who_may_not_read_learns_nothing_of_the_log(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    room = await hub.group(ada, "closed")
    await hub.say(ada, room)
    position = await one(hub, ben, room)
    assert (position.first, position.unread, position.last_at) == (None, 0, None)


async def test_the_newest_time_is_that_of_a_message_one_may_read(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    room = await hub.group(ada, "open", history="since_joining")
    await hub.say(ada, room)
    await hub.let_in(ada, room, ben)
    assert (await one(hub, ben, room)).last_at is None
    seq = await hub.say(ada, room)
    written_at = (await hub.entries(room))[-1].at
    await hub.node.log.append(lambda done: React(ben.account_id, ben.persona_id, room, done, seq, "❤", True))
    assert (await one(hub, ben, room)).last_at == written_at


async def test_mine_are_those_i_am_in_invited_to_or_asked_for(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    mine = {
        await hub.group(ada, "open", ben), await hub.group(ada, "closed"), await hub.group(ada, "secret"),
        await conversations.converse(hub.node, ada, ["ben"]), ben.inbox_id,
    }  # fmt: skip
    for room in mine:
        channel = await hub.channel(room)
        if channel.joining == "request":
            await members.join(hub.node, ben, room)
        elif channel.joining == "invitation":
            await invites.invite(hub.node, ada, room, "ben")
    await members.ban(hub.node, ada, await hub.group(ada, "open", ben), "ben")
    await groups.delete(hub.node, ada, await hub.group(ada, "open", ben))
    await members.leave(hub.node, ben, await hub.group(ada, "open", ben))
    found = await hub.read(lambda connection: read_mine(connection, ben.account_id))
    assert {position.channel.id for position in found} == mine
    assert [position.channel.id for position in found] == sorted(mine)


async def test_mine_take_the_same_few_statements_however_many(hub: Community) -> None:
    ada = await hub.member("ada")
    statements: list[str] = []

    def count(connection: sa.Connection) -> int:
        def note(_conn: object, _cursor: object, statement: str, *_more: object) -> None:
            statements.append(statement)

        sa.event.listen(connection, "before_cursor_execute", note)
        statements.clear()
        read_mine(connection, ada.account_id)
        sa.event.remove(connection, "before_cursor_execute", note)
        return len(statements)

    await hub.group(ada)
    few = await hub.read(count)
    for _ in range(6):
        await hub.group(ada)
    assert await hub.read(count) == few <= 6


async def test_no_account_counts_nothing(hub: Community) -> None:
    assert await hub.read(lambda connection: count_unread(connection, None, {1: 0})) == {}
