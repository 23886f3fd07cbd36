"""Frames that are wrong, too much or never finished, over real sockets: what the peer is told, and what it costs us."""

import asyncio
from typing import Any

import pytest

from hubchat.gateway import link as link_module
from hubchat.gateway.link import UNFINISHED_AFTER
from hubchat.gateway.protocol import Keeper, Rules
from tests.conformance.echo import serving
from tests.gateway.raw import BINARY, CLOSE, CONT, PING, PONG, TEXT, closing, deflated, masked, opened, settle
from tests.gateway.recording import NEVER_S, Recorder, RecordingGateway, rounds

DEFLATE = "permessage-deflate"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(masked(TEXT, b"x", mask=b""), 1002, id="not masked"),
        pytest.param(masked(5, b"x"), 1002, id="reserved opcode"),
        pytest.param(masked(TEXT, b"x", rsv=1), 1002, id="reserved bit"),
        pytest.param(masked(CONT, b"x"), 1002, id="continuation of nothing"),
        pytest.param(masked(BINARY, b"x"), 1003, id="wrong kind of frame"),
        pytest.param(masked(TEXT, b"\xed\xb0\x80"), 1007, id="lone surrogate"),
        pytest.param(masked(TEXT, b"x" * 65_537), 1009, id="too large"),
        pytest.param(masked(TEXT, b"x" * 65_536, fin=False) + masked(CONT, b"x"), 1009, id="too large in fragments"),
        pytest.param(masked(TEXT, deflated(bytes(50 << 20)), rsv=4), 1009, id="bomb"),
        pytest.param(b"\x81\xff" + b"\xff" * 8, 1009, id="too large by its head"),
        pytest.param(closing(1005), 1002, id="bad close"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 1002, id="http"),
        pytest.param(b"\x00" * 1_000, 1002, id="zeros"),
    ],
)
async def test_a_peer_that_breaks_the_protocol_is_told_how_and_hung_up_on(data: bytes, code: int) -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port, extensions=DEFLATE) as raw:
        raw.send(masked(TEXT, b"before"), data, masked(TEXT, b"after"))
        assert await raw.text() == "before"
        received = await raw.frame()
        assert (received.opcode, received.close_code) == (CLOSE, code)
        assert await raw.ended() == b""
        assert gateway.heard == ["before", "closed"]
        assert gateway.keeper.unfinished_bytes == 0


async def test_what_a_peer_goes_on_to_send_does_not_reset_what_it_is_told() -> None:
    async with serving(RecordingGateway()) as port, opened(port) as raw:
        raw.send(masked(TEXT, b"x", mask=b""))
        for _ in range(20):
            raw.send(bytes(50_000))
            await settle(1)
        assert (await raw.frame()).close_code == 1002
        assert await raw.reader.read() == b"", "an end, not a reset"


async def test_a_message_in_pieces_with_pings_between_them_is_one_message() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port) as raw:
        raw.send(masked(TEXT, "zé".encode()[:2], fin=False), masked(PING, b"1"))
        assert (await raw.frame()) == (PONG, b"1", False)
        raw.send(masked(CONT, b"", fin=False), masked(CONT, "é".encode()[1:], fin=True), masked(PING, b"2"))
        assert [await raw.text(), (await raw.frame()).payload] == ["zé", b"2"]
        assert gateway.heard == ["zé"]


async def test_compressed_messages_are_heard_as_they_were() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port, extensions=DEFLATE) as raw:
        packed = deflated(b"hello " * 1_000)
        raw.send(masked(TEXT, packed[:5], fin=False, rsv=4), masked(CONT, packed[5:]), masked(TEXT, b"plain"))
        await raw.frame()
        assert await raw.text() == "plain"
        assert gateway.heard == ["hello " * 1_000, "plain"]


