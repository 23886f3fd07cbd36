"""The weather of the proxy is what it says."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.faults.proxy import Proxy, Weather
from tests.waiting import until

WAIT_S = 10.0
QUIET_S = 0.3


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """Before a server that says everything again."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1_024):
                writer.write(data)
        writer.close()

    async with AsyncExitStack() as stack:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        stack.callback(server.close)
        made = Proxy([server.sockets[0].getsockname()[1]], random.Random(1))
        yield await stack.enter_async_context(made)


Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def line(proxy: Proxy) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    yield reader, writer
    writer.transport.abort()


async def _says(line: Line, words: bytes) -> bytes:
    line[1].write(words)
    async with asyncio.timeout(WAIT_S):
        return await line[0].readexactly(len(words))


async def test_in_fine_weather_all_is_carried_both_ways_and_an_end_too(line: Line) -> None:
    assert await _says(line, b"x" * 300_000) == b"x" * 300_000
    line[1].write_eof()
    assert await line[0].read() == b""


async def test_slow_keeps_the_order(proxy: Proxy, line: Line) -> None:
    proxy.turn("slow")
    words = [b"%06d" % number for number in range(5)]
    for word in words:
        line[1].write(word)
        await asyncio.sleep(0)
    assert await _says(line, b"last") == b"0000"[:4]
    rest = b"".join(words)[4:] + b"last"
    assert await line[0].readexactly(len(rest)) == rest


async def test_silent_says_nothing_and_resets_once_the_weather_is_fine(proxy: Proxy, line: Line) -> None:
    assert await _says(line, b"one") == b"one"
    proxy.turn("silent")
    line[1].write(b"two")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(QUIET_S):
            await line[0].read(1)
    proxy.turn("fine")
    with pytest.raises(ConnectionResetError):
        await line[0].read(1)


@pytest.mark.parametrize(("weather", "reaches"), [("mute", False), ("deaf", True), ("silent", False)])
async def test_silence_may_be_one_way_alone(proxy: Proxy, weather: Weather, reaches: bool) -> None:
    heard = bytearray()
    near: list[asyncio.StreamWriter] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        near.append(writer)
        with contextlib.suppress(OSError):
            while data := await reader.read(1_024):
                heard.extend(data)
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        proxy.targets = [server.sockets[0].getsockname()[1]]
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        await until(lambda: near, WAIT_S)
        proxy.turn(weather)
        writer.write(b"there")
        near[0].write(b"back")
        answer = asyncio.ensure_future(reader.read(10))
        await asyncio.sleep(QUIET_S)
        assert bytes(heard) == (b"there" if reaches else b"")
        assert answer.done() == (weather == "mute")
        proxy.turn("fine")
        if weather == "mute":
            assert await answer == b"back"
            answer = asyncio.ensure_future(reader.read(10))
        with pytest.raises(ConnectionResetError):
            await answer
        writer.transport.abort()


async def test_a_line_that_said_nothing_in_silence_goes_on(proxy: Proxy, line: Line) -> None:
    assert await _says(line, b"one") == b"one"
    proxy.turn("silent")
    proxy.turn("fine")
    assert await _says(line, b"two") == b"two"


async def test_cut_resets_what_is_open_and_lets_nobody_in(proxy: Proxy, line: Line) -> None:
    assert await _says(line, b"one") == b"one"
    proxy.turn("cut")
    with pytest.raises(ConnectionResetError):
        await line[0].read(1)
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)
    writer.transport.abort()
