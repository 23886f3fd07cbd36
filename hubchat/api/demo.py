"""The demo's own path; no other hub has it."""

from typing import Final

from starlette.responses import Response

from hubchat.api.accounts import show_me
from hubchat.api.answers import Json
from hubchat.api.asking import browser_of, give_cookies
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.forms import Form
from hubchat.api.sessions import SignedInShown
from hubchat.demo.door import continue_as
from hubchat.errors import HubError


class ContinueAs(Form):
    """One of `demo_members` of `GET /hub`."""

    handle: str


async def continue_demo(ask: Ask, form: ContinueAs) -> Response:
    """Signs the browser in as one of the invented people; asked from the hub's own pages alone."""
    if ask.request.headers.get("origin") not in ask.here.origins:
        raise HubError("origin_foreign")
    started = await continue_as(ask.node, form.handle, browser_of(ask.request, ask.here))
    me = await show_me(ask.node, started.me, confirmed=True)
    return give_cookies(Json({"me": me}), ask.here, started)


ROUTES: Final = (Endpoint("POST", "/demo/continue", continue_demo, takes=ContinueAs, gives=SignedInShown),)