@pytest.mark.parametrize(
    "begun", [b"\x81", masked(TEXT, b"hello")[:-1], masked(TEXT, b"x", fin=False), masked(PING, b"x")[:-1]]
)
async def test_a_message_that_is_never_finished_is_not_waited_for(begun: bytes) -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port) as raw:
        raw.send(begun)
        await settle()
        await rounds(gateway, UNFINISHED_AFTER - 1)
        assert gateway.heard == []
        await rounds(gateway, 1)
        assert (await raw.frame()).close_code == 1002
        assert gateway.heard == ["closed"]


async def test_pings_do_not_keep_an_unfinished_message_alive() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port) as raw:
        raw.send(masked(TEXT, b"x", fin=False))
        for _ in range(UNFINISHED_AFTER):
            raw.send(masked(PING))
            assert (await raw.frame()).opcode == PONG
            await rounds(gateway, 1)
        assert (await raw.frame()).close_code == 1002


async def test_messages_that_follow_each_other_slowly_are_each_in_time() -> None:
    """Something is unfinished at every moment, but no one message for long."""
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port) as raw:
        frame = masked(TEXT, b"hello")
        raw.send(frame[:3])
        for _ in range(12):
            await rounds(gateway, UNFINISHED_AFTER - 1)
            raw.send(frame[3:], frame[:3])
            assert await raw.text() == "hello"
        assert gateway.heard == ["hello"] * 12


async def test_time_does_not_run_for_a_message_that_we_do_not_read() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port) as raw:
        raw.send(masked(TEXT, b"x", fin=False))
        await settle()
        gateway.listeners[0].link.stop_reading()
        await rounds(gateway, UNFINISHED_AFTER + 1)
        gateway.listeners[0].link.start_reading()
        raw.send(masked(CONT, b"y"))
        assert await raw.text() == "xy"


async def test_unfinished_messages_are_bounded_on_the_whole_node() -> None:
    """The one that asks for more than there is gets no more; those before it finish."""
    gateway = RecordingGateway(keeper=Keeper(NEVER_S, bound_bytes=100_000))
    async with serving(gateway) as port, opened(port) as first, opened(port) as second:
        first.send(masked(TEXT, b"x" * 60_000, fin=False))
        await settle()
        assert gateway.keeper.unfinished_bytes == 60_000
        second.send(masked(TEXT, b"y" * 60_000, fin=False))
        assert (await second.frame()).close_code == 1009
        assert gateway.keeper.unfinished_bytes == 60_000
        first.send(masked(CONT, b"x"))
        assert len(await first.text()) == 60_001
        assert gateway.keeper.unfinished_bytes == 0


async def test_what_a_lost_connection_had_begun_is_not_counted_any_more() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port:
        async with opened(port) as raw:
            raw.send(masked(TEXT, b"x" * 1_000)[:-1])
            await settle()
            assert gateway.keeper.unfinished_bytes > 900
        await settle()
        assert gateway.keeper.unfinished_bytes == 0


async def test_a_flood_of_small_frames_leaves_turns_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "FRAMES_A_TURN", 10)
    turns = 0

    def count(listener: Recorder, what: Any) -> None:
        listener.heard[-1] = turns

    def turn() -> None:
        nonlocal turns
        turns += 1
        asyncio.get_running_loop().call_soon(turn)

    gateway = RecordingGateway()
    gateway.then = count
    async with serving(gateway) as port, opened(port) as raw:
        turn()
        raw.send(masked(TEXT, b"x") * 1_000)
        for _ in range(1_000):
            await raw.frame()
        heard_in = [gateway.heard.count(turn) for turn in set(gateway.heard)]
        assert sum(heard_in) == 1_000
        assert max(heard_in) <= 10


async def test_the_limit_of_a_message_is_the_gateways() -> None:
    async with serving(RecordingGateway(Rules(frame_bytes=100))) as port, opened(port) as raw:
        raw.send(masked(TEXT, b"x" * 100), masked(TEXT, b"x" * 101))
        assert len(await raw.text()) == 100
        assert (await raw.frame()).close_code == 1009
