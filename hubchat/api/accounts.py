"""Accounts: signing up, and what members see and change of themselves."""

from typing import Annotated, Final, Literal

from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from hubchat.access import HubRole
from hubchat.actions import me as members
from hubchat.actions import recovery, signup
from hubchat.actions.consents import What, read_due
from hubchat.actions.me import MeChange
from hubchat.actions.proofs import is_confirmed
from hubchat.actions.signup import Agreed, NewMember
from hubchat.api.answers import Json, time_of
from hubchat.api.asking import browser_of, give_cookies
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.forms import Form
from hubchat.api.invites import Code, Preview, preview
from hubchat.channels.limits import is_new
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import accounts
from hubchat.storage.accounts import Kind, Me
from hubchat.storage.database import now_ms
from hubchat.storage.newcomers import NEWCOMER_MS

Words = Annotated[str, Field(max_length=1_000)]
Secret = Annotated[str, Field(max_length=65_536)]  # the body's own bound; what is too long has an error of its own


class DueShown(TypedDict):
    """What is to be agreed to, and in which version."""

    what: What
    version: str


class MeShown(TypedDict):
    """What an account is shown of itself. `id` is the persona's; `inbox` is a channel.

    `has_password`: without one only a link of the operator's signs in. `confirmed`: this session may do now what wants
    the password just given, as setting a new one without the old; it ends 10 minutes after signing in.
    `writing`: who may begin a conversation with me. `newcomer_until`: until when the limits of a first day hold.
    `kind` is told to nobody else. `consents_due`: what is to be agreed to, as it is now (`POST /me/consents`).
    `withdrawn`: something was taken back, and until it is agreed to again this account may export and delete itself,
    and nothing else.
    """

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
    writing: Literal["everyone", "shared", "nobody"]
    findable: bool
    industry: bool
    has_password: bool
    confirmed: bool
    created_at: str
    kind: Kind | None
    withdrawn: bool
    consents_due: list[DueShown]
    newcomer_until: str | None


class CodesShown(TypedDict):
    """Shown this once."""

    recovery_codes: list[str]


class SignedUpShown(CodesShown):
    """`group`: the id of the group whose invitation let them in."""

    me: MeShown
    group: int | None


class DoorShown(TypedDict):
    """As what a code lets somebody in, and the group that it is an invitation to."""

    role: Literal["admin", "member"]
    invite: Preview | None


class SignUp(Form):
    """`invite` is the code of a link to a group, or of the first administrator's.

    `agreed`: to the rules and the privacy notice, in the versions `rules` and `privacy` of `GET /policies` where they
    are given. `health_data`: explicitly, that what says something of their health may be kept. `of_age`: old enough. A
    client that asks for neither leaves them out, and the member is asked after signing in (`consents_due`).
    """

    handle: Words
    name: Words
    password: Secret
    email: Words | None = None
    invite: Words | None = None
    industry: bool = False
    agreed: bool
    rules: Words | None = None
    privacy: Words | None = None
    health_data: bool | None = None
    of_age: bool | None = None


class Change(Form):
    """What is left out stays; an empty `email`, `about`, `lang` or `kind` is taken away."""

    name: Words | None = None
    about: Annotated[str, Field(max_length=5_000)] | None = None
    email: Words | None = None
    lang: Words | None = None
    presence: Literal["shared", "conversations", "nobody"] | None = None
    writing: Literal["everyone", "shared", "nobody"] | None = None
    findable: bool | None = None
    industry: bool | None = None
    kind: Kind | Literal[""] | None = None


class PasswordChange(Form):
    """`old` may be left out for 10 minutes after signing in or `POST /session/confirm`."""

    old: Secret | None = None
    password: Secret


async def show_me(node: Node, me: Me, *, confirmed: bool) -> MeShown:
    wanted = await read_due(node, me.account_id)
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
        "writing": me.writing,
        "findable": me.findable,
        "industry": me.industry,
        "has_password": me.has_password,
        "confirmed": confirmed,
        "created_at": time_of(me.created_at),
        "kind": me.kind,
        "withdrawn": me.is_withdrawn,
        "consents_due": [{"what": one.what, "version": one.version} for one in wanted],
        "newcomer_until": None
        if me.trusted or not is_new(me.created_at, now_ms())
        else time_of(me.created_at + NEWCOMER_MS),
    }


async def sign_up(ask: Ask, form: SignUp) -> Response:
    """Makes an account and signs the browser in."""
    if not form.agreed:
        raise HubError("not_agreed", fields={"agreed": "must be true"})
    agreed = Agreed(form.rules, form.privacy, form.health_data, form.of_age)
    new = NewMember(form.handle, form.name, form.password, form.email, form.invite, form.industry, agreed)
    started, codes, group_id = await signup.sign_up(ask.node, new, browser_of(ask.request, ask.here))
    me = await show_me(ask.node, started.me, confirmed=True)
    shown: SignedUpShown = {"me": me, "recovery_codes": codes, "group": group_id}
    return give_cookies(Json(shown, status_code=201), ask.here, started)


async def preview_door(ask: Ask, form: Code) -> DoorShown:
    """What a code opens, before anybody fills in a form: refused as signing up with it would be."""
    if await signup.find_door(ask.node, form.code) == "first_admin":
        return {"role": "admin", "invite": None}
    return {"role": "member", "invite": await preview(ask, form)}


async def show(ask: Ask) -> MeShown:
    account_id = ask.member.account_id
    me = await ask.node.database.read(lambda connection: accounts.read_me(connection, account_id))
    if me is None:  # disabled a moment ago
        raise HubError("sign_in_ended")
    return await show_me(ask.node, me, confirmed=is_confirmed(ask.member))


async def change(ask: Ask, form: Change) -> MeShown:
    me = await members.change_me(ask.node, ask.member, MeChange(**form.model_dump()))
    return await show_me(ask.node, me, confirmed=is_confirmed(ask.member))


async def change_password(ask: Ask, form: PasswordChange) -> None:
    """Ends the other sessions."""
    await members.change_password(ask.node, ask.member, form.old, form.password, browser_of(ask.request, ask.here))


async def renew_codes(ask: Ask) -> CodesShown:
    """Ten new recovery codes; the old ones are dead."""
    return {"recovery_codes": await recovery.renew_codes(ask.node, ask.member)}


ROUTES: Final = (
    Endpoint("POST", "/signup", sign_up, takes=SignUp, gives=SignedUpShown, status=201),
    Endpoint("POST", "/signup/preview", preview_door, takes=Code, gives=DoorShown, repeats=False),
    Endpoint("GET", "/me", show, scope="read", withdrawn=True, gives=MeShown),
    Endpoint("PATCH", "/me", change, scope="account", takes=Change, gives=MeShown),
    Endpoint("POST", "/me/password", change_password, scope="account", takes=PasswordChange, repeats=False),
    Endpoint(
        "POST", "/me/recovery-codes", renew_codes, scope="account", confirmed=True, gives=CodesShown, repeats=False
    ),
)
