"""Whom a member blocks. Nobody else is ever told."""

from typing import Final

from typing_extensions import TypedDict

from hubchat.actions import blocks
from hubchat.api.answers import time_of
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.people import PersonShown, show_person
from hubchat.storage.blocks import read_blocks


class BlockShown(TypedDict):
    person: PersonShown
    at: str


class BlocksShown(TypedDict):
    items: list[BlockShown]
    next: None


async def list_mine(ask: Ask) -> BlocksShown:
    """All of them, the earliest first: a client folds what they wrote."""
    account_id = ask.member.account_id
    found = await ask.node.database.read(lambda connection: read_blocks(connection, account_id))
    return {"items": [{"person": show_person(one.person), "at": time_of(one.at)} for one in found], "next": None}


async def block(ask: Ask) -> None:
    """Nothing of theirs comes any more: no conversation, invitation, mention or notice; they are not told."""
    await blocks.block(ask.node, ask.member, ask.word("handle").lower())


async def unblock(ask: Ask) -> None:
    await blocks.unblock(ask.node, ask.member, ask.word("handle").lower())


BLOCK: Final = "/me/blocks/{handle}"
ROUTES: Final = (
    Endpoint("GET", "/me/blocks", list_mine, scope="account", gives=BlocksShown),
    Endpoint("PUT", BLOCK, block, scope="account"),
    Endpoint("DELETE", BLOCK, unblock, scope="account"),
)
