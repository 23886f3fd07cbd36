"""What a load balancer asks: does this process live, and can it serve. Both tell nothing about anybody."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hubchat.api.answers import Json, refusal
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage.schema import read_hub

READY_S: Final = 2.0  # a database that answers later than this serves nobody


async def is_alive(request: Request) -> Response:
    return Json({"ok": True})


async def is_ready(request: Request) -> Response:
    node: Node = request.state.node
    try:
        async with asyncio.timeout(READY_S):
            await node.database.read(lambda connection: read_hub(connection, "log"))
    except TimeoutError:
        return refusal(HubError("database_unavailable", retry_after_ms=1_000))
    bus = node.hub.bus
    return Json({"ok": True, **({"bus": "up" if bus.is_ok else "down"} if node.peers is not None else {})})


ROUTES: Final = [Route("/healthz", is_alive), Route("/readyz", is_ready)]
