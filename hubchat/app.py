"""The ASGI application: route tables, middleware, and the lifespan that opens the node, then jobs. Nothing else."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Final, TypedDict

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from hubchat.actions.consents import publish
from hubchat.api import (
    accounts,
    blocks,
    channels,
    consents,
    conversations,
    docs,
    groups,
    health,
    hub,
    invites,
    leaving,
    members,
    messages,
    metrics,
    offices,
    people,
    reports,
    robots,
    search,
    sessions,
    tokens,
)
from hubchat.api.edge import Edge, tell_error, tell_no_route
from hubchat.api.endpoint import METHODS, Endpoint, routes
from hubchat.api.pages import Pages
from hubchat.api.siblings import Siblings
from hubchat.errors import HubError
from hubchat.gateway.admission import Admission
from hubchat.jobs import indexing
from hubchat.jobs.queue import Queue
from hubchat.jobs.table import KINDS
from hubchat.node import Node

API: Final = "/api/v1"
TABLES: Final[tuple[tuple[Endpoint, ...], ...]] = (
    hub.ROUTES,
    accounts.ROUTES,
    consents.ROUTES,
    leaving.ROUTES,
    sessions.ROUTES,
    tokens.ROUTES,
    people.ROUTES,
    channels.ROUTES,
    messages.ROUTES,
    groups.ROUTES,
    members.ROUTES,
    invites.ROUTES,
    conversations.ROUTES,
    search.ROUTES,
    blocks.ROUTES,
    reports.ROUTES,
    offices.ROUTES,
)


class State(TypedDict):
    """What every request finds under `request.state`, and the live edge in its application state."""

    node: Node
    gateway: Admission
    siblings: Siblings | None


def make_app(
    open_node: Callable[[], AbstractAsyncContextManager[Node]],
    *more: tuple[Endpoint, ...],
    siblings: Siblings | None = None,
) -> Starlette:
    """The application of one node, which is opened when the server starts and closed when it stops.

    `more` are tables that only some hubs have, as the demo's; `siblings` are the other workers on its port.
    """

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[State]:
        async with open_node() as node, indexing.followed(node):
            await publish(node)
            gateway = Admission(node)
            gateway.start()
            queue = Queue(node, KINDS, works=node.settings.jobs)
            queue.open()
            teller = nullcontext() if siblings is None else siblings.telling(lambda: metrics.of(node, gateway))
            try:
                async with teller:
                    yield {"node": node, "gateway": gateway, "siblings": siblings}
            finally:
                await queue.close()
                await gateway.stop()

    table = tuple(row for rows in (*TABLES, *more) for row in rows)
    pages = Route("/{path:path}", Pages(is_listed=robots.is_listed).answer, methods=METHODS)
    return Starlette(
        routes=[*routes(API, table), *docs.routes(API, table), *health.ROUTES, *metrics.ROUTES, *robots.ROUTES, pages],
        middleware=[Middleware(Edge)],
        exception_handlers={HubError: tell_error, HTTPException: tell_no_route},
        lifespan=lifespan,
    )
