"""What uvicorn hands a connection to: `Config(http=HttpEdge, ws=Link)`, with `gateway` in the lifespan state.

HTTP stays uvicorn's own; this edge bounds the heads of requests and hands upgrades, with every byte that came with
them, to a `Link`.
"""

import asyncio
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.http11 import Request

from hubchat.errors import HubError
from hubchat.faults import new_request_id
from hubchat.gateway.handshake import Refused, Rules, Upgrade
from hubchat.gateway.keeper import Keeper
from hubchat.gateway.link import Gateway, Link, Listener
from hubchat.gateway.sockets import Ends, name_of
from hubchat.headers import REQUEST_ID

__all__ = ["Gateway", "HttpEdge", "Keeper", "Link", "Listener", "Refused", "Rules", "Upgrade"]

HEAD_BYTES: Final = 32 << 10
"""A request's head: the common 8 KB for cookies and as much again for long addresses fit; more is refused with 431."""

HEAD_S: Final = 10.0
"""From the connection, or from what follows the last answer, to a whole head; a slower one is refused with 408."""

LINGER_S: Final = 2.0
LINGER_BYTES: Final = 1 << 20
"""How long, and how much of it, what still comes is thrown away after a refusal, so that a reset does not overtake the
answer; then the connection is dropped."""


class HttpEdge(HttpToolsProtocol):
    """What uvicorn's `http=` takes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # uvicorn's own signature, passed through
        super().__init__(*args, **kwargs)
        self._in_head = True  # no whole head has come since the last request ended
        self._head_bytes = 0
        self._turned = False  # a request ended in the bytes at hand
        self._deaf = False  # nothing more is for this edge
        self._thrown_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    # What the transport does

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._watch(HEAD_S)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._thrown_bytes += len(data)
            if self._thrown_bytes > LINGER_BYTES:
                self.transport.abort()
            return
        self._unset_keepalive_if_required()
        try:
            while data and not self._deaf:
                data = self._feed(data)
        except httptools.HttpParserError:
            self._refuse(Refused.because(HubError("request_invalid")))
        if self._in_head and self._timer is None and not self._deaf and not self._answering:
            self._watch(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    # What the parser does

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._unwatch()
        if not self._should_upgrade():  # a Link names itself
            told = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers)
            self.scope[REQUEST_ID] = name_of(self.client, told, self.config)  # type: ignore[typeddict-unknown-key]
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head = self._turned = True
        self._head_bytes = 0
        super().on_message_complete()

    # Inside

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _feed(self, data: bytes) -> bytes:
        """Parse at most as much as a head may still have; give what is left.

        A pipelined head that starts within a piece is counted from the next one, so it may have twice as much.
        """
        piece = data[: HEAD_BYTES - self._head_bytes]
        self._turned = False
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
            return b""
        if self._in_head and not self._turned:
            self._head_bytes += len(piece)
            if self._head_bytes >= HEAD_BYTES:
                self._refuse(Refused.because(HubError("head_too_large")))
        return data[len(piece) :]

    def _upgrade(self, rest: bytes) -> None:
        if self._should_upgrade() and not self._answering:
            self._hand_over(rest)
            return
        # No upgrade of ours (h2c, CONNECT), or one sent before the last answer: uvicorn answers what it has as plain
        # HTTP, and what follows is thrown away, since nobody can tell what protocol it is.
        self._deaf = True
        if self._answering:
            self.cycle.keep_alive = False
        else:
            self._refuse(Refused.because(HubError("request_invalid")))

    def _hand_over(self, rest: bytes) -> None:
        """Make this connection a Link, and be gone: it must not be kept for a link's lifetime."""
        try:
            request = self._request()
        except (InvalidHandshake, UnicodeDecodeError):
            self._refuse(Refused.because(HubError("request_invalid")))
            return
        self._deaf = True
        self._unwatch()
        self.connections.discard(self)
        link = Link(self.config, self.server_state, self.app_state)
        self.transport.set_protocol(link)
        link.begin(self.transport)
        ends = Ends(self.client, self.server, self.scheme)
        task = self.loop.create_task(link.open(request, rest, ends, self.config))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        self.parser = None  # type: ignore[assignment]  # as uvicorn does: parser and protocol hold each other

    def _request(self) -> Request:
        headers = Headers([(name.decode("ascii"), value.decode("latin-1")) for name, value in self.headers])
        return Request(self.url.decode("ascii"), headers, self.scope["method"], f"HTTP/{self.scope['http_version']}")

    def _refuse(self, refused: Refused) -> None:
        """Answer and hang up; in the middle of another answer just hang up, for nothing may be mixed into it."""
        self._deaf = True
        if self._answering:
            self.transport.close()
            return
        self.transport.write(refused.answer(new_request_id()))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._unwatch()
        self._timer = self.loop.call_later(LINGER_S, self.transport.abort)

    def _watch(self, delay_s: float) -> None:
        self._timer = self.loop.call_later(delay_s, self._head_overdue)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _head_overdue(self) -> None:
        self._timer = None
        if self._answering:  # a pipelined request; its time begins with the end of this answer
            return
        self._refuse(Refused.because(HubError("head_too_slow")))
