"""Accounts: signing up, and what members see and change of themselves."""

from typing import Annotated, Final, Literal

from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from hubchat.access import HubRole
from hubchat.actions import me as members
from hubchat.actions import recovery, signup
from hubchat.actions.me import MeChange
from hubchat.actions.signup import NewMember
from hubchat.api.answers import Json, time_of
from hubchat.api.asking import browser_of, give_cookies
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.forms import Form
from hubchat.errors import HubError
from hubchat.storage import accounts
from hubchat.storage.accounts import Me

Words = Annotated[str, Field(max_length=1_000)]
Secret = Annotated[str, Field(max_length=65_536)]  # the body's own bound; what is too long has an error of its own


class MeShown(TypedDict):
    """What an account is shown of itself. `id` is the persona's; `inbox` is a channel."""

    id: int
    handle: str
    name: str
    about: str | None
    role: HubRole
    inbox: int
    email: str | None
    email_confirmed: bool
    lang: str | None
    presence: Literal["shared", "conversations", "nobody"]
    findable: bool
    industry: bool
    created_at: str


class CodesShown(TypedDict):
    """Shown this once."""

    recovery_codes: list[str]


class SignedUpShown(CodesShown):
    me: MeShown


class SignUp(Form):
    """`invite` is the code of a link to a group, or of the first administrator's."""

    handle: Words
    name: Words
    password: Secret
    email: Words | None = None
    invite: Words | None = None
    industry: bool = False
    agreed: bool


class Change(Form):
    """What is left out stays; an empty `email`, `about` or `lang` is taken away."""

    name: Words | None = None
    about: Annotated[str, Field(max_length=5_000)] | None = None
    email: Words | None = None
    lang: Words | None = None
    presence: Literal["shared", "conversations", "nobody"] | None = None
    findable: bool | None = None
    industry: bool | None = None


class PasswordChange(Form):
    """`old` may be left out for 10 minutes after signing in or `POST /session/confirm`."""

    old: Secret | None = None
    password: Secret


def show_me(me: Me) -> MeShown:
    return {
        "id": me.id,
        "handle": me.handle,
        "name": me.name,
        "about": me.about,
        "role": me.role,
        "inbox": me.inbox_id,
        "email": me.email,
        "email_confirmed": me.email_confirmed_at is not None,
        "lang": me.lang,
        "presence": me.presence,
        "findable": me.findable,
        "industry": me.industry,
        "created_at": time_of(me.created_at),
    }


async def sign_up(ask: Ask, form: SignUp) -> Response:
    """Makes an account and signs the browser in."""
    if not form.agreed:
        raise HubError("not_agreed", fields={"agreed": "must be true"})
    new = NewMember(form.handle, form.name, form.password, form.email, form.invite, form.industry)
    started, codes = await signup.sign_up(ask.node, new, browser_of(ask.request, ask.here))
    shown: SignedUpShown = {"me": show_me(started.me), "recovery_codes": codes}
    return give_cookies(Json(shown, status_code=201), ask.here, started)


async def show(ask: Ask) -> MeShown:
    account_id = ask.member.account_id
    me = await ask.node.database.read(lambda connection: accounts.read_me(connection, account_id))
    if me is None:  # disabled a moment ago
        raise HubError("sign_in_ended")
    return show_me(me)


async def change(ask: Ask, form: Change) -> MeShown:
    return show_me(await members.change_me(ask.node, ask.member, MeChange(**form.model_dump())))


async def change_password(ask: Ask, form: PasswordChange) -> None:
    """Ends the other sessions."""
    await members.change_password(ask.node, ask.member, form.old, form.password, browser_of(ask.request, ask.here))


async def renew_codes(ask: Ask) -> CodesShown:
    """Ten new recovery codes; the old ones are dead."""
    return {"recovery_codes": await recovery.renew_codes(ask.node, ask.member)}


ROUTES: Final = (
    Endpoint("POST", "/signup", sign_up, takes=SignUp, gives=SignedUpShown, status=201),
    Endpoint("GET", "/me", show, scope="read", gives=MeShown),
    Endpoint("PATCH", "/me", change, scope="account", takes=Change, gives=MeShown),
    Endpoint("POST", "/me/password", change_password, scope="account", takes=PasswordChange, repeats=False),
    Endpoint(
        "POST", "/me/recovery-codes", renew_codes, scope="account", confirmed=True, gives=CodesShown, repeats=False
    ),
)
