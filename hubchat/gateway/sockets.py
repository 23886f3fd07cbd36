"""What a link asks of its socket: who is at the other end, how much it may hold, how much it still holds."""

import asyncio
import fcntl
import functools
import socket
import sys
import termios
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from uvicorn.config import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from websockets.http11 import Request

from hubchat.faults import new_request_id
from hubchat.headers import request_id_in

HIGH_WATER_BYTES: Final = 64 << 10
UNSENT_BYTES: Final = 128 << 10
"""What waits in the process, and what the kernel may hold unsent, before the listener hears `paused`: beyond these two
a slow reader costs nothing, because the log remembers for it."""


class Ends(NamedTuple):
    """Both ends of a connection as its socket names them; None for a Unix socket's, and for one that is gone."""

    client: tuple[str, int] | None
    server: tuple[str, int | None] | None
    scheme: str | None  # "https" where TLS ends here


def tune(listening: socket.socket) -> None:
    """Lets the kernel take no megabytes for a slow reader; what is accepted here has it from the listening socket.

    That nothing waits for company (TCP_NODELAY) is asyncio's doing, but not where it was given the listening socket.
    """
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)


def waiting_bytes(transport: asyncio.Transport) -> int:
    """What the peer has not taken: here, and (on Linux, SIOCOUTQ) in the kernel. The transport must not be closing."""
    waiting = transport.get_write_buffer_size()
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is not None and sys.platform == "linux":
        waiting += int.from_bytes(fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    return waiting


async def seen_past_proxies(ends: Ends, request: Request, config: Config) -> dict[str, Any]:
    """An ASGI scope's `client`, `server` and `scheme`, by the very middleware that HTTP requests pass here."""
    scope: dict[str, Any] = {
        "type": "websocket",
        "client": ends.client,
        "server": ends.server,
        "scheme": "wss" if ends.scheme == "https" else "ws",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in request.headers.raw_items()],
    }
    if config.proxy_headers:
        through = _proxies(_trusted(config))
        await through(scope, _unused, _unused)  # type: ignore[arg-type]  # a scope of what it reads alone
    return scope


def name_of(client: tuple[str, int] | None, headers: Iterable[tuple[str, str]], config: Config) -> str:
    """The id of a request: what the proxy that it came by calls it, if that is trusted, else one of our own."""
    given: str | None = None
    if config.proxy_headers and client is not None and client[0] in _proxies(_trusted(config)).trusted_hosts:
        given = request_id_in(value for name, value in headers if name.lower() == "x-request-id")
    return given or new_request_id()


def _trusted(config: Config) -> str:
    trusted = config.forwarded_allow_ips
    return trusted if isinstance(trusted, str) else ",".join(trusted)


@functools.cache
def _proxies(trusted: str) -> ProxyHeadersMiddleware:
    return ProxyHeadersMiddleware(_unused, trusted)


async def _unused(*_: object) -> None:
    """The application behind the middleware, which is run for what it does to a scope alone."""
