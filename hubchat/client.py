"""The Python client: bots, tests and load use it. It resumes by itself, and loses nothing that was not acknowledged.

async with Client("http://localhost:8000", token=token) as hub:
    await hub.subscribe(channel)
    async for entry in hub.entries():
        ...
"""

import asyncio
import contextlib
import itertools
import random
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from hubchat.wire import Dialect, decode, encode

LEAST_WAIT_S: Final = 0.5
MOST_WAIT_S: Final = 30.0
QUEUED: Final = 1_000  # entries not yet taken; then the socket is left alone until some are
PAGE: Final = 200
AWAY: Final = frozenset({1000, 1002, 1003, 1007, 1009, 4001, 4003})
"""Close codes after which coming back would change nothing (docs/protocol.md, "Close codes")."""
AGAIN: Final = frozenset({"rate_limited", "unavailable", "internal"})
OPEN_S: Final = 10.0

Message = dict[str, Any]


class Refused(Exception):
    """The hub refused a command; `code` and `reason` are docs/protocol.md's."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        self.code: str = error["code"]
        self.reason: str = error["reason"]
        self.retry_after_ms: int | None = error.get("retry_after_ms")
        super().__init__(f"{self.reason}: {error['message']}")


class Ended(Exception):
    """The connection has ended for good: signed out, removed, refused, or closed by us."""


@dataclass
class _Command:
    """A command that has no reply yet. It is kept, and sent again on each connection, when it may be.

    `place` is what a subscription's reply makes live, before the next frame is looked at.
    """

    message: Message
    reply: asyncio.Future[Message]
    is_kept: bool = False
    place: "_Place | None" = None
    sent_on: ClientConnection | None = None


@dataclass
class _Place:
    """Where we stand in a channel; None: from its head on. Entries are taken only while it is live. It is followed
    through every loss once the hub has agreed."""

    after: int | None = None
    is_live: bool = False
    is_followed: bool = False


class Client:
    """One live connection that comes back. `token` is None for a guest; `dialect` is how it speaks."""

    def __init__(self, url: str, token: str | None = None, *, dialect: Dialect = "msgpack") -> None:
        parts = urlsplit(url)
        self._address = f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}/live"
        self._token = token
        self._dialect = dialect
        self._ids = itertools.count(1)
        self._open: dict[int, _Command] = {}
        self._outbox: dict[str, _Command] = {}
        self._places: dict[int, _Place] = {}
        self._entries: asyncio.Queue[Message | None] = asyncio.Queue(QUEUED)
        self._signals: asyncio.Queue[Message] = asyncio.Queue(QUEUED)
        self._socket: ClientConnection | None = None
        self._connected = asyncio.Event()
        self._late: set[int] = set()
        self._task: asyncio.Task[None] | None = None
        self._catching: set[asyncio.Task[None]] = set()
        self._why: Exception | None = None
        self._wait_s: tuple[float, float] | None = None
        self.welcome: Message = {}

    async def __aenter__(self) -> Self:
        """Connects; raises Ended where the hub refuses, and keeps trying while it can't be reached."""
        self._task = asyncio.create_task(self._run())
        await self._until_connected()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes. What is not acknowledged by now stays unsent; `unsent` tells it."""
        if self._task is not None:
            self._task.cancel()
            for task in self._catching:
                task.cancel()
            await asyncio.gather(self._task, *self._catching, return_exceptions=True)

    # ------------------------------------------------------------ what a bot does

    async def subscribe(self, channel: int, after: int | None = None) -> Message:
        """Follows a channel from now on, or from after a seq; through every loss of the connection.

        The reply: `head`, `first`, and `reset` where nothing was replayed; then history was read instead.
        """
        self._places[channel] = _Place(after)
        try:
            return await self._subscribe(channel)
        except Refused:
            self._places.pop(channel, None)
            raise

    async def unsubscribe(self, channel: int) -> None:
        self._places.pop(channel, None)
        await self.command("unsubscribe", channel=channel)

    async def entries(self) -> AsyncIterator[Message]:
        """Every entry of the subscribed channels, each once and in its channel's order. Ends with `Ended`."""
        while True:
            entry = await self._entries.get()
            if entry is None:
                raise self._why or Ended("closed")
            yield entry
            if self._entries.qsize() < QUEUED // 2 and self._late:
                self._go_on()

    async def signals(self) -> AsyncIterator[Message]:
        """Typing, presence, audience, inbox, and `revoked`; the oldest are dropped when nobody takes them."""
        while True:
            yield await self._signals.get()

    async def send(self, channel: int, text: str, *, reply_to: int | None = None, nonce: str | None = None) -> Message:
        """Sends a message and returns once it is stored: `seq` and `at`. Until then it is in the outbox, and is sent
        again, as the same message, on each new connection. Raises Refused when it never can be stored.
        """
        fields = {"channel": channel, "nonce": nonce or secrets.token_urlsafe(12), "text": text}
        if reply_to is not None:
            fields["reply_to"] = reply_to
        return await self._until_stored("send", fields)

    @property
    def unsent(self) -> list[Message]:
        """Messages that are not acknowledged."""
        return [command.message for command in self._outbox.values()]

    async def command(self, verb: str, **fields: Any) -> Message:
        """Any other command, and its reply. Raises Refused, or ConnectionError when the connection broke meanwhile."""
        await self._until_connected()
        command = self._make(verb, fields)
        await self._transmit(command)
        return await command.reply

    # ------------------------------------------------------------ commands

    def _make(
        self, verb: str, fields: Mapping[str, Any], *, is_kept: bool = False, place: _Place | None = None
    ) -> _Command:
        command_id = next(self._ids)
        reply: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        command = _Command({"do": verb, "id": command_id, **fields}, reply, is_kept, place)
        self._open[command_id] = command
        return command

    async def _transmit(self, command: _Command) -> None:
        """Sends a command, once on each connection."""
        socket = self._socket
        if socket is None or command.sent_on is socket:
            return
        command.sent_on = socket
        payload = encode(self._dialect, command.message)
        with contextlib.suppress(ConnectionClosed):  # the reader notices, and what is kept goes again
            await socket.send(payload if self._dialect == "msgpack" else payload.decode())

    async def _until_stored(self, verb: str, fields: Mapping[str, Any]) -> Message:
        nonce: str = fields["nonce"]
        while True:
            await self._until_connected()
            command = self._outbox[nonce] = self._make(verb, fields, is_kept=True)
            try:
                await self._transmit(command)
                return await command.reply
            except Refused as error:
                if error.code not in AGAIN:
                    raise
                await asyncio.sleep(_again_s(error))
            finally:
                self._outbox.pop(nonce, None)

    async def _subscribe(self, channel: int) -> Message:
        """Subscribes from where we stand; too far behind for a replay, reads history first, then again."""
        place = self._places[channel]
        while True:
            fields = {"channel": channel} if place.after is None else {"channel": channel, "after": place.after}
            await self._until_connected()
            command = self._make("subscribe", fields, place=place)
            await self._transmit(command)
            reply = await command.reply
            if not reply.get("reset"):
                return reply
            await self._read_missed(channel, place, reply["head"])

    async def _read_missed(self, channel: int, place: _Place, head: int) -> None:
        """What is shown of the missed entries, as history."""
        place.after = min(place.after or 0, head)
        more = True
        while more:
            page = await self.command("history", channel=channel, after=place.after, limit=PAGE)
            for entry in page["entries"]:
                await self._entries.put(entry)
                place.after = entry["seq"]
            more = page["more"]
        place.after = max(place.after, page["head"])

    def _go_on(self) -> None:
        """There is room again: channels that were left alone are followed on from where we stood."""
        late, self._late = self._late, set()
        for channel in late & self._places.keys():
            task = asyncio.create_task(self._resubscribe(channel))
            self._catching.add(task)
            task.add_done_callback(self._catching.discard)

    async def _resubscribe(self, channel: int) -> None:
        """Follows a channel on, however long the hub can't; where the right is lost meanwhile, that is told."""
        while channel in self._places:
            try:
                await self._subscribe(channel)
                return
            except (ConnectionError, Ended):
                return  # the next connection does it
            except Refused as error:
                if error.code in AGAIN:
                    await asyncio.sleep(_again_s(error))
                elif self._places.pop(channel, None) is not None:
                    self._signal({"revoked": {"channel": channel, "reason": error.reason}})

    # ------------------------------------------------------------ the connection

    async def _until_connected(self) -> None:
        await self._connected.wait()
        if self._why is not None:
            raise self._why

    async def _run(self) -> None:
        tries = 0
        try:
            while True:
                try:
                    tries = await self._connect_once(tries)
                except (OSError, InvalidHandshake, TimeoutError) as error:
                    if isinstance(error, InvalidStatus) and error.response.status_code in (400, 401, 403, 404, 421):
                        raise Ended(f"refused with {error.response.status_code}") from error
                self._break("the connection was lost")
                await asyncio.sleep(self._pause(tries))
                tries += 1
        except Ended as error:
            self._end(error)
        except asyncio.CancelledError:
            self._end(Ended("closed"))
            raise

    async def _connect_once(self, tries: int) -> int:
        """Lives through one connection; gives how many tries count for the wait that follows."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        subprotocol = Subprotocol(f"hubchat.v1.{self._dialect}")
        async with connect(
            self._address, subprotocols=[subprotocol], additional_headers=headers, open_timeout=OPEN_S, proxy=None
        ) as socket:
            self._socket = socket
            resuming: asyncio.Task[None] | None = None
            try:
                async for frame in socket:
                    message = decode(self._dialect, frame)
                    if "welcome" in message:
                        self._greet(message["welcome"])
                        resuming = asyncio.create_task(self._resume())
                        tries = 0
                    else:
                        self._take(message)
            except ConnectionClosed:
                pass  # its code is looked at below
            finally:
                self._socket = None
                if resuming is not None:
                    resuming.cancel()
                    await asyncio.gather(resuming, return_exceptions=True)
            if socket.close_code in AWAY:
                raise Ended(f"closed with {socket.close_code} {socket.close_reason or ''}".rstrip())
        return tries

    def _greet(self, welcome: Message) -> None:
        if self.welcome and self.welcome["log"] != welcome["log"]:
            for place in self._places.values():
                place.after = None  # another history: our numbers mean nothing there
        self.welcome = welcome
        self._connected.set()

    async def _resume(self) -> None:
        """Subscribes again where we stood, then sends again what was not acknowledged."""
        for command in list(self._outbox.values()):
            await self._transmit(command)
        for channel in list(self._places):
            if channel in self._places and self._places[channel].is_followed:
                await self._resubscribe(channel)

    def _take(self, message: Message) -> None:
        if "re" in message:
            self._answer(message)
        elif "seq" in message:
            self._entry(message)
        elif "bye" in message:
            least, most = message["bye"].get("reconnect_in_ms", (0, 0))
            self._wait_s = (least / 1_000, most / 1_000)
        elif "signal" in message or "revoked" in message:
            if "revoked" in message:
                self._places.pop(message["revoked"]["channel"], None)
            self._signal(message)

    def _signal(self, message: Message) -> None:
        if self._signals.full():
            self._signals.get_nowait()
        self._signals.put_nowait(message)

    def _entry(self, entry: Message) -> None:
        channel = entry["channel"]
        place = self._places.get(channel)
        if place is None or not place.is_live or entry["seq"] <= (place.after or 0):
            return
        if self._entries.full():  # whoever takes entries may wait for a reply, so replies must be read on
            place.is_live = False
            self._late.add(channel)
            return
        place.after = entry["seq"]
        self._entries.put_nowait(entry)

    def _answer(self, message: Message) -> None:
        command = self._open.pop(message["re"], None)
        if command is None or command.reply.done():
            return
        if command.place is not None and "ok" in message and not message["ok"].get("reset"):
            command.place.is_live = command.place.is_followed = True
            if command.place.after is None:
                command.place.after = message["ok"]["head"]
        if "ok" in message:
            command.reply.set_result(message["ok"])
        else:
            command.reply.set_exception(Refused(message["error"]))

    def _pause(self, tries: int) -> float:
        """How long to wait before the next try: as the hub said, else longer each time, with jitter."""
        told, self._wait_s = self._wait_s, None
        if told is not None:
            return random.uniform(*told)
        longest: float = min(MOST_WAIT_S, LEAST_WAIT_S * 2.0**tries)
        return random.uniform(0.5, 1.0) * longest

    def _break(self, why: str) -> None:
        """The connection is gone: what is kept waits for the next one, the rest is told."""
        self._connected.clear()
        for place in self._places.values():
            place.is_live = False
        for command_id, command in list(self._open.items()):
            if not command.is_kept:
                del self._open[command_id]
                if not command.reply.done():
                    command.reply.set_exception(ConnectionError(why))
                    command.reply.exception()  # its asker may have gone

    def _end(self, why: Exception) -> None:
        self._why = why
        self._break(str(why))
        self._connected.set()
        for command in self._open.values():
            if not command.reply.done():
                command.reply.set_exception(why)
                command.reply.exception()
        while self._entries.full():
            self._entries.get_nowait()
        self._entries.put_nowait(None)


def _again_s(error: Refused) -> float:
    """How long to wait with what was refused for now."""
    return (error.retry_after_ms or 1_000) / 1_000 * random.uniform(1, 1.5)
