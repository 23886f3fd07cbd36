"""Somebody's live connection in a story: raw enough to say anything, in either dialect."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from hubchat.actions.tokens import make_token
from hubchat.node import Node
from hubchat.storage.sessions import Caller
from hubchat.wire import Dialect, decode, encode

WAIT_S = 15.0
Message = dict[str, Any]


class Live:
    """One connection; everything heard is kept in order."""

    def __init__(self, socket: ClientConnection, dialect: Dialect) -> None:
        self.socket = socket
        self.dialect = dialect
        self.heard: list[Message] = []
        self._ids = itertools.count(1)
        self._news = asyncio.Condition()
        self._task = asyncio.create_task(self._listen())

    async def do(self, verb: str, **fields: Any) -> Message:
        """Sends a command and waits for its reply: the map under `ok`, or the error with its code."""
        command_id = next(self._ids)
        await self.say({"do": verb, "id": command_id, **fields})
        reply = await self.until(lambda m: m.get("re") == command_id)
        told: Message = reply["ok"] if "ok" in reply else reply["error"]
        return told

    async def say(self, message: Any) -> None:
        """Sends any value as a frame of this dialect."""
        await self.raw(encode(self.dialect, message))

    async def raw(self, payload: bytes) -> None:
        await self.socket.send(payload if self.dialect == "msgpack" else payload.decode())

    async def until(self, wanted: Callable[[Message], bool], start: int = 0) -> Message:
        """The first message like this, from the `start`th heard on; waits for it."""
        async with asyncio.timeout(WAIT_S), self._news:
            while True:
                for message in self.heard[start:]:
                    if wanted(message):
                        return message
                assert not self._task.done(), f"closed with {self.socket.close_code}"
                await self._news.wait()

    async def entry(self, channel: int, **like: Any) -> Message:
        """The first entry of a channel with these fields."""
        return await self.until(
            lambda m: m.get("channel") == channel and "seq" in m and all(m.get(k) == v for k, v in like.items())
        )

    async def signal(self, name: str, **like: Any) -> Message:
        return await self.until(lambda m: m.get("signal") == name and all(m.get(k) == v for k, v in like.items()))

    def seqs(self, channel: int) -> list[int]:
        """The entries of a channel so far, by number."""
        return [m["seq"] for m in self.heard if m.get("channel") == channel and "seq" in m]

    async def closed(self) -> int:
        """Waits for the end and gives its code."""
        async with asyncio.timeout(WAIT_S):
            await self._task
        return self.socket.close_code or 0

    async def _listen(self) -> None:
        with contextlib.suppress(ConnectionClosed):  # `closed` tells the code
            async for frame in self.socket:
                async with self._news:
                    self.heard.append(decode(self.dialect, frame))
                    self._news.notify_all()
        async with self._news:
            self._news.notify_all()


@asynccontextmanager
async def live(
    node: Node, port: int, who: Caller | None = None, dialect: Dialect = "json", **options: Any
) -> AsyncIterator[Live]:
    """A connection of somebody, or a guest, once welcomed; `options` are further ones of websockets."""
    headers = {}
    if who is not None:
        token, _ = await make_token(node, who.account_id, "story")
        headers["Authorization"] = f"Bearer {token}"
    async with connect(
        f"ws://127.0.0.1:{port}/live",
        subprotocols=[Subprotocol(f"hubchat.v1.{dialect}")],
        additional_headers=headers,
        proxy=None,
        **options,
    ) as socket:
        made = Live(socket, dialect)
        await made.until(lambda m: "welcome" in m)
        yield made
