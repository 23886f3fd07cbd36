"""How a live connection stays, stands still and ends, whoever ends it."""

import asyncio
import gc
import logging
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.server import ServerProtocol
from websockets.streams import StreamReader

from hubchat.framing import PING as PING_FRAME
from hubchat.framing import Inbox, frame
from hubchat.gateway import handshake
from hubchat.gateway.link import DEAD_AFTER, FAREWELL_AFTER, PING_AFTER
from hubchat.gateway.protocol import HttpEdge, Keeper
from hubchat.gateway.sockets import HIGH_WATER_BYTES, UNSENT_BYTES, waiting_bytes
from tests.conformance.echo import serving
from tests.gateway.raw import BINARY, CLOSE, PING, PONG, TEXT, Raw, closing, masked, opened, request_head, settle
from tests.gateway.recording import Recorder, RecordingGateway, rounds


@asynccontextmanager
async def unread(port: int) -> AsyncIterator[socket.socket]:
    """An open connection of a client with a small receive buffer that reads only when told to."""
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, request_head(subprotocol="hubchat.v1.msgpack"))
        assert (await loop.sock_recv(client, 4_096)).startswith(b"HTTP/1.1 101")
        yield client


async def fill(listener: Recorder, size_bytes: int = 8 << 20) -> None:
    """Write far more than a peer takes that does not read, and wait until it takes no more."""
    for _ in range(size_bytes >> 16):
        listener.link.write(frame(BINARY, bytes(60_000)))
    await come_to_rest(listener)


async def come_to_rest(listener: Recorder) -> None:
    """Wait until the kernels of both sides move nothing any more; that takes some 40 ms."""
    waiting, still = -1, 0
    async with asyncio.timeout(5):
        while still < 4:
            await settle()
            before, waiting = waiting, waiting_bytes(listener.link.transport)
            still = still + 1 if waiting == before else 0


async def take(listener: Recorder, client: socket.socket, size_bytes: int) -> None:
    """Let the client read this much."""
    async with asyncio.timeout(5):
        while size_bytes > 0:
            size_bytes -= len(await asyncio.get_running_loop().sock_recv(client, min(size_bytes, 65_536)))
    await come_to_rest(listener)


# Idle


def _judges() -> int:
    """Those that all requests share: one for each way to treat subprotocols that was asked for in this process."""
    return handshake._judge.cache_info().currsize


async def test_an_idle_link_holds_nothing_but_itself() -> None:
    """Law 5: no task, timer, parser, compressor; neither the HTTP side nor the handshake is kept."""
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port, extensions="permessage-deflate") as raw:
        assert not [task for task in asyncio.all_tasks() if "Link" in str(task.get_coro())]
        tasks = asyncio.all_tasks()
        raw.send(masked(TEXT, b"x" * 1_000)[:20])
        await settle()
        raw.send(masked(TEXT, b"x" * 1_000)[20:])
        await raw.frame()
        gc.collect()
        kinds = [type(thing) for thing in gc.get_objects()]
        assert [kinds.count(kind) for kind in (HttpEdge, Inbox)] == [0, 0]
        assert [kinds.count(kind) for kind in (ServerProtocol, StreamReader)] == [_judges()] * 2
        assert asyncio.all_tasks() == tasks


async def test_a_handed_over_connection_leaves_no_garbage_behind() -> None:
    """The collector is seldom run in a server; what waits for it would stay."""
    gateway = RecordingGateway()
    async with serving(gateway) as port:
        gc.collect()
        gc.disable()
        try:
            async with opened(port):
                await settle()
                kinds = [type(thing) for thing in gc.get_objects()]
                assert (kinds.count(HttpEdge), kinds.count(ServerProtocol)) == (0, _judges())
        finally:
            gc.enable()


async def test_the_kernel_takes_little_for_a_slow_reader() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port):
        transport: Any = gateway.listeners[0].link.transport
        connection = transport.get_extra_info("socket")
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == UNSENT_BYTES
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert transport.get_write_buffer_limits()[1] == HIGH_WATER_BYTES


