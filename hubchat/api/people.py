"""People: looked up by id or handle, found by a few letters."""

from typing import Annotated, Any, Final, NotRequired

from pydantic import AwareDatetime, Field
from typing_extensions import TypedDict

from hubchat.access import OFFICES
from hubchat.actions import badges
from hubchat.api.answers import time_of, time_or_none
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.forms import Form, Id, Query
from hubchat.errors import HubError
from hubchat.storage import people
from hubchat.storage.database import Connection
from hubchat.storage.members import Person
from hubchat.storage.offices import Attested, read_badge
from hubchat.wire import MAX_ID, PEOPLE_IDS


class PersonShown(TypedDict):
    """Who is seen. `gone`: nobody is behind it any more. `badge` is the first of `badges`, which are told where there
    are two: `industry` goes first. `group_badge` is told to the members of one group, in it alone.
    """

    id: int
    handle: str
    name: str
    badge: NotRequired[str]
    badges: NotRequired[list[str]]
    group_badge: NotRequired[str]
    bot: NotRequired[bool]
    gone: NotRequired[bool]


class BadgeShown(TypedDict):
    """The hub's word on somebody. `how` it was seen is told to who may give badges."""

    kind: Attested
    by: PersonShown | None
    at: str
    until: str | None
    how: NotRequired[str]


class PersonWhole(PersonShown):
    """Who is seen, and what the hub says of them."""

    attested: NotRequired[BadgeShown]


class PeopleShown(TypedDict):
    items: list[PersonShown]
    next: None


class PeopleAsked(Query):
    """Either ids (by commas, up to 100), or letters of a handle or name. With ids, `channel` asks for badges in its
    group too.
    """

    ids: Annotated[str, Field(max_length=PEOPLE_IDS * 17, pattern=r"^\d{1,16}(,\d{1,16})*$")] | None = None
    q: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    channel: Id | None = None


class Attestation(Form):
    """`how`: what was seen, for other moderators."""

    kind: Attested
    how: Annotated[str, Field(max_length=2_000)]
    until: AwareDatetime | None = None


async def look_up(ask: Ask, asked: PeopleAsked) -> dict[str, Any]:
    """Ids are answered as far as the caller may see them; letters only to members."""
    if (asked.ids is None) == (asked.q is None):
        raise HubError("fields_invalid", fields={"ids": "give this or `q`"})
    if asked.ids is not None:
        ids = [int(part) for part in asked.ids.split(",")]
        if len(ids) > PEOPLE_IDS or not all(1 <= each <= MAX_ID for each in ids):
            raise HubError("fields_invalid", fields={"ids": f"up to {PEOPLE_IDS} ids"})
        viewer = ask.caller.account_id if ask.caller else None
        found = await ask.node.database.read(
            lambda connection: people.read_people(connection, viewer, ids, asked.channel)
        )
    else:
        member, letters = ask.member, asked.q or ""
        found = await ask.node.database.read(
            lambda connection: people.find_people(connection, member.account_id, letters)
        )
    return {"items": [person.to_map() for person in found], "next": None}


async def show_one(ask: Ask) -> dict[str, Any]:
    """An exact handle always finds."""
    handle, hub_role = _handle(ask), ask.member.hub_role

    def read(connection: Connection) -> dict[str, Any]:
        person = people.read_person(connection, handle)
        if person is None:
            raise HubError("person_unknown")
        badge = read_badge(connection, person.id)
        if badge is None:
            return person.to_map()
        by = people.read_by_account(connection, badge.by)
        shown: BadgeShown = {
            "kind": badge.kind,
            "by": show_person(by) if by else None,
            "at": time_of(badge.at),
            "until": time_or_none(badge.until),
        }
        if hub_role in OFFICES["attest"]:
            shown["how"] = badge.how
        return {**person.to_map(), "attested": shown}

    return await ask.node.database.read(read)


async def attest(ask: Ask, form: Attestation) -> None:
    """For the hub's moderators: says what somebody is, after seeing it; replaces what was said before."""
    until = None if form.until is None else int(form.until.timestamp() * 1_000)
    await badges.attest(ask.node, ask.member, _handle(ask), form.kind, form.how, until)


async def unattest(ask: Ask) -> None:
    await badges.unattest(ask.node, ask.member, _handle(ask))


def show_person(person: Person) -> PersonShown:
    shown: Any = person.to_map()
    made: PersonShown = shown
    return made


def _handle(ask: Ask) -> str:
    return ask.word("handle").lower()


ROUTES: Final = (
    Endpoint("GET", "/people", look_up, scope="read", guests=True, takes=PeopleAsked, gives=PeopleShown),
    Endpoint("GET", "/people/{handle}", show_one, scope="read", gives=PersonWhole),
    Endpoint("PUT", "/people/{handle}/badge", attest, scope="account", takes=Attestation),
    Endpoint("DELETE", "/people/{handle}/badge", unattest, scope="account"),
)
