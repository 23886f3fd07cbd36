"""Conversations: opened with people by handle, accepted, declined."""

from typing import Annotated, Final

from pydantic import Field

from hubchat.actions import conversations
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.forms import Form
from hubchat.api.shown import ChannelShown, read_one
from hubchat.storage.channels import read_channel


class People(Form):
    """The others, by handle."""

    handles: Annotated[list[Annotated[str, Field(max_length=60)]], Field(max_length=20)]


async def converse(ask: Ask, form: People) -> ChannelShown:
    """The one conversation of exactly these people and me."""
    handles = [handle.removeprefix("@").lower() for handle in form.handles]
    which = await conversations.converse(ask.node, ask.member, handles)
    return await ask.node.database.read(
        lambda connection: read_one(connection, ask.caller, read_channel(connection, which))
    )


async def accept(ask: Ask) -> None:
    await conversations.accept(ask.node, ask.member, ask.id())


async def decline(ask: Ask) -> None:
    """Ends it for me; the others are not told."""
    await conversations.decline(ask.node, ask.member, ask.id())


ROUTES: Final = (
    Endpoint("POST", "/conversations", converse, scope="write", takes=People, gives=ChannelShown),
    Endpoint("POST", "/conversations/{id}/accept", accept, scope="write"),
    Endpoint("POST", "/conversations/{id}/decline", decline, scope="write"),
)
