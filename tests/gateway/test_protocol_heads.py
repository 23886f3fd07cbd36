"""Requests that are no requests, or not in a reasonable time: bounded before anybody is asked about them."""

import asyncio
import json
from typing import Any

import pytest

from hubchat.gateway import protocol
from tests.conformance.echo import serving
from tests.gateway.raw import TEXT, Raw, connected, masked, request_head
from tests.gateway.recording import RecordingGateway

GET = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"


def padded(size_bytes: int, head: bytes = GET) -> bytes:
    """The head made this long by one more header."""
    return head[:-2] + b"X: " + b"x" * (size_bytes - len(head) - 5) + b"\r\n\r\n"


async def answer_slowly(scope: Any, receive: Any, send: Any) -> None:
    """Takes the whole body, 0.3 s and then tells how long the body was."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await asyncio.sleep(0.3 if scope["path"] == "/slow" else 0)
    body = str(size).encode()
    head = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


def app_of(gateway: RecordingGateway) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            return await answer_slowly(scope, receive, send)
        await receive()
        scope["state"]["gateway"] = gateway
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    return app


@pytest.fixture
async def port() -> Any:
    gateway = RecordingGateway()
    async with serving(gateway, app_of(gateway)) as port:
        yield port


async def test_a_head_of_just_under_32_kb_is_answered_and_a_longer_one_refused(port: int) -> None:
    async with connected(port) as raw:
        raw.send(padded(protocol.HEAD_BYTES - 1))
        assert (await raw.head())[0] == 200
    async with connected(port) as raw:
        raw.send(padded(protocol.HEAD_BYTES + 1))
        status, headers = await raw.head()
        assert (status, headers["connection"]) == (431, "close")
        assert json.loads(await raw.ended())["error"]["code"] == "too_large"


@pytest.mark.parametrize("start", [GET[:-2] + b"X: ", request_head()[:-2] + b"X: ", b"GET /", b"\r\n"])
async def test_a_head_of_100_mb_is_refused_after_32_kb(port: int, start: bytes) -> None:
    """What is sent by then is thrown away, and most is never sent."""
    async with connected(port) as raw:
        raw.send(start)
        piece = b"\r\n" * 32_768 if start == b"\r\n" else b"x" * 65_536
        assert await _accepted_bytes(raw, piece, 100 << 20) < 30 << 20


async def _accepted_bytes(raw: Raw, piece: bytes, most: int) -> int:
    """How much of this is sent before the server hangs up, sockets' buffers and all."""
    sent = 0
    try:
        while sent < most:
            raw.writer.write(piece)
            await raw.writer.drain()
            sent += len(piece)
            await asyncio.sleep(0.001)
    except ConnectionError:
        pass
    return sent


async def test_many_headers_count_together(port: int) -> None:
    async with connected(port) as raw:
        raw.send(GET[:-2] + b"A: b\r\n" * 6_000)
        assert (await raw.head())[0] == 431


async def test_a_large_body_is_no_head(port: int) -> None:
    async with connected(port) as raw:
        size = 300_000
        head = f"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode()
        for _ in range(3):
            raw.send(head, bytes(size))
            assert (await raw.head())[0] == 200
            assert await raw.reader.readexactly(6) == b"300000"


async def test_many_requests_on_one_connection_are_many_heads(port: int) -> None:
    async with connected(port) as raw:
        for _ in range(4):
            raw.send(padded(20_000))
            assert (await raw.head())[0] == 200
            await raw.reader.readexactly(1)


async def test_pipelined_requests_are_all_answered(port: int) -> None:
    async with connected(port) as raw:
        raw.send(padded(9_000) * 20)
        for _ in range(20):
            assert (await raw.head())[0] == 200
            await raw.reader.readexactly(1)


@pytest.mark.parametrize(
    "start",
    [b"", b"G", b"\r\n", GET[:-2], request_head()[:-2]],
    ids=["nothing", "a letter", "a line", "head", "upgrade"],
)
async def test_a_head_that_does_not_come_in_time_is_refused(
    port: int, start: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.2)
    async with connected(port) as raw:
        raw.send(start)
        status, _ = await raw.head()
        assert status == 408
        assert json.loads(await raw.ended())["error"]["reason"] == "head_too_slow"


async def test_a_head_that_trickles_is_refused_however_steadily(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.2)
    async with connected(port) as raw:
        head = asyncio.create_task(raw.head())
        for byte in padded(20_000):
            raw.send(bytes([byte]))
            await asyncio.sleep(0.01)
            if head.done():
                break
        assert (await head)[0] == 408


async def test_the_second_head_on_a_connection_is_watched_too(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected(port) as raw:
        raw.send(GET)
        assert (await raw.head())[0] == 200
        await raw.reader.readexactly(1)
        monkeypatch.setattr(protocol, "HEAD_S", 0.2)
        raw.send(b"GET /")
        assert (await raw.head())[0] == 408


async def test_a_slow_answer_is_not_a_slow_head(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.1)
    async with connected(port) as raw:
        raw.send(GET.replace(b"/x", b"/slow"), b"GET /")
        assert (await raw.head())[0] == 200
        await raw.reader.readexactly(1)
        raw.send(GET[5:])
        assert (await raw.head())[0] == 200


async def test_the_time_for_a_head_begins_with_the_end_of_the_last_answer(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.5)
    async with connected(port) as raw:
        raw.send(GET.replace(b"/x", b"/slow"))
        assert (await raw.head())[0] == 200
        await raw.reader.readexactly(1)
        raw.send(GET[:5])
        await asyncio.sleep(0.3)
        raw.send(GET[5:])
        assert (await raw.head())[0] == 200


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\xfc\x03\x03", b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
async def test_what_is_no_http_is_refused(port: int, garbage: bytes) -> None:
    async with connected(port) as raw:
        raw.send(garbage)
        assert (await raw.head())[0] == 400
        assert json.loads(await raw.ended())["error"]["code"] == "bad_request"


async def test_garbage_behind_a_request_is_not_mixed_into_its_answer(port: int) -> None:
    async with connected(port) as raw:
        raw.send(GET.replace(b"/x", b"/slow"), b"\x00\x01garbage\r\n\r\n")
        assert await raw.ended() in (b"", (await _plain_answer(port)))


async def _plain_answer(port: int) -> bytes:
    async with connected(port) as raw:
        raw.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        return await raw.ended()


async def test_an_upgrade_to_something_else_is_answered_as_http_and_then_closed(port: int) -> None:
    async with connected(port) as raw:
        raw.send(GET[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", GET)
        status, headers = await raw.head()
        assert (status, headers["connection"]) == (200, "close")
        assert await raw.ended() == b"0"


async def test_an_upgrade_behind_an_unanswered_request_is_not_begun(port: int) -> None:
    async with connected(port) as raw:
        raw.send(GET.replace(b"/x", b"/slow"), request_head(), masked(TEXT, b"hello"))
        status, headers = await raw.head()
        assert (status, headers["connection"]) == (200, "close")
        assert await raw.ended() == b"0"
