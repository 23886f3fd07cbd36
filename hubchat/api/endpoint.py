"""One row of a route table: what is asked for, and what must hold before its handler is called.

A noun's file holds forms, handlers and its table:

    class NewGroup(Form):
        slug: str
        title: str

    async def make_group(ask: Ask, form: NewGroup) -> GroupShown:
        return shown(await groups.make(ask.node, ask.member, form.slug, form.title))

    ROUTES: Final = (
        Endpoint("GET", "/groups", list_groups, scope="read", guests=True, takes=Page, gives=Groups),
        Endpoint("POST", "/groups", make_group, scope="groups", takes=NewGroup, gives=GroupShown, status=201),
    )

A handler gives a value for JSON, None (204), or a Response of its own. It raises HubError and catches nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hubchat.access import Scope
from hubchat.actions.proofs import require_confirmed
from hubchat.addresses import Home
from hubchat.api import repeats
from hubchat.api.answers import Json, nothing, wrong_method
from hubchat.api.asking import home_of, identify, require_our_origin
from hubchat.api.forms import Nothing, Query, read_body, read_form, read_query
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage.sessions import Caller
from hubchat.wire import MAX_ID

METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request that holds what its row asks for. `caller` is None for guests, and where the row has no scope."""

    request: Request
    node: Node
    here: Home
    caller: Caller | None

    @property
    def member(self) -> Caller:
        """Who asks, where guests may not."""
        if self.caller is None:
            raise HubError("sign_in_needed")
        return self.caller

    def id(self, name: str = "id") -> int:
        """An id in the path; what can be none is not there for anybody."""
        text = self.request.path_params[name]
        if not (text.isascii() and text.isdigit() and len(text) <= 16 and 1 <= int(text) <= MAX_ID):
            raise HubError("thing_unknown")
        return int(text)

    def word(self, name: str) -> str:
        """A handle, slug or the like in the path."""
        text: str = self.request.path_params[name]
        if "\0" in text:
            raise HubError("thing_unknown")
        return text


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and path under /api/v1, and its handler.

    `scope`: what a token needs (sessions have them all); None asks nobody who they are. `guests` may ask too.
    `confirmed`: only a session whose password was given within 10 minutes. `withdrawn`: also for who took a consent
    back. `takes` is the form of the body, or of the query for GET. `repeats`: an `Idempotency-Key` counts; never where
    an answer holds a secret or a member's text.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    handler: Callable[..., Awaitable[Any]]
    scope: Scope | None = None
    guests: bool = False
    confirmed: bool = False
    withdrawn: bool = False
    takes: type[BaseModel] = Nothing
    gives: Any = None
    status: int = 200
    repeats: bool = True

    async def __call__(self, request: Request) -> Response:
        node: Node = request.state.node
        here = home_of(request, node)
        require_our_origin(request, here)
        caller = None if self.scope is None else await identify(request, node, here)
        self._require(node, caller)
        ask = Ask(request, node, here, caller)
        if issubclass(self.takes, Query):
            return self._answer(await self.handler(ask, read_query(request, self.takes)))
        body = b"" if self.method == "GET" else await read_body(request)
        form = read_form(body, self.takes)
        given = () if self.takes is Nothing else (form,)

        async def carry_out() -> Response:
            return self._answer(await self.handler(ask, *given))

        key = request.headers.get("idempotency-key")
        if key is None or caller is None or self.method != "POST" or not self.repeats:
            return await carry_out()
        return await repeats.once(node, caller, key, request.url.path, body, carry_out)

    def _require(self, node: Node, caller: Caller | None) -> None:
        if self.scope is None:
            return
        if caller is None:
            if not self.guests:
                raise HubError("sign_in_needed")
            if not node.house.now.guests:
                raise HubError("members_only")
            return
        if caller.is_withdrawn and not self.withdrawn:
            raise HubError("consent_needed")
        if self.scope not in caller.scopes:
            raise HubError("scope_missing", f"this needs the scope `{self.scope}`")
        if self.confirmed:
            require_confirmed(caller)

    def _answer(self, given: Any) -> Response:
        if isinstance(given, Response):
            return given
        return nothing() if given is None else Json(given, status_code=self.status)


def routes(prefix: str, table: tuple[Endpoint, ...]) -> list[Route]:
    """The table as routes, one a path, so that a wrong method is told which ones there are."""
    paths: dict[str, dict[str, Endpoint]] = {}
    for row in table:
        assert row.method not in paths.setdefault(row.path, {}), f"{row.method} {row.path} stands twice"
        paths[row.path][row.method] = row
    return [Route(prefix + path, _by_method(rows), methods=METHODS) for path, rows in paths.items()]


def _by_method(rows: dict[str, Endpoint]) -> Callable[[Request], Awaitable[Response]]:
    allowed = [*rows, *(["HEAD"] if "GET" in rows else [])]

    async def answer(request: Request) -> Response:
        row = rows.get("GET" if request.method == "HEAD" else request.method)
        return await row(request) if row else wrong_method(allowed)

    return answer
