"""What is committed is handed out, whoever stops waiting for it; what was deleted before its turn is not."""

import asyncio

import pytest

from hubchat.channels.items import Delete
from hubchat.channels.transaction import Transaction
from tests.community import Community
from tests.lines import Gate, Lines


async def test_what_is_deleted_while_it_waits_for_its_turn_goes_out_without_its_text(
    hub: Community, lines: Lines
) -> None:
    ana, ben = await hub.members("ana", "ben")
    room = await hub.group(ana, "open", ben)
    line = lines.open(ben)
    await line.do("subscribe", channel=room)
    live = hub.node.hub.channels[room]
    hub.node.hub.block([live])  # as while rights to it are asked again
    kept = await hub.say(ana, room, "this may be read")
    seq = await hub.say(ana, room, "this was a mistake")
    deleted = await hub.node.log.append(lambda done: Delete(ana.account_id, ana.persona_id, room, done, seq))
    assert line.seqs(room) == [], "it has not been its turn"
    hub.node.hub.unblock([live])
    assert await line.until_seq(room, deleted.seq) == [kept, seq, deleted.seq]
    assert line.texts(room) == ["this may be read"]


async def test_whoever_stops_waiting_for_a_verb_does_not_keep_others_from_hearing_of_it(
    hub: Community, lines: Lines
) -> None:
    ana, ben = await hub.members("ana", "ben")
    room = await hub.group(ana, "open", ben)
    line = lines.open(ben)
    await line.do("subscribe", channel=room)
    hub.node.database.write = gate = Gate(hub.node.database.write, answer_late=True)  # type: ignore[method-assign]

    def verb(tx: Transaction) -> None:
        tx.revoke("removed", account=ben.account_id, channel=room)

    asking = asyncio.create_task(hub.node.log.write(verb))
    await gate.arrived.wait()  # committed, and the node does not know it yet
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert line.revoked() == []
    gate.open()
    assert await line.until(line.revoked) == [room]