# Silence


async def test_a_silent_peer_is_pinged_and_stays_while_it_answers() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port) as raw:
        for _ in range(4):
            await rounds(gateway, PING_AFTER)
            assert (await raw.frame()).opcode == PING
            await rounds(gateway, DEAD_AFTER - PING_AFTER - 1)
            raw.send(masked(PONG))
            await settle()
        assert gateway.heard == []


async def test_a_peer_that_answers_no_ping_is_told_and_dropped() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port) as raw:
        await rounds(gateway, DEAD_AFTER - 1)
        assert gateway.heard == []
        await rounds(gateway, 1)
        assert gateway.heard == ["stalled"]
        assert [(await raw.frame()).opcode, (await raw.frame()).close_code] == [PING, 4008]
        await rounds(gateway, FAREWELL_AFTER)
        assert await raw.ended() == b""
        assert gateway.heard == ["stalled", "closed"]
        assert gateway.keeper.links == 0


async def test_a_busy_peer_is_not_pinged() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port) as raw:
        for _ in range(8):
            raw.send(masked(TEXT, b"x"))
            assert await raw.text() == "x"
            await rounds(gateway, PING_AFTER - 1)


async def test_a_peer_that_we_do_not_hear_is_not_called_silent() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port) as raw:
        gateway.listeners[0].link.stop_reading()
        await rounds(gateway, DEAD_AFTER + 2)
        gateway.listeners[0].link.start_reading()
        await rounds(gateway, 1)
        raw.send(masked(TEXT, b"x"))
        assert await raw.text() == "x"
        assert gateway.heard == ["x"]


async def test_the_keepers_timer_makes_the_rounds() -> None:
    gateway = RecordingGateway(keeper=Keeper(round_s=0.01))
    async with serving(gateway) as port, opened(port) as raw:
        assert (await raw.frame()).opcode == PING
        assert (await raw.frame()).close_code == 4008


# Slowness


async def test_a_slow_reader_is_judged_by_what_its_socket_takes() -> None:
    """It is silent far longer than any pong may take, and stays, because it reads on."""
    gateway = RecordingGateway()
    async with serving(gateway) as port, unread(port) as client:
        listener = gateway.listeners[0]
        await fill(listener)
        for _ in range(4):
            await rounds(gateway, DEAD_AFTER - 2)
            await take(listener, client, 100_000)
        assert listener.heard == ["paused"]


async def test_a_slow_reader_is_alive_also_while_more_is_written_than_it_takes() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, unread(port) as client:
        listener = gateway.listeners[0]
        await fill(listener)
        for _ in range(DEAD_AFTER + 3):
            await take(listener, client, 40_000)
            listener.link.write(frame(BINARY, bytes(60_000)))
            await rounds(gateway, 1)
        assert listener.heard == ["paused"]


async def test_a_reader_that_stands_still_is_told_and_dropped() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, unread(port):
        listener = gateway.listeners[0]
        await rounds(gateway, PING_AFTER - 1)
        await fill(listener)
        await rounds(gateway, DEAD_AFTER - 1)
        assert listener.heard == ["paused"]
        await rounds(gateway, 1)
        assert listener.heard == ["paused", "stalled"]
        await rounds(gateway, FAREWELL_AFTER)
        assert listener.heard == ["paused", "stalled", "closed"]
        assert gateway.keeper.links == 0


async def test_what_is_queued_meanwhile_does_not_make_a_standing_reader_look_alive() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, unread(port):
        listener = gateway.listeners[0]
        await fill(listener)
        for _ in range(DEAD_AFTER + 3):
            listener.link.write(frame(BINARY, b"a reply"))
            await rounds(gateway, 1)
        assert listener.heard[:2] == ["paused", "stalled"]


