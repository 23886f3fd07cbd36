"""One live connection as bytes: frames in, frames out, and its end. It knows nothing of what is said over it.

After the opening an idle link holds no task, timer, parser or compressor; what it needs in time, the keeper does.
"""

import asyncio
import enum
import logging
from collections.abc import Callable
from typing import Any, Final, Protocol

from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.frames import Opcode
from websockets.http11 import Request

from hubchat import logs
from hubchat.errors import HubError
from hubchat.faults import as_fault, new_request_id
from hubchat.framing import PING, Closed, FramingError, Inbox, Item, Ping, WireClass, close_frame, frame, wire_class
from hubchat.gateway.handshake import Handshake, Refused, Rules, Upgrade, negotiate, upgrade_of
from hubchat.gateway.keeper import Keeper
from hubchat.gateway.sockets import HIGH_WATER_BYTES, Ends, name_of, seen_past_proxies, waiting_bytes

ADMISSION_S: Final = 10.0
"""How long the gateway may take to admit somebody; then 503, and the client comes back."""

FRAMES_A_TURN: Final = 256
"""Frames taken from one link in one turn of the loop (some 1 ms); the rest waits, unread, for the next."""

# In rounds of the keeper (5 s), counted so that nothing happens too early.
PING_AFTER: Final = 6  # silent for 25 s
DEAD_AFTER: Final = 13  # silent, or taking nothing, for 60 s
UNFINISHED_AFTER: Final = 3  # a message not complete within 10 s
FAREWELL_AFTER: Final = 2  # a peer that does not hang up within 5 s

SLOW_BYTES: Final = 16 << 10
"""With more than this before it, a ping may be answered late by nobody's fault, so what the socket takes is judged."""

SHUTDOWN_S: Final = 1.0
"""How long a stopping server waits for a peer to hang up (Ctrl-C ends the server within 2 s)."""

log: Final = logging.getLogger(__name__)


class Listener(Protocol):
    """Whoever a link reports to. What it raises closes the link with 1011."""

    def received(self, message: bytes | str) -> None:
        """A whole message. Not called while reading is stopped."""

    def paused(self) -> None:
        """The peer takes less than is written; may come from inside `Link.write`."""

    def resumed(self) -> None:
        """It has taken nearly all."""

    def stalled(self) -> None:
        """It has been silent, or taken nothing, for 60 s: say so and close with 4008."""

    def shutdown(self) -> None:
        """The server stops: say so and close with 1012."""

    def closed(self) -> None:
        """Nothing more will be heard or sent. Once, whatever the cause; never from inside `Link.close`."""


class Gateway(Protocol):
    """What the edge needs of the hub; it is `gateway` in the lifespan state."""

    rules: Rules
    keeper: Keeper

    async def admit(self, request: Upgrade) -> Any:
        """Say who this is, for `open`. Raises Refused or HubError. It holds nothing: the peer may be gone meanwhile."""

    def open(self, link: "Link", admission: Any) -> Listener:
        """The handshake is written: who listens? It may write at once."""


class State(enum.Enum):
    OPENING = enum.auto()  # the handshake is being decided
    OPEN = enum.auto()
    CLOSING = enum.auto()  # our close frame is sent, the peer's awaited
    DEAF = enum.auto()  # all is said; what still comes is thrown away until the peer hangs up
    GONE = enum.auto()


def _nowhere(_data: bytes) -> None:
    """What `Link.write` is before the opening and after the end."""


