"""Who is asking, and from where: bearer token, session cookie, Origin, address."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from hubchat.actions import sessions
from hubchat.actions.proofs import Browser
from hubchat.actions.sessions import Started
from hubchat.addresses import Home, home
from hubchat.errors import HubError
from hubchat.headers import cookie_in, token_in
from hubchat.node import Node
from hubchat.storage.sessions import AGE_MS, Caller

DEVICE_MS: Final = 365 * 86_400_000
SAFE: Final = frozenset({"GET", "HEAD"})


def home_of(request: Request, node: Node) -> Home:
    """The hub's addresses, at the port that this request came in by."""
    server = request.scope.get("server")
    return home(node.settings, (server and server[1]) or node.settings.port)


def cookie_of(request: Request, name: str) -> str | None:
    """The value of one cookie."""
    return cookie_in(request.headers.getlist("cookie"), name)


def require_our_origin(request: Request, here: Home) -> None:
    """Raises `origin_foreign` for what a page elsewhere could make a member's browser send.

    With our cookie our own Origin is needed; without one, as at sign-in, only a foreign one is refused. A token
    is no cookie: no browser sends it by itself.
    """
    if request.method in SAFE or "authorization" in request.headers:
        return
    origin = request.headers.get("origin")
    if origin is None and cookie_of(request, here.cookie) is None:
        return
    if origin not in here.origins:
        raise HubError("origin_foreign")


async def identify(request: Request, node: Node, here: Home) -> Caller | None:
    """Who asks; None is a guest. Raises `sign_in_ended` where a token or cookie came that is not valid now."""
    if token := token_in(request.headers.get("authorization")):
        return await sessions.identify(node, "token", token)
    if cookie := cookie_of(request, here.cookie):
        return await sessions.identify(node, "session", cookie)
    return None


def browser_of(request: Request, here: Home) -> Browser:
    """Who tries to sign in, and from where: after trusted proxies, whose headers the server has read."""
    return Browser(
        address=request.client.host if request.client else "",
        agent=request.headers.get("user-agent"),
        session=cookie_of(request, here.cookie),
        device=cookie_of(request, here.device_cookie),
    )


def give_cookies(answer: Response, here: Home, started: Started) -> Response:
    """Signs the browser in, and lets it be known again at the next sign-in."""
    for name, secret, age_ms in (
        (here.cookie, started.session, AGE_MS),
        (here.device_cookie, started.device, DEVICE_MS),
    ):
        answer.set_cookie(
            name, secret, max_age=age_ms // 1_000, path="/", secure=here.secure, httponly=True, samesite="lax"
        )
    return answer


def take_cookie(answer: Response, here: Home) -> None:
    """Signs the browser out."""
    answer.delete_cookie(here.cookie, path="/", secure=here.secure, httponly=True, samesite="lax")
