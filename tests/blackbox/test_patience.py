"""How long the hub waits for what does not come; all of it waited for at once."""

import asyncio
import time

from websockets.frames import Frame, Opcode

from tests.blackbox.hub import Hub
from tests.blackbox.raw import Raw


async def seconds_until_pinged(hub: Hub) -> float:
    """How long a silent connection is left alone."""
    async with await Raw.open(hub.running.port) as raw:
        await raw.hear()
        begun = time.monotonic()
        async with asyncio.timeout(45):
            while not raw.reader.at_eof():
                if (await raw.hear(within_s=45)).opcode == Opcode.PING:
                    return time.monotonic() - begun
    raise AssertionError("closed without a ping")


async def end_of_an_unfinished_message(hub: Hub) -> tuple[float, int]:
    """How long a message may take that never ends, and how the connection is closed then."""
    async with await Raw.open(hub.running.port) as raw:
        await raw.hear()
        begun = time.monotonic()
        raw.write(Frame(Opcode.TEXT, b'{"do": ', fin=False))
        code, said = await raw.closed(within_s=45)
        assert said == []
        return time.monotonic() - begun, code


async def seconds_until_a_slow_head_is_refused(hub: Hub) -> float:
    reader, writer = await asyncio.open_connection("localhost", hub.running.port)
    begun = time.monotonic()
    writer.write(b"GET /live HTTP/1.1\r\nHost: ")
    async with asyncio.timeout(45):
        answer = await reader.read()
    writer.close()
    assert answer == b"" or b"head_too_slow" in answer
    return time.monotonic() - begun


async def test_what_is_silent_is_asked_and_what_never_ends_is_ended(hub: Hub) -> None:
    pinged_s, (ended_s, code), refused_s = await asyncio.gather(
        seconds_until_pinged(hub), end_of_an_unfinished_message(hub), seconds_until_a_slow_head_is_refused(hub)
    )
    assert 20 < pinged_s < 40
    assert 9 < ended_s < 25
    assert code in (1002, 4008)
    assert 9 < refused_s < 25
