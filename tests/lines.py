"""Real sessions over a link that is a list: what was written can be read, and the socket filled and emptied by hand."""

import asyncio
import itertools
import os
from collections.abc import Callable
from typing import Any

from hubchat.framing import WireClass, wire_class
from hubchat.gateway.admission import Admission, Admitted
from hubchat.gateway.session import Session
from hubchat.node import Node
from hubchat.storage.sessions import Caller
from hubchat.wire import Dialect, decode, encode

WAIT_S = float(os.environ.get("HUBCHAT_TEST_WAIT_S", "20"))


class Line:
    """One connection."""

    id = "a-line"

    def __init__(self, dialect: Dialect = "json", address: str = "127.0.0.1") -> None:
        self.address = address
        self.kind: WireClass = wire_class(dialect, 0)
        self.heard: list[dict[str, Any]] = []
        self.writes = 0
        self.reading = True
        self.closed_with: int | None = None
        self.session: Session
        self.gateway: Admission
        self.on_write: Callable[[], None] = lambda: None
        self._ids = itertools.count(1)
        self._news = asyncio.Event()

    # What a session does with its link

    def write(self, data: bytes) -> None:
        self.writes += 1
        self.heard += [decode(self.kind.dialect, payload) for payload in _payloads(data)]
        self._news.set()
        self.on_write()

    def stop_reading(self) -> None:
        self.reading = False

    def start_reading(self) -> None:
        self.reading = True

    def close(self, code: int, reason: str = "") -> None:
        self.closed_with = code
        self._news.set()

    # What a client does

    def send(self, verb: str, **fields: Any) -> int:
        """Sends a command without waiting, and gives its id."""
        command_id = next(self._ids)
        payload = encode(self.kind.dialect, {"do": verb, "id": command_id, **fields})
        self.session.received(payload if self.kind.dialect == "msgpack" else payload.decode())
        return command_id

    async def do(self, verb: str, **fields: Any) -> dict[str, Any]:
        """Sends a command and waits for its reply: the map under `ok` or `error`."""
        return await self.reply(self.send(verb, **fields))

    async def reply(self, command_id: int) -> dict[str, Any]:
        found = await self.until(lambda: next((m for m in self.heard if m.get("re") == command_id), None))
        return found.get("ok", found.get("error"))  # type: ignore[no-any-return]

    async def until(self, found: Callable[[], Any]) -> Any:
        """Waits until `found` gives something."""
        async with asyncio.timeout(WAIT_S):
            while not (value := found()):
                self._news.clear()
                await self._news.wait()
        return value

    async def until_seq(self, channel: int, seq: int) -> list[int]:
        """Waits for an entry and gives the seqs heard of its channel so far."""
        await self.until(lambda: seq in self.seqs(channel))
        return self.seqs(channel)

    # What it heard

    def entries(self, channel: int) -> list[dict[str, Any]]:
        return [message for message in self.heard if message.get("channel") == channel and "kind" in message]

    def seqs(self, channel: int) -> list[int]:
        return [entry["seq"] for entry in self.entries(channel)]

    def texts(self, channel: int) -> list[str]:
        return [entry["text"] for entry in self.entries(channel) if "text" in entry]

    def revoked(self) -> list[int]:
        return [message["revoked"]["channel"] for message in self.heard if "revoked" in message]

    # What its socket does

    def choke(self) -> None:
        """The socket is full."""
        self.session.paused()

    def release(self) -> None:
        """The socket takes again."""
        self.session.resumed()


class Lines:
    """Opens lines to a node."""

    def __init__(self, node: Node) -> None:
        self.admission = Admission(node)

    def open(self, caller: Caller | None = None, dialect: Dialect = "json", address: str = "127.0.0.1") -> Line:
        line = Line(dialect, address)
        line.gateway = self.admission
        admitted = Admitted(caller, None, self.admission.node.hub.access_epoch)
        line.session = self.admission.open(line, admitted)  # type: ignore[arg-type]  # a Link, as far as it is used
        return line


def _payloads(data: bytes) -> list[bytes]:
    """The payloads of finished, unmasked frames (RFC 6455, 5.2)."""
    found = []
    while data:
        length, start = data[1], 2
        if length == 126:
            length, start = int.from_bytes(data[2:4]), 4
        elif length == 127:
            length, start = int.from_bytes(data[2:10]), 10
        found.append(data[start : start + length])
        data = data[start + length :]
    return found


class Gate:
    """Lets calls of an async function pass one at a time, when told to."""

    def __init__(self, function: Callable[..., Any], *, answer_late: bool = False) -> None:
        self._function = function
        self._answer_late = answer_late
        self._opened = asyncio.Event()
        self.arrived = asyncio.Event()

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self._answer_late:
            self.arrived.set()
            await self._opened.wait()
            return await self._function(*args, **kwargs)
        answer = await self._function(*args, **kwargs)
        self.arrived.set()
        await self._opened.wait()
        return answer

    def open(self) -> None:
        self._opened.set()
