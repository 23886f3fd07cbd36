"""Readers on another node than the sender, over real sockets, who take nothing for a while."""

import logging
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from hubchat.gateway.session import Session
from hubchat.gateway.sockets import HIGH_WATER_BYTES, UNSENT_BYTES, waiting_bytes
from hubchat.storage.sessions import Caller
from tests.flows.live import Live, live
from tests.lines import WAIT_S
from tests.redis_servers import RedisServer
from tests.serving import Served, serve
from tests.waiting import until

STALLED = 10
SAID = 400
WORDS = "long words " * 1400  # 6 MB in all
WINDOW_BYTES = 64 << 10  # as little as a socket of theirs takes
TURN_BYTES = 256 << 10  # what one write may add above the high water: a payload of the bus is no larger
BOUND_BYTES = HIGH_WATER_BYTES + UNSENT_BYTES + TURN_BYTES


def _small(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES)
    made.connect(("127.0.0.1", port))
    return made


async def _stalled(stack: AsyncExitStack, two: Served, who: Caller, room: int) -> Live:
    """A reader that was let in, and then takes nothing from its socket."""
    line = await stack.enter_async_context(
        live(two.node, two.port, who, compression=None, max_queue=1, sock=_small(two.port))
    )
    await line.do("subscribe", channel=room)
    line.socket.transport.pause_reading()
    return line


def _lagging(two: Served, who: Caller) -> list[Session]:
    return [one for one in two.node.hub.accounts[who.account_id] if isinstance(one, Session) and one.lagging]


async def test_readers_of_another_node_who_stand_still_cost_little_delay_nobody_and_miss_nothing(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        served = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            served.append(await stack.enter_async_context(serve(database_url, tmp_path / name, redis_url=redis.url)))
        one, two = served
        for here in served:
            await until(lambda here=here: here.node.hub.bus.is_ok, WAIT_S)  # type: ignore[misc]
        ana, ben, cem = await one.community.members("ana", "ben", "cem")
        room = await one.community.group(ana, "closed", ben, cem)
        good = await stack.enter_async_context(live(two.node, two.port, cem))
        head = (await good.do("subscribe", channel=room))["head"]
        stalled = [await _stalled(stack, two, ben, room) for _ in range(STALLED)]
        for number in range(SAID):
            await one.community.say(ana, room, f"{number:05}{WORDS}")
        everything = list(range(head + 1, head + SAID + 1))
        await good.entry(room, seq=everything[-1])
        assert good.seqs(room) == everything
        slow = _lagging(two, ben)
        assert len(slow) == STALLED, "good had it all while they took nothing"
        assert max(waiting_bytes(session.link.transport) for session in slow) <= BOUND_BYTES < SAID * len(WORDS) / 10
        for line in stalled:
            line.socket.transport.resume_reading()
        for line in stalled:
            await line.entry(room, seq=everything[-1])
            assert line.seqs(room) == everything
        assert not _lagging(two, ben)
        assert two.node.hub.bus.is_ok, "it came by the bus"
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