async def test_a_peer_with_much_before_it_is_not_pinged_but_judged_by_its_socket() -> None:
    """Not so slow that writing pauses; a ping would only queue up behind the rest."""
    gateway = RecordingGateway()
    async with serving(gateway) as port, unread(port) as client:
        listener = gateway.listeners[0]
        listener.link.write(frame(BINARY, bytes(60_000)))
        for _ in range(4):
            await rounds(gateway, PING_AFTER + 2)
            await take(listener, client, 9_000)
        assert listener.heard == []
        await take(listener, client, 60_004 - 4 * 9_000)
        await rounds(gateway, 1 + PING_AFTER)  # one to see that it has taken all
        async with asyncio.timeout(5):
            assert await asyncio.get_running_loop().sock_recv(client, 10) == PING_FRAME


async def test_a_reader_that_reads_again_is_told_to_the_listener() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, unread(port) as client:
        listener = gateway.listeners[0]
        await fill(listener, 1 << 20)
        await take(listener, client, 960_000)
        assert listener.heard == ["paused", "resumed"]


async def test_a_listener_may_hear_that_it_pauses_from_inside_its_own_write() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, unread(port):
        listener = gateway.listeners[0]
        before = len(listener.heard)
        listener.link.write(bytes(4 << 20))
        assert listener.heard[before:] == ["paused"]


# Reading, and not


async def test_nothing_is_heard_while_reading_is_stopped_and_nothing_is_lost() -> None:
    def stop_at_first(listener: Recorder, what: Any) -> None:
        if what == "1":
            listener.link.stop_reading()

    gateway = RecordingGateway()
    gateway.then = stop_at_first
    async with serving(gateway) as port, opened(port) as raw:
        raw.send(masked(TEXT, b"1"), masked(TEXT, b"2"), masked(TEXT, b"3")[:-1])
        await settle()
        assert gateway.heard == ["1"]
        raw.send(masked(TEXT, b"3")[-1:])
        await settle()
        assert gateway.heard == ["1"]
        gateway.listeners[0].link.start_reading()
        assert gateway.heard == ["1"], "nothing is heard from inside start_reading"
        assert [await raw.text() for _ in range(3)] == ["1", "2", "3"]


async def test_reading_may_stop_at_every_message() -> None:
    def once(listener: Recorder, what: Any) -> None:
        listener.link.stop_reading()
        asyncio.get_running_loop().call_soon(listener.link.start_reading)

    gateway = RecordingGateway()
    gateway.then = once
    async with serving(gateway) as port, opened(port) as raw:
        sent = [str(number) for number in range(100)]
        raw.send(*(masked(TEXT, each.encode()) for each in sent))
        assert [await raw.text() for _ in sent] == sent


# Ends


async def test_a_peers_close_is_answered_and_the_connection_ended() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port) as raw:
        raw.send(masked(TEXT, b"x", fin=False), closing(1001, b"bye"), masked(TEXT, b"after"), b"garbage" * 10)
        received = await raw.frame()
        assert (received.close_code, received.payload[2:]) == (1001, b"bye")
        assert await raw.ended() == b""
        assert gateway.heard == ["closed"]


async def test_a_close_without_a_code_is_answered_without_one() -> None:
    async with serving(RecordingGateway()) as port, opened(port) as raw:
        raw.send(masked(CLOSE))
        assert await raw.frame() == (CLOSE, b"", False)
        assert await raw.ended() == b""


async def test_our_close_waits_for_the_peers_and_hears_nothing_more() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port) as raw:
        listener = gateway.listeners[0]
        listener.link.close(4001, "ended")
        listener.link.write(b"too late")
        assert listener.heard == [], "nothing is told from inside close"
        received = await raw.frame()
        assert (received.close_code, received.payload[2:]) == (4001, b"ended")
        raw.send(masked(TEXT, b"not heard"), masked(PING), b"")
        await settle()
        assert listener.heard == []
        raw.send(closing(4001))
        assert await raw.ended() == b""
        assert listener.heard == ["closed"]


async def test_a_close_is_answered_though_reading_had_stopped() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port) as raw:
        gateway.listeners[0].link.stop_reading()
        raw.send(masked(TEXT, b"not heard"), closing(1000))
        await settle()
        gateway.listeners[0].link.close(1000)
        assert (await raw.frame()).close_code == 1000
        assert await raw.ended() == b""
        assert gateway.heard == ["closed"]


