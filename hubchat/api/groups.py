"""Groups: the directory, one group, made, changed, deleted.

A group is named by `~ID`, its id, its slug or a former slug; answers have the present one.
"""

from typing import Annotated, Final, Literal

from pydantic import Field
from starlette.responses import Response

from hubchat.access import History, Visibility, Writers, can
from hubchat.actions import groups
from hubchat.actions.groups import KEEP_DAYS, GroupChange, NewGroup, version
from hubchat.api.answers import Json
from hubchat.api.channels import ChannelsShown
from hubchat.api.cursors import make_cursor, read_cursor
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.forms import Form, Page
from hubchat.api.shown import ChannelShown, account_of, read_one, read_shown
from hubchat.errors import HubError
from hubchat.storage.channels import ChannelRow, read_channel
from hubchat.storage.database import Connection
from hubchat.storage.groups import find_group, read_directory
from hubchat.storage.standings import STRANGER, Stand, read_standings

Words = Annotated[str, Field(max_length=8_000)]
"""Text whose finer bounds the verb names."""


class GroupMade(Form):
    """A secret group gets no slug; what is given for it is not kept."""

    slug: Words | None = None
    title: Words
    about: Words | None = None
    lang: Words | None = None
    visibility: Visibility
    history: History = "all"


class GroupChanged(Form):
    """What is not given stays. An empty `about` or `lang` is taken away.

    `keep_days` and `indexed` are for owners to say: after how many days what was said is forgotten, for good (0: as the
    hub keeps it), and whether search engines may list a public group.
    `slow_s`: how long a member waits between two messages, 10 to 3,600, or 0 for not at all. `writers`: who writes.
    """

    slug: Words | None = None
    title: Words | None = None
    about: Words | None = None
    lang: Words | None = None
    visibility: Visibility | None = None
    history: History | None = None
    state: Literal["open", "archived"] | None = None
    keep_days: Annotated[int, Field(ge=0, le=KEEP_DAYS)] | None = None
    indexed: bool | None = None
    slow_s: int | None = None
    writers: Writers | None = None


async def list_all(ask: Ask, page: Page) -> ChannelsShown:
    """By title, what the caller may see; archived groups only for their members."""
    place = read_cursor(page.cursor, 1)
    after = place[0] if place else None

    def read(connection: Connection) -> ChannelsShown:
        rows = read_directory(connection, account_of(ask.caller), limit=page.limit + 1, after=after)
        shown = read_shown(connection, ask.caller, rows[: page.limit])
        return {"items": shown, "next": make_cursor(rows[page.limit - 1].id) if len(rows) > page.limit else None}

    return await ask.node.database.read(read)


async def make(ask: Ask, form: GroupMade) -> Response:
    new = NewGroup(form.title, form.visibility, form.slug, form.about, form.lang, form.history)
    return await _answer(ask, await groups.create(ask.node, ask.member, new), status=201)


async def show(ask: Ask) -> Response:
    if ask.caller is not None:
        await ask.node.readings.settle(ask.caller.account_id)
    return await _answer(ask, await group_id(ask))


async def change(ask: Ask, form: GroupChanged) -> Response:
    """With `If-Match`, only where nobody else changed it meanwhile: else 412."""
    which = await group_id(ask)
    seen = ask.request.headers.get("if-match", "*").strip().removeprefix("W/").strip('"')
    await groups.change(ask.node, ask.member, which, GroupChange(**dict(form)), None if seen == "*" else seen)
    return await _answer(ask, which)


async def delete(ask: Ask) -> None:
    """For good, with everything that was said there."""
    await groups.delete(ask.node, ask.member, await group_id(ask))


async def group_id(ask: Ask) -> int:
    """The id of the group in the path; raises `channel_unknown` where there is none. Verbs ask for rights."""
    name = ask.word("id")
    found = await ask.node.database.read(lambda connection: find_group(connection, name))
    if found is None:
        raise HubError("channel_unknown")
    return found.id


def read_seat(connection: Connection, ask: Ask) -> tuple[ChannelRow, Stand]:
    """The group in the path, and how the caller stands to it; raises `channel_unknown` where they may not see it."""
    room = find_group(connection, ask.word("id"))
    if room is None:
        raise HubError("channel_unknown")
    stand = STRANGER
    if ask.caller is not None:
        key = (ask.caller.account_id, room.id)
        stand = read_standings(connection, [key])[key]
    if not can("see", stand.standing, room.place):
        raise HubError("channel_unknown")
    return room, stand


async def _answer(ask: Ask, which: int, *, status: int = 200) -> Response:
    def read(connection: Connection) -> tuple[ChannelShown, str]:
        room = read_channel(connection, which)
        shown = read_one(connection, ask.caller, room)
        assert room is not None, "it is shown"
        return shown, version(room)

    shown, tag = await ask.node.database.read(read)
    return Json(shown, status, headers={"ETag": f'"{tag}"'})


GROUP: Final = "/groups/{id}"
ROUTES: Final = (
    Endpoint("GET", "/groups", list_all, scope="read", guests=True, takes=Page, gives=ChannelsShown),
    Endpoint("POST", "/groups", make, scope="groups", takes=GroupMade, gives=ChannelShown, status=201),
    Endpoint("GET", GROUP, show, scope="read", guests=True, gives=ChannelShown),
    Endpoint("PATCH", GROUP, change, scope="groups", takes=GroupChanged, gives=ChannelShown),
    Endpoint("DELETE", GROUP, delete, scope="groups"),
)
