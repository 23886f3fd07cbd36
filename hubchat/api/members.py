"""Who is in a group: coming in, going out, the lists of members, requests and bans."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from hubchat import access
from hubchat.access import Action, GroupRole, MemberState
from hubchat.actions import members
from hubchat.actions.badges import GroupBadge, show_in
from hubchat.api.answers import time_of
from hubchat.api.cursors import make_cursor, read_cursor
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.forms import Form, Page
from hubchat.api.groups import GROUP, group_id, read_seat
from hubchat.api.people import PersonShown, show_person
from hubchat.storage.database import Connection
from hubchat.storage.members import FROM_THE_FIRST, Member, Place, read_members, read_standing_as

Word = Annotated[str, Field(max_length=500)]
"""What somebody says with a request or its answer."""


class JoinAsked(Form):
    word: Word | None = None


class Joined(TypedDict):
    state: Literal["joined", "requested"]


class MemberShown(TypedDict):
    person: PersonShown
    role: GroupRole
    joined_at: str


class MembersShown(TypedDict):
    items: list[MemberShown]
    next: str | None


class StandingShown(TypedDict):
    """Somebody who asks to come in, with their word; or is banned."""

    person: PersonShown
    word: NotRequired[str | None]
    at: str


class StandingsShown(TypedDict):
    items: list[StandingShown]
    next: str | None


class RoleGiven(Form):
    role: GroupRole


class Standing(Form):
    """`listed`: whether other members see me in the list of a group that anybody may join. `badge`: what I say of
    myself to this group's members alone; null takes it back. What is not given stays.
    """

    listed: bool | None = None
    badge: GroupBadge | None = None


class Decision(Form):
    decision: Literal["approve", "decline"]
    word: Word | None = None


async def join(ask: Ask, form: JoinAsked) -> Joined:
    """Joins where one may or is invited, else asks to be let in; the word goes to those who decide."""
    return {"state": await members.join(ask.node, ask.member, await group_id(ask), form.word)}


async def leave(ask: Ask) -> None:
    """Leaves; or takes a request back, or declines an invitation."""
    await members.leave(ask.node, ask.member, await group_id(ask))


async def change_mine(ask: Ask, form: Standing) -> None:
    """What other members see of me here."""
    which = await group_id(ask)
    if form.listed is not None:
        await members.set_listed(ask.node, ask.member, which, form.listed)
    if "badge" in form.model_fields_set:
        await show_in(ask.node, ask.member, which, form.badge)


async def set_role(ask: Ask, form: RoleGiven) -> None:
    await members.set_role(ask.node, ask.member, await group_id(ask), _handle(ask), form.role)


async def remove(ask: Ask) -> None:
    await members.remove(ask.node, ask.member, await group_id(ask), _handle(ask))


async def ban(ask: Ask) -> None:
    await members.ban(ask.node, ask.member, await group_id(ask), _handle(ask))


async def unban(ask: Ask) -> None:
    await members.unban(ask.node, ask.member, await group_id(ask), _handle(ask))


async def decide(ask: Ask, form: Decision) -> None:
    which, approve = await group_id(ask), form.decision == "approve"
    await members.decide(ask.node, ask.member, which, _handle(ask), approve=approve, word=form.word)


async def list_members(ask: Ask, page: Page) -> MembersShown:
    """For members. In public and open groups those who wrote there or chose to be listed; moderators see all."""
    after = _place(page)

    def read(connection: Connection) -> list[Member]:
        room, stand = read_seat(connection, ask)
        access.require("see_members", stand.standing, room.place)
        everyone = access.can("see_all_members", stand.standing, room.place)
        return read_members(connection, room, everyone=everyone, limit=page.limit + 1, after=after)

    found = await ask.node.database.read(read)
    items: list[MemberShown] = [
        {"person": show_person(one.person), "role": one.role, "joined_at": time_of(one.at)}
        for one in found[: page.limit]
    ]
    return {"items": items, "next": _next(found, page)}


async def list_requests(ask: Ask, page: Page) -> StandingsShown:
    """For moderators."""
    found = await _read_standing(ask, page, "decide", "requested")
    items: list[StandingShown] = [
        {"person": show_person(one.person), "word": one.word, "at": time_of(one.at)} for one in found[: page.limit]
    ]
    return {"items": items, "next": _next(found, page)}


async def list_bans(ask: Ask, page: Page) -> StandingsShown:
    """For moderators."""
    found = await _read_standing(ask, page, "ban", "banned")
    items: list[StandingShown] = [
        {"person": show_person(one.person), "at": time_of(one.at)} for one in found[: page.limit]
    ]
    return {"items": items, "next": _next(found, page)}


async def _read_standing(ask: Ask, page: Page, action: Action, state: MemberState) -> list[Member]:
    after = _place(page)

    def read(connection: Connection) -> list[Member]:
        room, stand = read_seat(connection, ask)
        access.require(action, stand.standing, room.place)
        return read_standing_as(connection, room.id, state, limit=page.limit + 1, after=after)

    return await ask.node.database.read(read)


def _place(page: Page) -> Place:
    place = read_cursor(page.cursor, 3)
    return FROM_THE_FIRST if place is None else (place[0], place[1], place[2])


def _next(found: Sequence[Member], page: Page) -> str | None:
    return make_cursor(*found[page.limit - 1].place) if len(found) > page.limit else None


def _handle(ask: Ask) -> str:
    return ask.word("handle").lower()


MEMBER: Final = GROUP + "/members/{handle}"
BAN: Final = GROUP + "/bans/{handle}"
ROUTES: Final = (
    Endpoint("POST", GROUP + "/join", join, scope="groups", takes=JoinAsked, gives=Joined),
    Endpoint("POST", GROUP + "/leave", leave, scope="groups"),
    Endpoint("PATCH", GROUP + "/membership", change_mine, scope="groups", takes=Standing),
    Endpoint("GET", GROUP + "/members", list_members, scope="read", takes=Page, gives=MembersShown),
    Endpoint("PUT", MEMBER, set_role, scope="groups", takes=RoleGiven),
    Endpoint("DELETE", MEMBER, remove, scope="groups"),
    Endpoint("GET", GROUP + "/bans", list_bans, scope="groups", takes=Page, gives=StandingsShown),
    Endpoint("PUT", BAN, ban, scope="groups"),
    Endpoint("DELETE", BAN, unban, scope="groups"),
    Endpoint("GET", GROUP + "/requests", list_requests, scope="groups", takes=Page, gives=StandingsShown),
    Endpoint("POST", GROUP + "/requests/{handle}", decide, scope="groups", takes=Decision),
)
