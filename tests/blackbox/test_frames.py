"""Bytes that break the rules, and what the hub makes of them."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import msgpack
import pytest
from websockets.frames import Frame, Opcode

from tests.blackbox.hub import Hub
from tests.blackbox.raw import Raw

FRAME_BYTES = 65536
PING = {"do": "ping", "id": 1}


@pytest.fixture
async def raw(hub: Hub) -> AsyncIterator[Raw]:
    """A guest's connection in JSON, welcomed."""
    async with await Raw.open(hub.running.port) as raw:
        assert "welcome" in await raw.hear_map()
        yield raw


@pytest.fixture
async def packed(hub: Hub) -> AsyncIterator[Raw]:
    """A guest's connection in MessagePack, welcomed."""
    async with await Raw.open(hub.running.port, {"Sec-WebSocket-Protocol": "hubchat.v1.msgpack"}) as raw:
        assert "welcome" in msgpack.unpackb((await raw.hear()).payload)
        yield raw


def text(command: Any, length: int = 0) -> bytes:
    """A command in JSON, with white space after it up to this length."""
    return json.dumps(command).encode().ljust(length)


async def assert_closed(raw: Raw, code: int) -> None:
    closed, said = await raw.closed()
    assert (closed, [one for one in said if "re" in one]) == (code, [])


async def test_a_frame_of_the_other_dialects_type_closes(raw: Raw, packed: Raw) -> None:
    raw.write(Frame(Opcode.BINARY, text(PING)))
    await assert_closed(raw, 1003)
    packed.write(Frame(Opcode.TEXT, text(PING)))
    await assert_closed(packed, 1003)


async def test_text_that_is_no_text_closes(raw: Raw) -> None:
    raw.write(Frame(Opcode.TEXT, b'{"do": "ping", "id": 1, "\xff": 1}'))
    await assert_closed(raw, 1007)


@pytest.mark.parametrize(
    "broken",
    [
        Frame(Opcode.TEXT, text(PING)).serialize(mask=False),
        b"\xf1\x80abcd",
        b"\x83\x80abcd",
        b"\x09\x80abcd",
        b"\x80\x80abcd",
    ],
    ids=["not masked", "reserved bits", "unknown opcode", "ping in pieces", "goes on with nothing"],
)
async def test_broken_frames_close(raw: Raw, broken: bytes) -> None:
    raw.write(broken)
    await assert_closed(raw, 1002)


async def test_a_message_may_be_as_large_as_said_and_no_byte_larger(raw: Raw) -> None:
    raw.write(Frame(Opcode.TEXT, text(PING, FRAME_BYTES)))
    assert (await raw.hear_map())["re"] == 1
    raw.write(Frame(Opcode.TEXT, text(PING, FRAME_BYTES + 1)))
    await assert_closed(raw, 1009)


