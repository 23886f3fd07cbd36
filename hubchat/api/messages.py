"""Messages and what is done to them, for programs that hold no live connection."""

from typing import Annotated, Any, Final

from pydantic import Field
from typing_extensions import TypedDict

from hubchat import access, wire
from hubchat.actions import messages
from hubchat.api.answers import time_of
from hubchat.api.channels import seat_to
from hubchat.api.cursors import make_cursor, read_cursor
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.forms import Form, Id, Page
from hubchat.api.people import PersonShown, show_person
from hubchat.api.shown import EntryShown, show_entry
from hubchat.channels.log import outcome
from hubchat.errors import HubError
from hubchat.storage.database import Connection
from hubchat.storage.entries import read_entries
from hubchat.storage.revisions import read_reactions, read_revisions
from hubchat.storage.sessions import hash_secret
from hubchat.storage.standings import Seat
from hubchat.wire import Entry


class NewMessage(Form):
    """The same `nonce` from the same author in the same channel is the same message: nothing is stored twice."""

    text: str
    nonce: str | None = None
    reply_to: Id | None = None
    media: Annotated[list[Id], Field(max_length=10)] | None = None


class NewText(Form):
    text: str


class RevisionShown(TypedDict):
    at: str
    text: str


class RevisionsShown(TypedDict):
    """Former texts, oldest first."""

    items: list[RevisionShown]
    next: None


class ReactionShown(TypedDict):
    person: PersonShown
    emoji: str
    at: str


class ReactionsShown(TypedDict):
    items: list[ReactionShown]
    next: str | None


async def send(ask: Ask, form: NewMessage) -> dict[str, Any]:
    """An `Idempotency-Key` is a nonce here, so that no text is kept beside the message."""
    nonce = form.nonce
    if nonce is not None:
        nonce = wire.check_nonce("nonce", nonce)
    elif (key := ask.request.headers.get("idempotency-key")) is not None:
        nonce = hash_secret(key)
    text, channel_id = wire.check_text("text", form.text), ask.id()
    stored = await outcome(
        lambda done: messages.send(
            ask.node.log, ask.member, channel_id, text, done, nonce=nonce, reply_to=form.reply_to, media=form.media
        )
    )
    return await _read(ask, channel_id, stored.seq)


async def edit(ask: Ask, form: NewText) -> dict[str, Any]:
    text, channel_id, seq = wire.check_text("text", form.text), ask.id(), ask.id("seq")
    await outcome(lambda done: messages.edit(ask.node.log, ask.member, channel_id, seq, text, done))
    return await _read(ask, channel_id, seq)


async def delete(ask: Ask) -> None:
    await outcome(lambda done: messages.delete(ask.node.log, ask.member, ask.id(), ask.id("seq"), done))


async def react(ask: Ask) -> None:
    await _react(ask, True)


async def unreact(ask: Ask) -> None:
    await _react(ask, False)


async def _react(ask: Ask, on: bool) -> None:
    emoji = wire.check_emoji("emoji", ask.word("emoji"))
    await outcome(lambda done: messages.react(ask.node.log, ask.member, ask.id(), ask.id("seq"), emoji, on, done))


async def pin(ask: Ask) -> None:
    await outcome(lambda done: messages.pin(ask.node.log, ask.member, ask.id(), ask.id("seq"), True, done))


async def unpin(ask: Ask) -> None:
    await outcome(lambda done: messages.pin(ask.node.log, ask.member, ask.id(), ask.id("seq"), False, done))


async def list_revisions(ask: Ask) -> RevisionsShown:
    """For the author and moderators."""
    seat, entry = await _find(ask)
    if entry.author != (seat.stand.persona_id or ask.member.persona_id):
        access.require("revisions", seat.stand.standing, seat.channel.place)
    rows = await ask.node.database.read(lambda connection: read_revisions(connection, entry.channel, entry.seq))
    return {"items": [{"at": time_of(row.at), "text": row.text} for row in rows], "next": None}


async def list_reactions(ask: Ask, page: Page) -> ReactionsShown:
    """All of them; the message itself shows the first 20 people of each."""
    place = read_cursor(page.cursor, 1)
    skip = max(0, place[0]) if place else 0
    _, entry = await _find(ask)
    found = await ask.node.database.read(
        lambda connection: read_reactions(connection, entry.channel, entry.seq, limit=page.limit + 1, skip=skip)
    )
    items: list[ReactionShown] = [
        {"person": show_person(row.person), "emoji": row.emoji, "at": time_of(row.at)} for row in found[: page.limit]
    ]
    return {"items": items, "next": make_cursor(skip + page.limit) if len(found) > page.limit else None}


async def _find(ask: Ask) -> tuple[Seat, Entry]:
    """The message in the path, if the caller may have it; raises `channel_unknown` or `entry_unknown`."""
    seat, seq = await seat_to(ask, "read"), ask.id("seq")

    def read(connection: Connection) -> Entry | None:
        return read_entries(connection, [(seat.channel.id, seq)]).get((seat.channel.id, seq))

    entry = await ask.node.database.read(read)
    if entry is None or entry.kind != "message" or seq < seat.stand.first(seat.channel):
        raise HubError("entry_unknown")
    return seat, entry


async def _read(ask: Ask, channel_id: int, seq: int) -> dict[str, Any]:
    key = (channel_id, seq)
    found = await ask.node.database.read(lambda connection: read_entries(connection, [key]))
    return show_entry(found[key])


MESSAGE: Final = "/channels/{id}/messages/{seq}"
ROUTES: Final = (
    # An answer that held a member's text would outlive its deletion, so none is kept for an Idempotency-Key
    Endpoint(
        "POST", "/channels/{id}/messages", send,
        scope="write", takes=NewMessage, gives=EntryShown, status=201, repeats=False,
    ),
    Endpoint("PATCH", MESSAGE, edit, scope="write", takes=NewText, gives=EntryShown),
    Endpoint("DELETE", MESSAGE, delete, scope="write"),
    Endpoint("GET", MESSAGE + "/revisions", list_revisions, scope="read", gives=RevisionsShown),
    Endpoint(
        "GET", MESSAGE + "/reactions", list_reactions, scope="read", guests=True, takes=Page, gives=ReactionsShown
    ),
    Endpoint("PUT", MESSAGE + "/reactions/{emoji}", react, scope="write"),
    Endpoint("DELETE", MESSAGE + "/reactions/{emoji}", unreact, scope="write"),
    Endpoint("PUT", MESSAGE + "/pin", pin, scope="write"),
    Endpoint("DELETE", MESSAGE + "/pin", unpin, scope="write"),
)  # fmt: skip