class Link(asyncio.Protocol):
    """What uvicorn's `ws=` takes; HttpEdge hands it a connection (`begin`) and its upgrade request (`open`).

    `kind`, `address` and `id` (what its log lines carry) are right once the gateway is asked to open it. `write` sends
    finished frames and may call `Listener.paused` from inside; it is the transport's own while the link is open, so
    that a delivery costs no call of ours, and does nothing before and after.
    """

    __slots__ = (
        "_backlog_bytes", "_connections", "_inbox", "_state", "_stopped",
        "address", "gateway", "id", "kind", "listener", "paused", "quiet", "spoke", "transport",
        "write",
    )  # fmt: skip

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        self.gateway: Gateway = app_state["gateway"]
        self.kind: WireClass = wire_class("json", 0)
        self.address = ""
        self.id = ""
        self.listener: Listener | None = None
        self.paused = False
        self.quiet = 0  # rounds since the peer last showed life
        self.spoke = 0  # the keeper's
        self.transport: asyncio.Transport
        self.write: Callable[[bytes], None] = _nowhere
        self._connections: set[Any] = server_state.connections  # uvicorn's type names its own protocols only
        self._state = State.OPENING
        self._inbox: Inbox | None = None
        self._stopped = False  # the listener wants no more for now
        self._backlog_bytes = 0  # while the peer is slow: what it had to take when last seen

    # Opening

    def begin(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self._connections.add(self)
        self.gateway.keeper.join(self)
        transport.pause_reading()

    async def open(self, request: Request, rest: bytes, ends: Ends, config: Config) -> None:
        """Decide about an upgrade request; `rest` came with it, before any answer, and is heard after that."""
        self.id = name_of(ends.client, request.headers.raw_items(), config)
        logs.name(connection=self.id)
        try:
            handshake = negotiate(request, self.gateway.rules, self.id)
            upgrade = upgrade_of(request, await seen_past_proxies(ends, request, config), handshake.kind)
            async with asyncio.timeout(ADMISSION_S):
                admission = await self.gateway.admit(upgrade)
        except Refused as refused:
            self._refuse(refused)
        except HubError as error:
            self._refuse(Refused.because(error))
        except TimeoutError:
            self._refuse(Refused.because(HubError("overloaded")))
        except Exception as error:  # noqa: BLE001  # the edge: a stranger's fault, shown as ours
            self._refuse(Refused.because(as_fault(log, error)))
        else:
            if self._state is State.OPENING and not self.transport.is_closing():
                self.address = upgrade.address
                self._start(handshake, admission, rest)

    def _start(self, handshake: Handshake, admission: Any, rest: bytes) -> None:
        self.kind = handshake.kind
        self._state = State.OPEN
        self.transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        self.transport.write(handshake.answer)
        log.debug("connection opened", extra={"connection": self.id, "dialect": self.kind.dialect})
        self.write = self.transport.write
        try:
            self.listener = self.gateway.open(self, admission)
        except Exception as error:  # noqa: BLE001  # the edge: one link's fault ends this link alone
            return self._fail(1011, as_fault(log, error, connection=self.id).message)
        if self._state is State.OPEN and self.paused:
            self._tell(self.listener.paused)
        if rest:
            self.data_received(rest)
        else:
            self._drain()

    def _refuse(self, refused: Refused) -> None:
        if self._state is State.OPENING and not self.transport.is_closing():
            self.transport.write(refused.answer(self.id or new_request_id()))
            self._finish()

    # What the listener does

    def stop_reading(self) -> None:
        """Hear no more, not even what has come already, until `start_reading`."""
        if self._state is State.OPEN and not self._stopped:
            self._stopped = True
            self.transport.pause_reading()

    def start_reading(self) -> None:
        if self._state is State.OPEN and self._stopped:
            self._read_on()

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame and wait 5 to 10 s for the peer's; then the connection is dropped."""
        if self._state is not State.OPEN:
            return
        self._leave(State.CLOSING)
        if not self.transport.is_closing():
            self.transport.write(close_frame(code, reason))
            self._read_on()

    def abort(self) -> None:
        """Drop the connection as it is."""
        if self._state is not State.GONE:
            self.write = _nowhere
            self.transport.abort()

    # What uvicorn and the transport do

    def data_received(self, data: bytes) -> None:
        if self._state is State.OPEN:
            self.quiet = 0
        elif self._state is not State.CLOSING:
            return
        if self._inbox is None:
            rules = self.gateway.rules
            only = None if rules.any_subprotocol else self.kind.opcode
            self._inbox = Inbox(compressed=self.kind.window_bits > 0, only=only, limit_bytes=rules.frame_bytes)
        self._inbox.feed(data)
        self._drain()

    def eof_received(self) -> None:
        """The peer will say no more; without a close frame that is its end (RFC 6455, 7.1.5: 1006)."""
        self._leave(State.DEAF)
        self._drop_inbox()
        self._end()

    def pause_writing(self) -> None:
        self.paused = True
        self.quiet = 0
        if self._state is State.OPEN and self.listener is not None:
            self._tell(self.listener.paused)

    def resume_writing(self) -> None:
        self.paused = False
        self.quiet = 0
        self._count_backlog(0)
        if self._state is State.OPEN and self.listener is not None:
            self._tell(self.listener.resumed)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave(State.GONE)
        self._connections.discard(self)
        self.gateway.keeper.leave(self)
        self._drop_inbox()
        self._end()

    def shutdown(self) -> None:
        """uvicorn stops."""
        if self._state is State.OPEN and self.listener is not None:
            self._tell(self.listener.shutdown)
        self.close(1012, "restarting")
        self._refuse(Refused.because(HubError("restarting")))
        asyncio.get_running_loop().call_later(SHUTDOWN_S, self.abort)

    # What the keeper does

    def visit(self) -> None:
        """A round (5 s) has passed."""
        if self._state is State.OPENING or (self._state is State.OPEN and self.transport.is_closing()):
            return  # the opening has its own time; what was lost tells so itself
        self.quiet += 1
        if self._state is not State.OPEN:
            if self.quiet >= FAREWELL_AFTER:
                self.abort()
        elif self._inbox is not None and not self._stopped and self._inbox.grows_old() >= UNFINISHED_AFTER:
            self._fail(1002, "a message has 10 s to become complete")
        elif self._stopped and not self.paused:
            self.quiet = 0  # we do not listen, so its silence says nothing
        elif self.paused or self.quiet >= PING_AFTER:
            self._judge()

    def _judge(self) -> None:
        """A peer with much before it is alive while its socket takes bytes; any other, while it answers pings."""
        backlog_bytes = waiting_bytes(self.transport)
        if backlog_bytes < self._backlog_bytes:
            self.quiet = 0
        slow = self.paused or backlog_bytes > SLOW_BYTES
        self._count_backlog(backlog_bytes if slow else 0)
        if self.quiet == PING_AFTER and not slow:
            self.write(PING)
        elif self.quiet >= DEAD_AFTER:
            if self.listener is not None:
                self._tell(self.listener.stalled)
            self.close(4008, "stood still")

    def _count_backlog(self, backlog_bytes: int) -> None:
        """Of a slow peer it is known how much it has before it; what is written now comes on top of that."""
        self._backlog_bytes = backlog_bytes
        if self._state is State.OPEN:
            self.write = self._write_counted if backlog_bytes else self.transport.write

    def _write_counted(self, data: bytes) -> None:
        self._backlog_bytes += len(data)
        self.transport.write(data)

    # Inside

    def _drain(self) -> None:
        """Take what is whole, as long as the listener wants it."""
        inbox, frames = self._inbox, 0
        try:
            while inbox is not None and inbox is self._inbox and not self._stopped and frames < FRAMES_A_TURN:
                item = inbox.take()
                if item is None:
                    break
                frames += 1
                self._hear(item)
        except FramingError as fault:
            self._fail(fault.code, fault.reason)
        if inbox is self._inbox:
            self._settle(frames == FRAMES_A_TURN)

    def _hear(self, item: Item) -> None:
        if isinstance(item, bytes | str):
            if self._state is State.OPEN and self.listener is not None:
                self._tell(self.listener.received, item)
        elif isinstance(item, Ping):
            self.write(frame(Opcode.PONG, item.payload))
        elif isinstance(item, Closed):
            if self._state is State.OPEN and not self.transport.is_closing():
                self.transport.write(frame(Opcode.CLOSE, item.payload))
            self._finish()
            self._end()

    def _settle(self, more: bool) -> None:
        """After taking: drop the inbox or have it counted, and read on unless there is enough to do."""
        inbox = self._inbox
        if inbox is not None:
            kept_bytes = 0 if inbox.finished else inbox.kept_bytes
            room = self.gateway.keeper.charge(kept_bytes - inbox.charged_bytes)
            inbox.charged_bytes = kept_bytes
            if inbox.finished:
                self._inbox = None
            elif not room:
                return self._fail(1009, "the hub has too many unfinished messages")
        if more and not self._stopped:
            self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._drain)
        elif not self._stopped:
            self.transport.resume_reading()

    def _read_on(self) -> None:
        """Read again; what had come is heard first, in a turn of its own, never from inside the caller."""
        self._stopped = False
        asyncio.get_running_loop().call_soon(self._drain)

    def _tell(self, hear: Callable[..., None], *what: object) -> None:
        try:
            hear(*what)
        except Exception as error:  # noqa: BLE001  # the edge: one link's fault ends this link alone
            self._fail(1011, as_fault(log, error, connection=self.id).message)

    def _fail(self, code: int, reason: str) -> None:
        """Fail the connection (RFC 6455, 7.1.7)."""
        if self._state is State.OPEN and not self.transport.is_closing():
            self._leave(State.CLOSING)
            self.transport.write(close_frame(code, reason))
        self._finish()
        self._end()

    def _finish(self) -> None:
        """Say no more and wait for the peer to hang up: closing while its bytes come would reset the connection, and
        what we said last could be lost with it."""
        self._leave(State.DEAF)
        self._drop_inbox()
        if self.transport.is_closing():
            return
        if self.transport.can_write_eof():
            self.transport.resume_reading()
            self.transport.write_eof()
        else:
            self.transport.close()

    def _leave(self, state: State) -> None:
        """Open no more: nothing but a close frame is sent after this."""
        self._state = state
        self.quiet = 0
        self.write = _nowhere

    def _drop_inbox(self) -> None:
        if self._inbox is not None:
            self.gateway.keeper.charge(-self._inbox.charged_bytes)
            self._inbox = None

    def _end(self) -> None:
        listener, self.listener = self.listener, None
        if listener is not None:
            log.debug("connection closed", extra={"connection": self.id})
            self._tell(listener.closed)
