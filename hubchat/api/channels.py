"""Every channel, whatever its kind: mine, one, its entries, and where I stand in it."""

from typing import Annotated, Any, Final

from pydantic import Field
from typing_extensions import TypedDict

from hubchat import access
from hubchat.access import Action
from hubchat.actions import readings
from hubchat.api.cursors import make_cursor, read_cursor
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.forms import Form, Id, Query
from hubchat.api.shown import ChannelShown, EntryShown, read_one, show_channels, show_entry, with_times
from hubchat.channels.pages import history_page
from hubchat.errors import HubError
from hubchat.storage.channels import read_channel
from hubchat.storage.database import Connection
from hubchat.storage.entries import read_pinned
from hubchat.storage.readings import Notify, read_mine
from hubchat.storage.standings import Seat
from hubchat.wire import HISTORY_LIMIT, MAX_ID, SUBSCRIPTIONS, History

PINS: Final = 100  # a board with more on it is read by nobody; older ones stay in the history


class ChannelsShown(TypedDict):
    items: list[ChannelShown]
    next: str | None


class EntriesShown(TypedDict):
    """Entries oldest first. `more`: there are further ones beyond the asked-for end."""

    entries: list[EntryShown]
    head: int
    first: int
    more: bool


class PinsShown(TypedDict):
    items: list[EntryShown]
    next: None


class MinePage(Query):
    """All of one's channels come at once, unless there are more than a connection may subscribe to."""

    limit: int = Field(default=SUBSCRIPTIONS, ge=1, le=SUBSCRIPTIONS)
    cursor: str | None = Field(default=None, max_length=200)


class Entries(Query):
    """One of `before`, `after` and `around`, or none of them for the newest."""

    before: Id | None = None
    after: Annotated[int, Field(ge=0, le=MAX_ID)] | None = None
    around: Id | None = None
    limit: int = Field(default=50, ge=1, le=HISTORY_LIMIT)


class ReadTo(Form):
    seq: Id


class Follow(Form):
    """What to be told of; what is not given stays."""

    notify: Notify | None = None
    follow: bool | None = None


async def list_mine(ask: Ask, page: MinePage) -> ChannelsShown:
    """What I am a member of, invited to or have asked to join."""
    place = read_cursor(page.cursor, 1)
    after = place[0] if place else 0
    await ask.node.readings.settle(ask.member.account_id)  # what was read a moment ago is not unread

    def read(connection: Connection) -> ChannelsShown:
        mine = read_mine(connection, ask.member.account_id, limit=page.limit + 1, after=after)
        more = len(mine) > page.limit
        shown = show_channels(connection, mine[: page.limit])
        return {"items": shown, "next": make_cursor(mine[page.limit - 1].channel.id) if more else None}

    return await ask.node.database.read(read)


async def show(ask: Ask) -> ChannelShown:
    channel_id = ask.id()
    if ask.caller is not None:
        await ask.node.readings.settle(ask.caller.account_id)
    return await ask.node.database.read(
        lambda connection: read_one(connection, ask.caller, read_channel(connection, channel_id))
    )


async def list_entries(ask: Ask, asked: Entries) -> dict[str, Any]:
    if sum(place is not None for place in (asked.before, asked.after, asked.around)) > 1:
        raise HubError("field_invalid", "give one of `before`, `after` and `around`")
    seat = await seat_to(ask, "read")
    command = History(0, seat.channel.id, asked.before, asked.after, asked.around, asked.limit)
    page = await ask.node.database.read(lambda connection: history_page(connection, seat, command, "json"))
    return {**page, "entries": [with_times(entry) for entry in page["entries"]]}


async def list_pins(ask: Ask) -> dict[str, Any]:
    """What was pinned, newest first, as far back as the caller may read."""
    seat = await seat_to(ask, "read")
    first = seat.stand.first(seat.channel)
    entries = await ask.node.database.read(
        lambda connection: read_pinned(connection, seat.channel.id, first=first, limit=PINS)
    )
    return {"items": [show_entry(entry) for entry in entries], "next": None}


async def mark_read(ask: Ask, form: ReadTo) -> None:
    """I have read up to `seq`; positions only move forward here."""
    seat = await seat_to(ask, "mark_read")
    ask.node.readings.note(ask.member.account_id, seat.channel.id, min(form.seq, seat.channel.head))


async def mark_unread(ask: Ask, form: ReadTo) -> None:
    """`seq` and what follows it is unread again; the only way back."""
    seat = await seat_to(ask, "mark_read")
    seq = min(form.seq, seat.channel.head + 1)
    await ask.node.readings.move_back(ask.member.account_id, seat.channel.id, seq)


async def follow(ask: Ask, form: Follow) -> None:
    """`none` mutes a channel: nothing of it is told but to who looks. My other devices hear that it changed."""
    await readings.follow(ask.node, ask.member, ask.id(), form.notify, form.follow)


async def seat_to(ask: Ask, action: Action) -> Seat:
    """The channel in the path and how the caller stands to it; raises `channel_unknown` or `not_allowed`."""
    account_id = ask.caller.account_id if ask.caller else 0
    seat = await ask.node.seats.get((account_id, ask.id()))
    if seat is None or not access.can("read", seat.stand.standing, seat.channel.place):
        raise HubError("channel_unknown")
    access.require(action, seat.stand.standing, seat.channel.place)
    return seat


ROUTES: Final = (
    Endpoint("GET", "/channels", list_mine, scope="read", takes=MinePage, gives=ChannelsShown),
    Endpoint("GET", "/channels/{id}", show, scope="read", guests=True, gives=ChannelShown),
    Endpoint(
        "GET", "/channels/{id}/entries", list_entries, scope="read", guests=True, takes=Entries, gives=EntriesShown
    ),
    Endpoint("GET", "/channels/{id}/pins", list_pins, scope="read", guests=True, gives=PinsShown),
    Endpoint("PUT", "/channels/{id}/read", mark_read, scope="write", takes=ReadTo),
    Endpoint("PUT", "/channels/{id}/unread", mark_unread, scope="write", takes=ReadTo),
    Endpoint("PATCH", "/channels/{id}/notify", follow, scope="write", takes=Follow),
)
