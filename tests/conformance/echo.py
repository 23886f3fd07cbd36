"""A server that says back what it hears, built on the gateway's own edge: what conformance and edge tests run.

Alone: `python -m tests.conformance.echo PORT [asyncio|uvloop]`.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from websockets.frames import Opcode

from hubchat.framing import frame, packed_frame
from hubchat.gateway.protocol import HttpEdge, Keeper, Link, Rules, Upgrade
from hubchat.server import listen

AUTOBAHN = Rules(frame_bytes=16 << 20, any_subprotocol=True)
"""Its cases send up to 16 MB, text and binary on one connection, and know no subprotocol of ours."""


class Echo:
    """Whatever comes goes back, as the same kind of frame; compressed, where that is agreed upon, in every case, since
    kosoku's compression cases fall over messages that are not."""

    def __init__(self, link: Link) -> None:
        self.link = link

    def received(self, message: bytes | str) -> None:
        opcode, payload = (Opcode.TEXT, message.encode()) if isinstance(message, str) else (Opcode.BINARY, message)
        bits = self.link.kind.window_bits
        self.link.write(packed_frame(opcode, payload, bits) if bits else frame(opcode, payload))

    def paused(self) -> None:
        self.link.stop_reading()

    def resumed(self) -> None:
        self.link.start_reading()

    def stalled(self) -> None:
        self.link.close(4008, "stood still")

    def shutdown(self) -> None:
        self.link.close(1012, "restarting")

    def closed(self) -> None:
        pass


class EchoGateway:
    """Everybody is admitted."""

    def __init__(self, rules: Rules = AUTOBAHN, keeper: Keeper | None = None) -> None:
        self.rules = rules
        self.keeper = keeper or Keeper()

    async def admit(self, request: Upgrade) -> None:
        return None

    def open(self, link: Link, admission: Any) -> Echo:
        return Echo(link)


def application(gateway: Any) -> Any:
    """An ASGI application whose lifespan opens the gateway's keeper; every request is answered `ok`."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})
            return
        await receive()
        gateway.keeper.open()
        scope["state"]["gateway"] = gateway
        await send({"type": "lifespan.startup.complete"})
        await receive()
        gateway.keeper.close()
        await send({"type": "lifespan.shutdown.complete"})

    return app


@asynccontextmanager
async def serving(gateway: Any, app: Any = None, **settings: Any) -> AsyncIterator[int]:
    """A server on a free loopback port, which is given; stopped at the end."""
    (listener,) = listen("127.0.0.1", 0)
    config = uvicorn.Config(
        app or application(gateway), http=HttpEdge, ws=Link, log_config=None, access_log=False, **settings
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)  # what serve() does, without its signal handlers and waiting
    await server.startup(sockets=[listener])
    try:
        yield listener.getsockname()[1]
    finally:
        await server.shutdown(sockets=[listener])


def main() -> None:
    port, loop = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "uvloop"
    uvicorn.run(application(EchoGateway()), port=port, http=HttpEdge, ws=Link, loop=loop, access_log=False)


if __name__ == "__main__":
    main()