async def test_a_message_in_pieces_counts_as_a_whole(raw: Raw) -> None:
    half = text(PING, FRAME_BYTES // 2)
    blank = b" " * (FRAME_BYTES // 2)
    raw.write(Frame(Opcode.TEXT, half, fin=False), Frame(Opcode.PING, b""), Frame(Opcode.CONT, blank))
    heard = [await raw.hear() for _ in range(2)]
    assert {Opcode.PONG, Opcode.TEXT} == {one.opcode for one in heard}
    raw.write(Frame(Opcode.TEXT, half, fin=False), Frame(Opcode.CONT, blank, fin=False), Frame(Opcode.CONT, b" "))
    await assert_closed(raw, 1009)


async def test_a_message_counts_decompressed(hub: Hub) -> None:
    async with await Raw.open(hub.running.port, {"Sec-WebSocket-Extensions": "permessage-deflate"}) as raw:
        await raw.hear()
        for size in (FRAME_BYTES, 50_000_000):
            press = zlib.compressobj(wbits=-12)
            pressed = (press.compress(text(PING, size)) + press.flush(zlib.Z_SYNC_FLUSH))[:-4]
            plain = Frame(Opcode.TEXT, pressed).serialize(mask=True)
            raw.write(bytes([plain[0] | 0x40]) + plain[1:])
            if size == FRAME_BYTES:
                assert (await raw.hear_map())["re"] == 1
        await assert_closed(raw, 1009)


@pytest.mark.parametrize(
    "said",
    ["", "x", "[]", "7", "null", '"ping"', "{", '{"do": "ping"}', '{"id": "1", "do": "ping"}',
     '{"id": 1.5, "do": "ping"}',
     '{"id": true, "do": "ping"}', '{"id": null, "do": "ping"}', "{}{}", "[" * 30000, '{"id": NaN, "do": "ping"}',
     '{"do": "ping", "id": 1' + "0" * 400 + "}"],
)  # fmt: skip
async def test_what_is_no_command_is_answered_and_does_no_harm(raw: Raw, said: str) -> None:
    raw.write(Frame(Opcode.TEXT, said.encode()))
    answer = await raw.hear_map()
    assert (answer["re"], answer["error"]["code"]) == (None, "bad_request")
    raw.say(PING)
    assert (await raw.hear_map())["re"] == 1


@pytest.mark.parametrize(
    "said",
    [b"", b"\xc1", b"\x90", b"\x01", b"\xc0", msgpack.packb({1: 2}), msgpack.packb({"do": "ping", "id": 1}) + b"\x00",
     msgpack.packb({"do": "ping", "id": 1})[:-1], b"\x91" * 60000, b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xffa",
     msgpack.packb(msgpack.ExtType(5, b"x")), msgpack.packb({"do": "ping", "id": b"1"})],
)  # fmt: skip
async def test_the_same_holds_in_the_compact_dialect(packed: Raw, said: bytes) -> None:
    packed.write(Frame(Opcode.BINARY, said))
    answer = msgpack.unpackb((await packed.hear()).payload)
    assert (answer["re"], answer["error"]["code"]) == (None, "bad_request")
    packed.write(Frame(Opcode.BINARY, msgpack.packb(PING)))
    assert msgpack.unpackb((await packed.hear()).payload)["re"] == 1


@pytest.mark.parametrize("escaped", ["\\ud800", "a\\udfffb", "\\udc00\\ud800"])
async def test_a_lone_surrogate_is_no_text(raw: Raw, escaped: str) -> None:
    said = f'{{"do": "send", "id": 1, "channel": 1, "nonce": "n", "text": "{escaped}"}}'
    raw.write(Frame(Opcode.TEXT, said.encode()))
    error = (await raw.hear_map())["error"]
    assert (error["code"], error["reason"]) == ("bad_request", "not_a_command")


async def test_bytes_that_are_no_utf8_are_no_string_of_messagepack(packed: Raw) -> None:
    said = msgpack.packb({"do": "subscribe", "id": 7, "channel": "XX"}).replace(b"XX", b"\xff\xfe")
    packed.write(Frame(Opcode.BINARY, said))
    assert msgpack.unpackb((await packed.hear()).payload)["error"]["code"] == "bad_request"


async def test_an_id_is_for_one_open_command(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    send = {"do": "send", "id": 5, "channel": group, "nonce": "n", "text": "once"}
    async with await Raw.open(hub.running.port, anna.headers) as raw:
        await raw.hear()
        raw.say(send, {"do": "ping", "id": 5})
        answers = [await raw.hear_map() for _ in range(2)]
        assert [one["re"] for one in answers] == [5, 5]
        assert sorted(one.get("error", {}).get("reason", "") for one in answers) == ["", "id_in_use"]
        raw.say({"do": "ping", "id": 5})
        assert "time" in (await raw.hear_map())["ok"]


async def test_a_closing_client_is_answered_with_its_own_code(raw: Raw) -> None:
    raw.write(Frame(Opcode.CLOSE, (1000).to_bytes(2, "big")))
    heard = await raw.hear()
    assert (heard.opcode, heard.payload) == (Opcode.CLOSE, (1000).to_bytes(2, "big"))
    assert await asyncio.wait_for(raw.reader.read(), 20) == b""
