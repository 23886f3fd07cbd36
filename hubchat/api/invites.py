"""Invitations to groups, by handle and by link."""

from typing import Annotated, Final

from pydantic import AwareDatetime, Field
from typing_extensions import TypedDict

from hubchat import access
from hubchat.access import Visibility, can, visibility
from hubchat.actions import invites
from hubchat.actions.members import INVITED_MS
from hubchat.api.answers import time_of
from hubchat.api.cursors import make_cursor, read_cursor
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.forms import Form, Page
from hubchat.api.groups import GROUP, group_id, read_seat
from hubchat.api.people import PersonShown, show_person
from hubchat.api.shown import ChannelShown, read_one
from hubchat.errors import HubError
from hubchat.storage.channels import ChannelRow, read_channel
from hubchat.storage.database import Connection, now_ms
from hubchat.storage.invites import Invite, read_invite, read_invites
from hubchat.storage.people import read_person
from hubchat.storage.sessions import hash_secret


class NewInvite(Form):
    """A person by handle, or a link: for one use and 7 days unless said, at most 100 and 30 days."""

    handle: Annotated[str, Field(max_length=60)] | None = None
    uses: int | None = None
    expires_at: AwareDatetime | None = None


class InviteShown(TypedDict):
    """Without a handle it is a link."""

    id: int
    handle: str | None
    uses_left: int
    expires_at: str
    by: PersonShown | None


class InviteMade(InviteShown, total=False):
    """The code is told this once; `url` is what to send."""

    code: str
    url: str


class InvitesShown(TypedDict):
    items: list[InviteShown]
    next: str | None


class Code(Form):
    code: Annotated[str, Field(max_length=100)]


class Preview(TypedDict):
    """What somebody with a link sees before they join, or sign up. `id` is the group's."""

    id: int
    title: str
    about: str | None
    visibility: Visibility | None
    inviter: PersonShown


async def make(ask: Ask, form: NewInvite) -> InviteMade:
    which = await group_id(ask)
    if form.handle is not None:
        if form.uses is not None or form.expires_at is not None:
            raise HubError("fields_invalid", fields={"handle": "goes without `uses` and `expires_at`"})
        handle = form.handle.removeprefix("@").lower()
        made = await invites.invite(ask.node, ask.member, which, handle)
        return await _show_made(ask, made.id, handle, 1, made.expires_at)
    uses = 1 if form.uses is None else form.uses
    until = None if form.expires_at is None else int(form.expires_at.timestamp() * 1_000)
    link = await invites.make_link(ask.node, ask.member, which, uses=uses, expires_at=until)
    shown = await _show_made(ask, link.id, None, uses, link.expires_at)
    return {**shown, "code": link.code, "url": f"{ask.here.url}/join#{link.code}"}


async def _show_made(ask: Ask, id: int, handle: str | None, uses: int, expires_at: int) -> InviteMade:
    me = await ask.node.database.read(lambda connection: read_person(connection, ask.member.handle))
    by = show_person(me) if me else None
    return {"id": id, "handle": handle, "uses_left": uses, "expires_at": time_of(expires_at), "by": by}


async def list_all(ask: Ask, page: Page) -> InvitesShown:
    """Moderators see every one, others those that they made."""
    place = read_cursor(page.cursor, 1)
    after = place[0] if place else 0

    def read(connection: Connection) -> tuple[ChannelRow, list[Invite]]:
        room, stand = read_seat(connection, ask)
        access.require("invite", stand.standing, room.place)
        by = None if can("decide", stand.standing, room.place) else ask.member.account_id
        return room, read_invites(
            connection, room.id, now=now_ms(), held=INVITED_MS, by=by, limit=page.limit + 1, after=after
        )

    room, found = await ask.node.database.read(read)
    living = [one for one in found[: page.limit] if can("invite", one.standing, room.place)]
    more = len(found) > page.limit
    return {"items": list(map(_show, living)), "next": make_cursor(found[page.limit - 1].id) if more else None}


async def end(ask: Ask) -> None:
    await invites.end(ask.node, ask.member, await group_id(ask), ask.id("invite"))


async def preview(ask: Ask, form: Code) -> Preview:
    """Nobody is asked who they are: who is invited may have no account yet."""
    code_hash = hash_secret(form.code)

    def read(connection: Connection) -> Preview:
        found = read_invite(connection, code_hash, now_ms())
        room = None if found is None else read_channel(connection, found.access_id)
        if found is None or room is None or not can("invite", found.standing, room.place):
            raise HubError("invite_ended")
        return {
            "id": room.id,
            "title": room.title,
            "about": room.about,
            "visibility": visibility(room.place.presets),
            "inviter": show_person(found.maker),
        }

    return await ask.node.database.read(read)


async def use(ask: Ask, form: Code) -> ChannelShown:
    """Joins, and gives the group."""
    which = await invites.use(ask.node, ask.member, form.code)
    return await ask.node.database.read(
        lambda connection: read_one(connection, ask.caller, read_channel(connection, which))
    )


def _show(invite: Invite) -> InviteShown:
    return {
        "id": invite.id,
        "handle": invite.handle,
        "uses_left": invite.uses_left,
        "expires_at": time_of(invite.expires_at),
        "by": show_person(invite.maker),
    }


ROUTES: Final = (
    Endpoint("GET", GROUP + "/invites", list_all, scope="groups", takes=Page, gives=InvitesShown),
    Endpoint(
        "POST", GROUP + "/invites", make, scope="groups", takes=NewInvite, gives=InviteMade, status=201, repeats=False
    ),
    Endpoint("DELETE", GROUP + "/invites/{invite}", end, scope="groups"),
    Endpoint("POST", "/invites/preview", preview, takes=Code, gives=Preview, repeats=False),
    Endpoint("POST", "/invites", use, scope="groups", takes=Code, gives=ChannelShown, repeats=False),
)
