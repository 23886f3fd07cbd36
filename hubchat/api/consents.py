"""Rules and privacy notice, and what members agree to."""

from typing import Annotated, Any, Final

from pydantic import Field
from typing_extensions import TypedDict

from hubchat.actions import consents
from hubchat.actions.consents import EVERY, What
from hubchat.api.accounts import DueShown
from hubchat.api.answers import time_of, time_or_none
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.forms import Form, Query
from hubchat.errors import HubError
from hubchat.policies import best_lang
from hubchat.storage import policies
from hubchat.storage.policies import Notice

Version = Annotated[str, Field(max_length=64)]


class PolicyShown(TypedDict):
    """A notice in the version that holds since `at`; `langs` it is there in, "" for one that names no language."""

    name: str
    version: str
    at: str
    langs: list[str]


class PolicyTextShown(PolicyShown):
    """`text` is Markdown, in the language `lang`."""

    lang: str
    text: str


class PoliciesShown(TypedDict):
    items: list[PolicyShown]
    next: None


class ConsentShown(TypedDict):
    """That somebody agreed to `what` in this version."""

    what: str
    version: str
    at: str
    withdrawn_at: str | None


class ConsentsShown(TypedDict):
    """All that somebody agreed to, oldest first, and what is to be agreed to still."""

    items: list[ConsentShown]
    due: list[DueShown]
    next: None


class InLang(Query):
    """The language wanted; the nearest there is comes."""

    lang: Annotated[str, Field(max_length=35)] = "en"


class Agree(Form):
    """Each in the version that `consents_due` names; what is left out is not agreed to."""

    rules: Version | None = None
    privacy: Version | None = None
    health_data: Version | None = None
    age: Version | None = None


async def list_policies(ask: Ask) -> PoliciesShown:
    """What holds on this hub."""
    found = await ask.node.database.read(policies.read_notices)
    return {"items": [_show(notice) for notice in found.values()], "next": None}


async def show_policy(ask: Ask, asked: InLang) -> PolicyTextShown:
    found = (await ask.node.database.read(policies.read_notices)).get(ask.word("name"))
    if found is None:
        raise HubError("thing_unknown")
    lang = best_lang(found.texts, asked.lang)
    return {**_show(found), "lang": lang, "text": found.texts[lang]}


async def list_mine(ask: Ask) -> ConsentsShown:
    account_id = ask.member.account_id
    rows = await ask.node.database.read(lambda connection: policies.read_consents(connection, account_id))
    shown: list[ConsentShown] = [
        {
            "what": row.what,
            "version": row.version,
            "at": time_of(row.at),
            "withdrawn_at": time_or_none(row.withdrawn_at),
        }
        for row in rows
    ]
    due: list[DueShown] = [
        {"what": one.what, "version": one.version} for one in await consents.read_due(ask.node, account_id)
    ]
    return {"items": shown, "due": due, "next": None}


async def agree(ask: Ask, form: Agree) -> ConsentsShown:
    """Agrees to what is named, in the version that holds: else 412 with those that do."""
    named: dict[str, Any] = form.model_dump()
    given: dict[What, str] = {what: named[what] for what in EVERY if named[what] is not None}
    if not given:
        raise HubError("fields_invalid", fields=dict.fromkeys(EVERY, "give one of them"))
    await consents.agree(ask.node, ask.member, given)
    return await list_mine(ask)


async def withdraw(ask: Ask) -> None:
    """Takes a consent back: rules, privacy or health_data. The account may agree again, export and delete itself."""
    what = next((one for one in EVERY if one == ask.word("what")), None)
    if what is None:
        raise HubError("thing_unknown")
    await consents.withdraw(ask.node, ask.member, what)


def _show(notice: Notice) -> PolicyShown:
    return {
        "name": notice.name,
        "version": notice.version,
        "at": time_of(notice.at),
        "langs": list(notice.texts),
    }


ROUTES: Final = (
    Endpoint("GET", "/policies", list_policies, gives=PoliciesShown),
    Endpoint("GET", "/policies/{name}", show_policy, takes=InLang, gives=PolicyTextShown),
    Endpoint("GET", "/me/consents", list_mine, scope="account", withdrawn=True, gives=ConsentsShown),
    Endpoint("POST", "/me/consents", agree, scope="account", withdrawn=True, takes=Agree, gives=ConsentsShown),
    Endpoint("DELETE", "/me/consents/{what}", withdraw, scope="account", withdrawn=True),
)
