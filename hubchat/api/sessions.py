"""Sessions: signing in by password, recovery code or link, signing out, and the list of one's browsers."""

from typing import Final, NotRequired

from starlette.responses import Response
from typing_extensions import TypedDict

from hubchat.actions import recovery, sessions
from hubchat.actions.sessions import Started
from hubchat.api.accounts import MeShown, Secret, Words, show_me
from hubchat.api.answers import Json, nothing, time_of
from hubchat.api.asking import browser_of, cookie_of, give_cookies, take_cookie
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.forms import Form
from hubchat.storage.database import now_ms
from hubchat.storage.sessions import read_sessions


class SignedInShown(TypedDict):
    """`recovery_codes_left` comes after a recovery code was used."""

    me: MeShown
    recovery_codes_left: NotRequired[int]


class SessionShown(TypedDict):
    """`device` is a browser's name, as far as it told one."""

    id: int
    current: bool
    device: str | None
    created_at: str
    used_at: str


class SessionsShown(TypedDict):
    items: list[SessionShown]
    next: None


class SignIn(Form):
    """`login` is a handle. `code` is for a second factor, and not asked for yet."""

    login: Words
    password: Secret
    code: Words | None = None


class Recovery(Form):
    """The code is used up, the password replaced, and every session ends."""

    login: Words
    recovery_code: Words
    password: Secret


class LinkCode(Form):
    """What stands behind the `#` of a sign-in link."""

    code: Words


class Confirmation(Form):
    """The password once more."""

    password: Secret


async def sign_in(ask: Ask, form: SignIn) -> Response:
    started = await sessions.sign_in(ask.node, form.login, form.password, browser_of(ask.request, ask.here))
    return await _signed_in(ask, started)


async def sign_in_by_link(ask: Ask, form: LinkCode) -> Response:
    """A link of the operator's; it counts as a password just given, so that a new one can be set."""
    return await _signed_in(ask, await sessions.sign_in_by_link(ask.node, form.code, browser_of(ask.request, ask.here)))


async def recover(ask: Ask, form: Recovery) -> Response:
    browser = browser_of(ask.request, ask.here)
    started, left = await recovery.recover(ask.node, form.login, form.recovery_code, form.password, browser)
    return await _signed_in(ask, started, {"recovery_codes_left": left})


async def sign_out(ask: Ask) -> Response:
    """Ends the cookie's session; one that has ended already is as good."""
    if cookie := cookie_of(ask.request, ask.here.cookie):
        await sessions.sign_out(ask.node, cookie)
    answer = nothing()
    take_cookie(answer, ask.here)
    return answer


async def confirm(ask: Ask, form: Confirmation) -> None:
    """For 10 minutes this session may do what wants a password."""
    await sessions.confirm(ask.node, ask.member, form.password, browser_of(ask.request, ask.here))


async def list_mine(ask: Ask) -> SessionsShown:
    member = ask.member
    rows = await ask.node.database.read(lambda connection: read_sessions(connection, member.account_id, now_ms()))
    shown: list[SessionShown] = [
        {
            "id": row.id,
            "current": row.id == member.session_id,
            "device": row.agent,
            "created_at": time_of(row.created_at),
            "used_at": time_of(row.used_at),
        }
        for row in rows
    ]
    return {"items": shown, "next": None}


async def end_others(ask: Ask) -> None:
    """Ends all sessions but the one that asks, and their live connections; asked with a token, all of them."""
    await sessions.end_other_sessions(ask.node, ask.member)


async def end(ask: Ask) -> None:
    """Ends one of the caller's sessions and its live connections."""
    await sessions.end_session(ask.node, ask.member, ask.id())


async def _signed_in(ask: Ask, started: Started, more: dict[str, int] | None = None) -> Response:
    me = await show_me(ask.node, started.me, confirmed=True)
    return give_cookies(Json({"me": me, **(more or {})}), ask.here, started)


ROUTES: Final = (
    Endpoint("POST", "/session", sign_in, takes=SignIn, gives=SignedInShown),
    Endpoint("DELETE", "/session", sign_out),
    Endpoint("POST", "/session/link", sign_in_by_link, takes=LinkCode, gives=SignedInShown),
    Endpoint("POST", "/session/recover", recover, takes=Recovery, gives=SignedInShown),
    Endpoint("POST", "/session/confirm", confirm, scope="account", withdrawn=True, takes=Confirmation, repeats=False),
    Endpoint("GET", "/me/sessions", list_mine, scope="account", gives=SessionsShown),
    Endpoint("DELETE", "/me/sessions", end_others, scope="account"),
    Endpoint("DELETE", "/me/sessions/{id}", end, scope="account"),
)
