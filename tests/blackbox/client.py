"""A client of the live protocol, written from docs/protocol.md and /api/docs alone: it imports nothing of hubchat.

It takes up every channel where it stood after a loss, and sends again, as the same message, what was not acknowledged.
"""

import asyncio
import itertools
import json
import os
import random
import uuid
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Literal, Self

import msgpack
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

Frame = dict[str, Any]
Dialect = Literal["json", "msgpack"]
RESUMED: Final = frozenset({1006, 1012, 4008, 4009})  # close codes after which a client comes back
AGAIN: Final = frozenset({"rate_limited", "unavailable", "internal"})
FRAME_BYTES: Final = 512 * 1024
WAIT_S: Final = float(os.environ.get("HUBCHAT_TEST_WAIT_S", "20"))


class Refused(Exception):
    """The hub refused a command."""

    def __init__(self, error: Frame) -> None:
        super().__init__(error)
        self.error: Frame = error
        self.code: str = error["code"]
        self.reason: str = error["reason"]


class Lost(Exception):
    """The connection ended before the reply came."""


class Ended(Exception):
    """The connection ended, and coming back is not for this client to do; the close code."""


class Client:
    """One member's connection, or a guest's, and those that follow it.

    `heard` is everything but replies, oldest first; a replay that was refused stands in it as `{"reset": channel}`.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str] | None = None, dialect: Dialect = "msgpack", *,
        resume: bool = True, **options: Any,
    ) -> None:  # fmt: skip
        self.url, self.headers, self.dialect = url, dict(headers or {}), dialect
        self.resume = resume
        self.options = {"proxy": None, "max_size": FRAME_BYTES, **options}
        self.welcome: Frame = {}
        self.heard: list[Frame] = []
        self.at: dict[int, int] = {}
        self.close_code: int | None = None  # of the last connection; None where it could not be opened
        self.loss: Exception | None = None  # what ended it, where that was no close in good order
        self.ended: BaseException | None = None
        self.ws: ClientConnection
        self._ids, self._tries = itertools.count(1), 0
        self._open: dict[int, tuple[Frame, asyncio.Future[Frame]]] = {}
        self._outbox: dict[int, tuple[Frame, asyncio.Future[Frame]]] = {}  # what is not acknowledged, oldest first
        self._ready, self._news = asyncio.Event(), asyncio.Event()

    async def __aenter__(self) -> Self:
        self._life = asyncio.create_task(self._live())
        await asyncio.wait_for(self._ready.wait(), WAIT_S)
        if self.ended and not self.welcome:
            raise self.ended
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._life.cancel()
        await asyncio.wait([self._life])

    async def tell(self, verb: str, **fields: Any) -> "asyncio.Future[Frame]":
        """Sends a command, and gives its reply to come."""
        await self._ready.wait()
        return await self._tell({"do": verb, "id": next(self._ids), **fields})

    async def do(self, verb: str, **fields: Any) -> Frame:
        """What stands under `ok` in the reply. Raises Refused, Lost, Ended."""
        return await asyncio.wait_for(await self.tell(verb, **fields), WAIT_S)

    async def subscribe(self, channel: int, after: int | None = None) -> Frame:
        return await self.do("subscribe", channel=channel, **({} if after is None else {"after": after}))

    async def send(self, channel: int, text: str, **fields: Any) -> Frame:
        """Returns when the message is stored, however many connections that takes."""
        command = {"channel": channel, "nonce": uuid.uuid4().hex, "text": text, **fields}
        stored = asyncio.get_running_loop().create_future()
        key = next(self._ids)
        self._outbox[key] = command, stored
        try:
            if self._ready.is_set():
                await self._post(key)
            return await stored  # type: ignore[no-any-return]
        finally:
            del self._outbox[key]

    async def until(self, found: Callable[[], Any], within_s: float | None = None) -> Any:
        """Waits until `found` gives something. Raises why there will be nothing more to hear."""
        async with asyncio.timeout(within_s or WAIT_S):
            while not (value := found()):
                if self.ended:
                    raise self.ended
                self._news.clear()
                await self._news.wait()
        return value

    async def _live(self) -> None:
        try:
            while True:
                asked = await self._one_connection()
                self._tries += 1
                least, most = asked or (50 << min(self._tries, 8), 150 << min(self._tries, 8))
                await asyncio.sleep(random.uniform(least, most) / 1000)
        except BaseException as fault:
            self.ended = fault
            if not isinstance(fault, Exception):
                raise
        finally:
            self._let_go(self.ended or Lost())
            for _, stored in self._outbox.values():
                if not stored.done():
                    stored.set_exception(self.ended or Lost())
            self._ready.set()

    async def _one_connection(self) -> list[int] | None:
        """One connection to its end; gives the wait that the hub asked for. Raises Ended."""
        bye: Frame = {}
        opened = None
        self.loss = None
        try:
            protocol = Subprotocol(f"hubchat.v1.{self.dialect}")
            options = {"subprotocols": [protocol], "additional_headers": self.headers, **self.options}
            async with connect(self.url.replace("http", "ws", 1) + "/live", **options) as opened:
                self.ws = opened
                await self._begin(self._decode(await self.ws.recv()))
                async for data in self.ws:
                    bye = self._take(self._decode(data)).get("bye", bye)
        except (ConnectionClosed, Lost, OSError, InvalidMessage, InvalidStatus) as loss:
            if not self.welcome or (isinstance(loss, InvalidStatus) and loss.response.status_code not in (429, 503)):
                raise
            self.loss = loss
        self._ready.clear()
        self._let_go(Lost())
        self.close_code = opened.close_code if opened else None
        is_over = opened and self.close_code not in RESUMED
        if not self.resume or is_over or (bye and "reconnect_in_ms" not in bye):
            raise Ended(self.close_code)
        return bye.get("reconnect_in_ms")

    async def _begin(self, frame: Frame) -> None:
        """The hub spoke first; takes up what was subscribed to. Another log has other numbers."""
        known, self.welcome, self._tries = self.welcome, frame["welcome"], 0
        same = known.get("log", self.welcome["log"]) == self.welcome["log"]
        for channel, seq in self.at.items():
            again = {"do": "subscribe", "id": next(self._ids), "channel": channel}
            await self._tell({**again, "after": seq} if same else again)
        posted: set[int] = set()
        while waiting := self._outbox.keys() - posted:
            await self._post(min(waiting))
            posted.add(min(waiting))
        self._ready.set()

    async def _post(self, key: int) -> None:
        """Sends what stands in the outbox; after a loss the next connection does it again."""
        try:
            reply = await self._tell({"do": "send", "id": next(self._ids), **self._outbox[key][0]})
        except Lost:
            return
        reply.add_done_callback(lambda reply: self._posted(key, reply))

    def _posted(self, key: int, reply: "asyncio.Future[Frame]") -> None:
        _, stored = self._outbox.get(key, ({}, reply))
        if stored.done() or isinstance(fault := reply.exception(), Lost):
            return
        if isinstance(fault, Refused) and fault.code in AGAIN:
            wait_s = fault.error.get("retry_after_ms", 200) / 1000
            asyncio.get_running_loop().call_later(wait_s, self._post_later, key)
        elif fault:
            stored.set_exception(fault)
        else:
            stored.set_result(reply.result())

    def _post_later(self, key: int) -> None:
        if key in self._outbox and self._ready.is_set() and not self.ended:
            self._later = asyncio.create_task(self._post(key))

    async def _tell(self, command: Frame) -> "asyncio.Future[Frame]":
        if self.ended:
            raise self.ended
        reply = asyncio.get_running_loop().create_future()
        self._open[command["id"]] = command, reply
        try:
            await self.ws.send(self._encode(command))
        except ConnectionClosed:
            self._open.pop(command["id"], None)
            self._ready.clear()  # else who sends again at once would never let the loss be seen
            raise Lost from None
        return reply

    def _take(self, frame: Frame) -> Frame:
        if frame.get("re") is not None:
            self._answer(frame)
        else:
            if "kind" in frame:
                self._follow(frame["channel"], frame["seq"])
            if "revoked" in frame:
                self.at.pop(frame["revoked"]["channel"], None)
            self.heard.append(frame)
        self._news.set()
        return frame

    def _follow(self, channel: int, seq: int) -> None:
        """Every entry once, in order, without gaps, and of what was subscribed to alone."""
        assert channel in self.at, f"an entry of a channel that is not subscribed to: {seq}"
        assert seq == self.at[channel] + 1, f"entry {seq} after {self.at[channel]}"
        self.at[channel] = seq

    def _answer(self, frame: Frame) -> None:
        command, reply = self._open.pop(frame["re"])
        if command["do"] == "subscribe":
            self._stand(command, frame)
        elif command["do"] == "unsubscribe":
            self.at.pop(command.get("channel", 0), None)
        if not reply.done() and "ok" in frame:
            reply.set_result(frame["ok"])
        elif not reply.done():
            reply.set_exception(Refused(frame["error"]))
            reply.exception()  # who does not wait for it needs no word of it

    def _stand(self, command: Frame, frame: Frame) -> None:
        """From where a subscription goes on."""
        channel, ok = command.get("channel"), frame.get("ok")
        if ok is None:
            if frame["error"]["code"] == "not_found":
                self.at.pop(command["channel"], None)
            return
        replays = "after" in command and not ok.get("reset")
        self.at[ok["channel"]] = max(command["after"], ok["first"] - 1) if replays else ok["head"]
        if ok.get("reset"):
            self.heard.append({"reset": channel})

    def _let_go(self, why: BaseException) -> None:
        for _, reply in self._open.values():
            if not reply.done():
                reply.set_exception(why)
                reply.exception()  # who does not wait for it needs no word of it
        self._open.clear()
        self._news.set()

    def _encode(self, command: Frame) -> bytes | str:
        return msgpack.packb(command) if self.dialect == "msgpack" else json.dumps(command, ensure_ascii=False)

    def _decode(self, data: bytes | str) -> Frame:
        """The map in a frame, which is of the dialect's kind."""
        if self.dialect == "msgpack":
            assert isinstance(data, bytes)
            frame = msgpack.unpackb(data, strict_map_key=True)
        else:
            assert isinstance(data, str)
            frame = json.loads(data)
        assert isinstance(frame, dict)
        return frame
