"""What search engines are told: to list no page of a room unless its owner said so.

A page says so itself (`X-Robots-Tag`); robots.txt must not keep them from reading that, and keeps them from the rest.
"""

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hubchat.access import visibility
from hubchat.node import Node
from hubchat.storage.database import Connection, Unavailable
from hubchat.storage.groups import find_group

TEXT: Final = "User-agent: *\nDisallow: /api/\nDisallow: /live\n"
GROUP: Final = re.compile(r"/groups/([^/]+)(?:/|$)")
FRONT: Final = "/"  # who the hub is, and nothing of anybody in it


async def show(_: Request) -> Response:
    return PlainTextResponse(TEXT, headers={"Cache-Control": "max-age=3600"})


async def is_listed(request: Request) -> bool:
    """Whether search engines may list the web client's page at this address."""
    node: Node = request.state.node
    path = request.url.path
    if not node.house.now.guests:
        return False
    if path == FRONT:
        return True
    found = GROUP.match(path)
    if found is None or "\0" in (name := found[1]):
        return False

    def read(connection: Connection) -> bool:
        room = find_group(connection, name)
        return bool(
            room is not None and room.indexed and room.state == "open" and visibility(room.place.presets) == "public"
        )

    try:
        return await node.database.read(read)
    except Unavailable:
        return False  # the page comes all the same, and says that the hub is away


ROUTES: Final = [Route("/robots.txt", show)]