async def test_a_peer_that_never_answers_our_close_is_dropped_however_much_it_says() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port) as raw:
        await rounds(gateway, PING_AFTER - 1)
        gateway.listeners[0].link.close(1000)
        assert (await raw.frame()).close_code == 1000
        for _ in range(FAREWELL_AFTER):
            assert gateway.heard == []
            raw.send(masked(TEXT, b"on and on"))
            await rounds(gateway, 1)
        await raw.ended()
        assert gateway.heard == ["closed"]


async def test_a_peer_that_hangs_up_without_a_word_is_gone_at_once() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port) as raw:
        raw.send(masked(TEXT, b"half")[:5])
        raw.writer.write_eof()
        assert await raw.ended() == b""
        assert gateway.heard == ["closed"]
        assert gateway.keeper.links == 0


async def test_a_connection_that_is_reset_under_a_write_ends_once() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port:
        async with unread(port) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        listener = gateway.listeners[0]
        for _ in range(50):
            listener.link.write(frame(BINARY, bytes(60_000)))
            await asyncio.sleep(0)
        await settle()
        listener.link.write(b"x")
        listener.link.close(1000)
        listener.link.stop_reading()
        listener.link.start_reading()
        listener.link.abort()
        assert [what for what in listener.heard if what != "paused"] == ["closed"]


async def test_an_aborted_link_ends_once() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, opened(port) as raw:
        gateway.listeners[0].link.abort()
        gateway.listeners[0].link.write(b"x")
        await raw.ended()
        await settle()
        assert gateway.heard == ["closed"]


@pytest.mark.parametrize("at", ["hello", "paused", "closed", "shutdown", "stalled"])
async def test_a_listener_that_breaks_ends_its_own_link_alone(at: str, caplog: pytest.LogCaptureFixture) -> None:
    words = "a member's" + " words"

    def break_(listener: Recorder, what: Any) -> None:
        if what == at and listener is gateway.listeners[0]:
            raise ValueError(words)

    gateway = RecordingGateway()
    gateway.then = break_
    async with serving(gateway) as port, opened(port) as raw, opened(port) as other:
        broken = gateway.listeners[0]
        if at == "paused":
            broken.link.write(bytes(8 << 20))
        elif at == "shutdown":
            broken.link.shutdown()
        elif at == "closed":
            broken.link.abort()
        elif at == "stalled":
            await rounds(gateway, PING_AFTER)
            other.send(masked(PONG))
            await rounds(gateway, DEAD_AFTER - PING_AFTER)
            assert [(await raw.frame()).opcode, (await other.frame()).opcode] == [PING, PING]
        else:
            raw.send(masked(TEXT, b"hello"))
        if at in ("hello", "stalled"):
            assert (await raw.frame()).close_code == 1011
        await raw.ended()
        assert broken.heard.count("closed") == 1
        other.send(masked(TEXT, b"still here"))
        while (received := await other.frame()).opcode == PING:
            pass
        assert received.payload == b"still here"
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "ValueError" in record.getMessage()
    assert words not in caplog.text


async def test_a_stopping_server_says_so_and_waits_a_second_for_answers() -> None:
    gateway = RecordingGateway()
    loop = asyncio.get_running_loop()
    async with serving(gateway) as port:
        polite = Raw(*await asyncio.open_connection("127.0.0.1", port))
        mute = Raw(*await asyncio.open_connection("127.0.0.1", port))
        for raw in (polite, mute):
            raw.send(request_head())
            assert (await raw.head())[0] == 101
        answering = asyncio.create_task(_answer_close(polite))
        stopped_at = loop.time()
    took_s = loop.time() - stopped_at
    assert await answering == 1012
    assert 0.9 < took_s < 1.9
    assert [listener.heard for listener in gateway.listeners] == [["shutdown", "closed"]] * 2
    for raw in (polite, mute):
        raw.writer.close()


async def _answer_close(raw: Raw) -> int:
    code = (await raw.frame()).close_code
    raw.send(closing(code))
    return code
