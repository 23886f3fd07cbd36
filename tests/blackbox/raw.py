"""A WebSocket by hand, for what no client library would say or show: odd offers, broken frames, compressed bytes."""

import asyncio
import base64
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from websockets.frames import Frame, Opcode

WAIT_S = 20.0


class Heard(NamedTuple):
    """A frame as it came."""

    opcode: int
    compressed: bool
    payload: bytes

    @property
    def plain(self) -> bytes:
        """The payload, decompressed with nothing known of the frames before (RFC 7692, 7.2.2)."""
        if not self.compressed:
            return self.payload
        return zlib.decompressobj(-15).decompress(self.payload + b"\x00\x00\xff\xff")


@dataclass
class Raw:
    """A connection after the hub answered the handshake with this status, these headers and, if refused, this body."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int
    headers: dict[str, str]
    body: Any = None

    @classmethod
    async def open(cls, port: int, headers: Mapping[str, str | None] | None = None, path: str = "/live") -> Self:
        """Asks for the upgrade; a header that is given replaces the usual one, None leaves it out."""
        usual: dict[str, str | None] = {
            "Host": f"localhost:{port}", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Protocol": "hubchat.v1.json",
        }  # fmt: skip
        lines = [f"{name}: {value}" for name, value in {**usual, **(headers or {})}.items() if value is not None]
        reader, writer = await asyncio.open_connection("localhost", port)
        writer.write("\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode("latin-1"))
        async with asyncio.timeout(WAIT_S):
            first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
            told = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
            made = cls(reader, writer, int(first.split()[1]), told)
            if made.status != 101 and told["content-type"].startswith("application/json"):
                made.body = json.loads(await reader.readexactly(int(told["content-length"])))
        return made

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    def write(self, *frames: Frame | bytes) -> None:
        """Writes frames at once, masked as a client's are; bytes go as they are."""
        self.writer.write(b"".join(one if isinstance(one, bytes) else one.serialize(mask=True) for one in frames))

    def say(self, *commands: dict[str, Any]) -> None:
        """Writes commands in JSON, in one piece."""
        self.write(*(Frame(Opcode.TEXT, json.dumps(command).encode()) for command in commands))

    async def hear(self, within_s: float = WAIT_S) -> Heard:
        """The next frame."""
        async with asyncio.timeout(within_s):
            first, length = await self.reader.readexactly(2)
            if length >= 126:
                length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8), "big")
            assert first & 0x80, "the hub's frames come whole"
            return Heard(first & 0x0F, bool(first & 0x40), await self.reader.readexactly(length))

    async def hear_map(self) -> dict[str, Any]:
        """The next frame of the JSON dialect, read."""
        heard = await self.hear()
        assert heard.opcode == Opcode.TEXT, heard
        return json.loads(heard.plain)  # type: ignore[no-any-return]

    async def closed(self, within_s: float = WAIT_S) -> tuple[int, list[dict[str, Any]]]:
        """The code that the hub closes with, and what it says before."""
        said: list[dict[str, Any]] = []
        while (heard := await self.hear(within_s)).opcode != Opcode.CLOSE:
            if heard.opcode == Opcode.TEXT:
                said.append(json.loads(heard.plain))
        return int.from_bytes(heard.payload[:2], "big"), said
