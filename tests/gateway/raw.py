"""A WebSocket client that does what it is told, right or wrong, byte by byte."""

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

MASK = b"\x11\x22\x33\x44"
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def masked(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes = MASK) -> bytes:
    """One frame of a client, well made unless told otherwise; no mask where `mask` is empty."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    bit, length = (0x80 if mask else 0), len(payload)
    if length < 126:
        head = struct.pack("!BB", first, bit | length)
    elif length < 65_536:
        head = struct.pack("!BBH", first, bit | 126, length)
    else:
        head = struct.pack("!BBQ", first, bit | 127, length)
    whole, rest = divmod(length, 4)
    key = mask * whole + mask[:rest] if mask else bytes(length)
    body = (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(length) if length else b""
    return head + mask + body


def deflated(data: bytes) -> bytes:
    """A compressed message's payload (RFC 7692, 7.2.1)."""
    deflater = zlib.compressobj(wbits=-15)
    return (deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


def closing(code: int, reason: bytes = b"") -> bytes:
    return masked(CLOSE, struct.pack("!H", code) + reason)


def request_head(
    *lines: str,
    path: str = "/live",
    method: str = "GET",
    subprotocol: str | None = "hubchat.v1.json",
    extensions: str | None = None,
    without: Sequence[str] = (),
) -> bytes:
    """An upgrade request; `without` leaves out lines by their names."""
    head = {
        "Host": "localhost",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": subprotocol,
        "Sec-WebSocket-Extensions": extensions,
    }
    given = [f"{name}: {value}" for name, value in head.items() if value is not None and name not in without]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *given, *lines, "", ""]).encode()


class Received(NamedTuple):
    """A frame of the server, decompressed."""

    opcode: int
    payload: bytes
    compressed: bool

    @property
    def close_code(self) -> int:
        assert self.opcode == CLOSE, self
        code: int = struct.unpack("!H", self.payload[:2])[0]
        return code


class Raw:
    """A connection as the client holds it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, *pieces: bytes) -> None:
        self.writer.write(b"".join(pieces))

    async def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers (names in lower case) of the next response."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), {name.lower(): value for name, value in pairs}

    async def frame(self, timeout_s: float = 5) -> Received:
        async with asyncio.timeout(timeout_s):
            first, length = await self.reader.readexactly(2)
            if length == 126:
                length = int.from_bytes(await self.reader.readexactly(2))
            elif length == 127:
                length = int.from_bytes(await self.reader.readexactly(8))
            payload = await self.reader.readexactly(length)
        assert first & 0xB0 == 0x80, "a server's frame is whole and has no further reserved bits"
        if first & 0x40:
            payload = zlib.decompress(payload + b"\0\0\xff\xff\1\0\0\xff\xff", wbits=-15)
        return Received(first & 0x0F, payload, bool(first & 0x40))

    async def text(self) -> str:
        received = await self.frame()
        assert received.opcode == TEXT, received
        return received.payload.decode()

    async def ended(self, timeout_s: float = 5) -> bytes:
        """All that still comes until the server hangs up, in whatever way."""
        rest = b""
        async with asyncio.timeout(timeout_s):
            try:
                while piece := await self.reader.read(65_536):
                    rest += piece
            except ConnectionError:
                pass
        return rest


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Raw]:
    """A TCP connection; nothing is said yet."""
    raw = Raw(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield raw
    finally:
        raw.writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def opened(
    port: int, *, subprotocol: str = "hubchat.v1.json", extensions: str | None = None
) -> AsyncIterator[Raw]:
    """An open live connection."""
    async with connected(port) as raw:
        raw.send(request_head(subprotocol=subprotocol, extensions=extensions))
        status, _ = await raw.head()
        assert status == 101
        yield raw


async def settle(turns: int = 20) -> None:
    """Let what was sent over loopback arrive and be acted on."""
    for _ in range(turns):
        await asyncio.sleep(0.001)
