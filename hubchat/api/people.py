"""People: looked up by id or handle, found by a few letters."""

from typing import Annotated, Any, Final, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.forms import Query
from hubchat.errors import HubError
from hubchat.storage import people
from hubchat.wire import MAX_ID, PEOPLE_IDS


class PersonShown(TypedDict):
    """Who is seen. `gone`: nobody is behind it any more."""

    id: int
    handle: str
    name: str
    badge: NotRequired[str]
    bot: NotRequired[bool]
    gone: NotRequired[bool]


class PeopleShown(TypedDict):
    items: list[PersonShown]
    next: None


class PeopleAsked(Query):
    """Either ids (by commas, up to 100), or letters of a handle or name."""

    ids: Annotated[str, Field(max_length=PEOPLE_IDS * 17, pattern=r"^\d{1,16}(,\d{1,16})*$")] | None = None
    q: Annotated[str, Field(min_length=1, max_length=60)] | None = None


async def look_up(ask: Ask, asked: PeopleAsked) -> dict[str, Any]:
    """Ids are answered as far as the caller may see them; letters only to members."""
    if (asked.ids is None) == (asked.q is None):
        raise HubError("fields_invalid", fields={"ids": "give this or `q`"})
    if asked.ids is not None:
        ids = [int(part) for part in asked.ids.split(",")]
        if len(ids) > PEOPLE_IDS or not all(1 <= each <= MAX_ID for each in ids):
            raise HubError("fields_invalid", fields={"ids": f"up to {PEOPLE_IDS} ids"})
        viewer = ask.caller.account_id if ask.caller else None
        found = await ask.node.database.read(lambda connection: people.read_people(connection, viewer, ids))
    else:
        member, letters = ask.member, asked.q or ""
        found = await ask.node.database.read(
            lambda connection: people.find_people(connection, member.account_id, letters)
        )
    return {"items": [person.to_map() for person in found], "next": None}


async def show_one(ask: Ask) -> dict[str, Any]:
    """An exact handle always finds."""
    handle = ask.word("handle").lower()
    person = await ask.node.database.read(lambda connection: people.read_person(connection, handle))
    if person is None:
        raise HubError("person_unknown")
    return person.to_map()


ROUTES: Final = (
    Endpoint("GET", "/people", look_up, scope="read", guests=True, takes=PeopleAsked, gives=PeopleShown),
    Endpoint("GET", "/people/{handle}", show_one, scope="read", gives=PersonShown),
)
