"""How a live connection begins, and what is told to those who don't get one."""

import asyncio
import json
import logging
from typing import Any

import pytest

from hubchat.errors import HubError
from hubchat.framing import Dialect
from hubchat.gateway import link as link_module
from hubchat.gateway.protocol import Refused, Rules, Upgrade
from tests.conformance.echo import serving
from tests.gateway.raw import BINARY, TEXT, Raw, connected, masked, opened, request_head, settle
from tests.gateway.recording import RecordingGateway


async def refusal(raw: Raw, request: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Status, headers and what stands under `error`; the server must hang up after it."""
    raw.send(request)
    status, headers = await raw.head()
    body = json.loads(await raw.ended())
    assert headers["content-type"] == "application/json"
    assert headers["connection"] == "close"
    return status, headers, body["error"]


@pytest.mark.parametrize(
    ("offered", "chosen", "dialect", "opcode"),
    [
        ("hubchat.v1.json", "hubchat.v1.json", "json", TEXT),
        ("hubchat.v1.msgpack", "hubchat.v1.msgpack", "msgpack", BINARY),
        ("other, hubchat.v1.json", "hubchat.v1.json", "json", TEXT),
        ("hubchat.v1.json, hubchat.v1.msgpack", "hubchat.v1.msgpack", "msgpack", BINARY),
    ],
)
async def test_the_subprotocol_chooses_the_dialect(offered: str, chosen: str, dialect: Dialect, opcode: int) -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, connected(port) as raw:
        raw.send(request_head(subprotocol=offered, path="/live?a=b"))
        status, headers = await raw.head()
        assert (status, headers["sec-websocket-protocol"]) == (101, chosen)
        assert headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        raw.send(masked(opcode, b"hello"))
        assert (await raw.frame()).payload == b"hello"
        (asked,) = gateway.asked
        assert (asked.dialect, asked.path, asked.query, asked.scheme) == (dialect, "/live", "a=b", "ws")
        assert (asked.address, asked.port, asked.values("host")) == ("127.0.0.1", port, ["localhost"])
        assert gateway.listeners[0].link.kind.dialect == dialect


@pytest.mark.parametrize("offered", [None, "", "hubchat", "hubchat.v2.json, chat"])
async def test_a_client_that_offers_neither_is_told_both(offered: str | None) -> None:
    async with serving(RecordingGateway()) as port, connected(port) as raw:
        status, _, error = await refusal(raw, request_head(subprotocol=offered))
        if offered == "":
            assert (status, error["code"]) == (400, "bad_request")
            return
        assert (status, error["code"], error["reason"]) == (400, "bad_request", "subprotocol_unknown")
        assert "hubchat.v1.msgpack" in error["message"]
        assert "hubchat.v1.json" in error["message"]


@pytest.mark.parametrize(
    ("request_", "status", "reason"),
    [
        (request_head(path="/other"), 404, "path_unknown"),
        (request_head(path="/live/"), 404, "path_unknown"),
        (request_head(path="http://localhost/live"), 404, "path_unknown"),
        (request_head(method="POST"), 405, "handshake_invalid"),
        (request_head(without=["Sec-WebSocket-Key"]), 400, "handshake_invalid"),
        (request_head("Sec-WebSocket-Key: c2hvcnQ=", without=["Sec-WebSocket-Key"]), 400, "handshake_invalid"),
        (request_head("Sec-WebSocket-Version: 12", without=["Sec-WebSocket-Version"]), 400, "handshake_invalid"),
        (request_head("Origin: a", "Origin: b"), 400, "handshake_invalid"),
        (request_head(extensions="permessage-deflate; x="), 400, "handshake_invalid"),
        (request_head().replace(b"HTTP/1.1", b"HTTP/1.0"), 505, "handshake_invalid"),
    ],
)
async def test_a_handshake_that_is_wrong_is_refused(request_: bytes, status: int, reason: str) -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, connected(port) as raw:
        told, headers, error = await refusal(raw, request_)
        assert (told, error["reason"]) == (status, reason)
        assert status != 400 or headers["sec-websocket-version"] == "13"
        assert status != 405 or headers["allow"] == "GET"
    assert gateway.asked == []


async def test_a_gateway_may_refuse_with_any_status_body_and_headers() -> None:
    class Strict(RecordingGateway):
        async def admit(self, request: Upgrade) -> str:
            raise Refused(421, {"error": {"code": "bad_request", "reason": "host"}}, {"X-More": "1"})

    async with serving(Strict()) as port, connected(port) as raw:
        status, headers, error = await refusal(raw, request_head())
        assert (status, headers["x-more"], error["reason"]) == (421, "1", "host")


@pytest.mark.parametrize(
    ("fault", "status", "header"),
    [
        (HubError("host_foreign"), 421, None),
        (HubError("origin_foreign"), 403, None),
        (HubError("sign_in_ended"), 401, ("www-authenticate", "Bearer")),
        (HubError("too_many_connections", retry_after_ms=2_500), 429, ("retry-after", "3")),
        (HubError("database_unavailable"), 503, ("retry-after", "1")),
    ],
)
async def test_a_gateway_may_refuse_with_a_reason(fault: HubError, status: int, header: tuple[str, str] | None) -> None:
    class Strict(RecordingGateway):
        async def admit(self, request: Upgrade) -> str:
            raise fault

    async with serving(Strict()) as port, connected(port) as raw:
        told, headers, error = await refusal(raw, request_head())
        assert (told, error["reason"]) == (status, fault.reason)
        assert header is None or headers[header[0]] == header[1]


async def test_a_gateway_that_breaks_is_our_fault_and_its_words_are_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    words = "a member's" + " words"

    class Broken(RecordingGateway):
        async def admit(self, request: Upgrade) -> str:
            raise ValueError(words)

    async with serving(Broken()) as port, connected(port) as raw:
        status, _, error = await refusal(raw, request_head())
    assert (status, error["code"]) == (500, "internal")
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    logged = record.getMessage()
    assert logged.split()[1].rstrip(":") in error["message"]
    assert "ValueError" in logged
    assert words not in caplog.text


async def test_who_is_not_admitted_in_time_is_asked_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(RecordingGateway):
        async def admit(self, request: Upgrade) -> str:
            await asyncio.sleep(60)
            return "admitted"

    monkeypatch.setattr(link_module, "ADMISSION_S", 0.05)
    async with serving(Slow()) as port, connected(port) as raw:
        status, headers, error = await refusal(raw, request_head())
        assert (status, error["code"], headers["retry-after"]) == (503, "unavailable", "1")


async def test_who_is_being_admitted_when_the_server_stops_is_asked_to_come_again() -> None:
    class Slow(RecordingGateway):
        async def admit(self, request: Upgrade) -> str:
            await asyncio.sleep(0.3)
            return "admitted"

    gateway = Slow()
    async with serving(gateway) as port:
        raw = Raw(*await asyncio.open_connection("127.0.0.1", port))
        raw.send(request_head())
        await settle()
    assert (await raw.head())[0] == 503
    await raw.ended()
    assert gateway.listeners == []
    raw.writer.close()


async def test_who_leaves_while_being_admitted_is_never_opened_for_long() -> None:
    let_in = asyncio.Event()

    class Slow(RecordingGateway):
        async def admit(self, request: Upgrade) -> str:
            await let_in.wait()
            return "admitted"

    gateway = Slow()
    async with serving(gateway) as port:
        async with connected(port) as raw:
            raw.send(request_head())
            await settle()
            assert gateway.keeper.links == 1
        let_in.set()
        await settle(100)
        assert gateway.keeper.links == 0
    assert all(listener.heard == ["closed"] for listener in gateway.listeners)


async def test_what_comes_with_the_request_is_heard_after_the_opening() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, connected(port) as raw:
        frame = masked(TEXT, b"third")
        raw.send(request_head(), masked(TEXT, b"first"), masked(TEXT, b"second"), frame[:7])
        assert (await raw.head())[0] == 101
        assert [await raw.text(), await raw.text()] == ["first", "second"]
        raw.send(frame[7:])
        assert await raw.text() == "third"


async def test_a_request_head_may_trickle_in_like_any_other() -> None:
    async with serving(RecordingGateway()) as port, connected(port) as raw:
        for byte in request_head() + masked(TEXT, b"hello"):
            raw.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await raw.head())[0] == 101
        assert await raw.text() == "hello"


async def test_garbage_with_the_request_ends_the_connection_after_the_opening() -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, connected(port) as raw:
        raw.send(request_head(), b"GET / HTTP/1.1\r\n\r\n" * 20)
        assert (await raw.head())[0] == 101
        assert (await raw.frame()).close_code == 1002
        assert await raw.ended() == b""
        assert gateway.heard == ["closed"]


@pytest.mark.parametrize(("trusted", "address"), [("127.0.0.1", "192.0.2.7"), ("", "127.0.0.1")])
async def test_forwarded_addresses_count_from_trusted_proxies_alone(trusted: str, address: str) -> None:
    gateway = RecordingGateway()
    async with serving(gateway, forwarded_allow_ips=trusted) as port, connected(port) as raw:
        raw.send(request_head("X-Forwarded-For: 198.51.100.1, 192.0.2.7", "X-Forwarded-Proto: https"))
        assert (await raw.head())[0] == 101
        (asked,) = gateway.asked
        assert (asked.address, asked.scheme) == (address, "wss" if trusted else "ws")
        assert gateway.listeners[0].link.address == address


@pytest.mark.parametrize(
    ("offer", "bits"),
    [
        (None, 0),
        ("permessage-deflate", 12),
        ("permessage-deflate; client_max_window_bits", 12),
        ("permessage-deflate; server_max_window_bits=15", 12),
        ("permessage-deflate; server_max_window_bits=9", 9),
        ("permessage-deflate; server_max_window_bits=8", 0),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", 12),
        ("permessage-deflate; client_max_window_bits=8", 0),
        ("x-webkit-deflate-frame", 0),
    ],
)
async def test_compression_is_without_context_and_in_windows_that_all_can_share(offer: str | None, bits: int) -> None:
    gateway = RecordingGateway()
    async with serving(gateway) as port, connected(port) as raw:
        raw.send(request_head(extensions=offer))
        _, headers = await raw.head()
        assert gateway.listeners[0].link.kind.window_bits == bits
        agreed = headers.get("sec-websocket-extensions", "")
        assert bool(agreed) == bool(bits)
        assert not agreed or ("server_no_context" in agreed and "client_no_context" in agreed)
        raw.send(masked(TEXT, b"a"))
        assert await raw.frame() == (TEXT, b"a", bool(bits))


async def test_a_gateway_that_needs_no_subprotocol_takes_both_kinds_of_frames() -> None:
    async with serving(RecordingGateway(Rules(any_subprotocol=True))) as port, connected(port) as raw:
        raw.send(request_head(subprotocol=None), masked(TEXT, b"a"), masked(BINARY, b"b"))
        status, headers = await raw.head()
        assert status == 101
        assert "sec-websocket-protocol" not in headers
        assert [(await raw.frame())[:2], (await raw.frame())[:2]] == [(TEXT, b"a"), (BINARY, b"b")]


async def test_a_listener_that_cannot_be_made_closes_its_own_link_alone() -> None:
    class Broken(RecordingGateway):
        def open(self, link: Any, admission: Any) -> Any:
            if self.listeners:
                raise ValueError("no")
            return super().open(link, admission)

    async with serving(Broken()) as port, opened(port) as first:
        async with opened(port) as second:
            assert (await second.frame()).close_code == 1011
        first.send(masked(TEXT, b"still here"))
        assert await first.text() == "still here"
