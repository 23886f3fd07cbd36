"""The opening handshake of `/live`: what is asked, what is answered, and what is refused and why. No I/O."""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final, Literal

from websockets.exceptions import InvalidHandshake, NegotiationError
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import ExtensionParameter, Subprotocol

from hubchat.errors import HubError
from hubchat.framing import FRAME_BYTES, WINDOW_BITS, Dialect, WireClass, wire_class

PATH: Final = "/live"
DIALECTS: Final[Mapping[str, Dialect]] = {"hubchat.v1.msgpack": "msgpack", "hubchat.v1.json": "json"}
"""Subprotocol → dialect; a client that offers both gets the first."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a gateway asks of its links; one object serves them all.

    `any_subprotocol` takes clients that offer none of ours, and both kinds of data frames (conformance tests).
    """

    frame_bytes: int = FRAME_BYTES
    any_subprotocol: bool = False


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Who asks for a live connection, and how.

    `address` and `scheme` are the client's, past any trusted proxy; `port` is the one served, None for a Unix socket.
    """

    path: str
    query: str
    port: int | None
    headers: list[tuple[str, str]] = field(repr=False)  # names in lower case; they hold secrets
    address: str
    scheme: Literal["ws", "wss"]
    dialect: Dialect

    def values(self, name: str) -> list[str]:
        """All values of a header, by its name in lower case."""
        return [value for given, value in self.headers if given == name]


class Refused(Exception):  # it says what happened to the request
    """The request ends with this HTTP status and JSON body instead of a live connection."""

    def __init__(self, status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.body = body
        self.headers = headers or {}
        super().__init__(f"refused with {status}")

    @classmethod
    def because(cls, error: HubError, status: int | None = None, headers: Mapping[str, str] | None = None) -> "Refused":
        """Refused for a reason of errors.py; `status` where its code's own does not say enough."""
        return cls(status or error.status, {"error": error.body()}, {**(headers or {}), **error.headers()})

    def answer(self, name: str) -> bytes:
        """The whole HTTP response to the request of this id; the connection ends with it."""
        body = json.dumps(self.body).encode()
        lines = {
            "Date": formatdate(usegmt=True),
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Connection": "close",
            "X-Request-ID": name,
            **self.headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\n{head}\r\n".encode("latin-1") + body


@dataclass(frozen=True, slots=True)
class Handshake:
    """A handshake that may succeed: the 101 to send once the gateway has agreed, and what was negotiated."""

    answer: bytes
    kind: WireClass


def negotiate(request: Request, rules: Rules, name: str) -> Handshake:
    """Check an upgrade request (RFC 6455, 4.2) and settle dialect and compression; `name` is its id. Raises Refused."""
    if request.path.partition("?")[0] != PATH:
        raise Refused.because(HubError("path_unknown"))
    server = _judge(rules.any_subprotocol)
    try:
        accepted, extensions, subprotocol = server.process_request(request)
    except InvalidHandshake:
        raise _refusal(request, _server(rules.any_subprotocol)) from None
    bits = next((one.local_max_window_bits for one in server.extensions if isinstance(one, PerMessageDeflate)), 0)
    lines = ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accepted}", f"X-Request-ID: {name}"]
    if extensions is not None:
        lines.append(f"Sec-WebSocket-Extensions: {extensions}")
    if subprotocol is not None:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    answer = "\r\n".join(("HTTP/1.1 101 Switching Protocols", *lines, "", "")).encode("latin-1")
    return Handshake(answer, wire_class(DIALECTS[subprotocol] if subprotocol else "json", bits))


def _server(any_subprotocol: bool) -> ServerProtocol:
    subprotocols = None if any_subprotocol else [Subprotocol(name) for name in DIALECTS]
    return ServerProtocol(extensions=[_Deflate()], subprotocols=subprotocols)


_judge: Final = functools.cache(_server)
"""One for all requests; of the last it keeps Origin and what was agreed upon. To make it, and a response, costs twice
what judging does."""


class _Deflate(ServerPerMessageDeflateFactory):
    """Without context takeover both ways: a frame compressed once serves all, and no link keeps a compressor.

    Our window is the smaller of what is offered and WINDOW_BITS. zlib has none of 8 bits, so an offer of 8 is declined.
    """

    def __init__(self) -> None:
        super().__init__(
            server_no_context_takeover=True, client_no_context_takeover=True, server_max_window_bits=WINDOW_BITS
        )

    def process_request_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> tuple[list[ExtensionParameter], PerMessageDeflate]:
        if any(value == "8" for _, value in params):
            raise NegotiationError("no window of 8 bits")
        return super().process_request_params(params, accepted_extensions)


def _refusal(request: Request, server: ServerProtocol) -> Refused:
    """What websockets would answer as plain text, as our JSON."""
    response = server.accept(request)
    server.parser.close()  # never begun; it and the server hold each other
    status, given = response.status_code, response.headers
    if isinstance(server.handshake_exc, NegotiationError):
        return Refused.because(HubError("subprotocol_unknown"), status)
    kept = {name: given[name] for name in ("Allow", "Upgrade") if name in given}
    kept |= {"Sec-WebSocket-Version": "13"} if status == HTTPStatus.BAD_REQUEST else {}  # RFC 6455, 4.4
    return Refused.because(HubError("handshake_invalid"), status, kept)


def upgrade_of(request: Request, scope: Mapping[str, Any], kind: WireClass) -> Upgrade:
    """What the gateway is asked about; `scope` is an ASGI scope that has passed the trusted proxies."""
    path, _, query = request.path.partition("?")
    client = scope["client"]
    return Upgrade(
        path=path,
        query=query,
        port=scope["server"][1] if scope["server"] else None,
        headers=[(name.lower(), value) for name, value in request.headers.raw_items()],
        address=client[0] if client else "",
        scheme="wss" if scope["scheme"] in ("wss", "https") else "ws",
        dialect=kind.dialect,
    )
