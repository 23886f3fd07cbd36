"""Tokens: keys for programs, shown once."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import AwareDatetime, Field
from typing_extensions import TypedDict

from hubchat.access import USUAL_SCOPES, Scope
from hubchat.actions import tokens
from hubchat.api.answers import time_of, time_or_none
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.forms import Form
from hubchat.storage.tokens import TokenRow, read_tokens


class TokenShown(TypedDict):
    id: int
    name: str
    scopes: list[str]
    created_at: str
    used_at: str | None
    expires_at: str


class NewTokenShown(TokenShown):
    token: str


class TokensShown(TypedDict):
    items: list[TokenShown]
    next: None


class NewToken(Form):
    """`scopes` are read, write and groups unless said; it ends after a year at the latest."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=10)] | None = None
    expires_at: AwareDatetime | None = None


def show_token(row: TokenRow) -> TokenShown:
    return {
        "id": row.id,
        "name": row.name,
        "scopes": row.scopes.split(),
        "created_at": time_of(row.created_at),
        "used_at": time_or_none(row.used_at),
        "expires_at": time_of(row.expires_at),
    }


async def list_mine(ask: Ask) -> TokensShown:
    account_id = ask.member.account_id
    rows = await ask.node.database.read(lambda connection: read_tokens(connection, account_id))
    return {"items": [show_token(row) for row in rows], "next": None}


async def make(ask: Ask, form: NewToken) -> NewTokenShown:
    until = None if form.expires_at is None else _ms(form.expires_at)
    token, row = await tokens.make_token(ask.node, ask.member.account_id, form.name, form.scopes or USUAL_SCOPES, until)
    return {**show_token(row), "token": token}


async def end(ask: Ask) -> None:
    """Ends a token and its live connections."""
    await tokens.end_token(ask.node, ask.member, ask.id())


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1_000)


ROUTES: Final = (
    Endpoint("GET", "/me/tokens", list_mine, scope="account", gives=TokensShown),
    Endpoint(
        "POST", "/me/tokens", make,
        scope="account", confirmed=True, takes=NewToken, gives=NewTokenShown, status=201, repeats=False,
    ),
    Endpoint("DELETE", "/me/tokens/{id}", end, scope="account"),
)  # fmt: skip
