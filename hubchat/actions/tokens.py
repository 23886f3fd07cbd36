"""Keys for programs. Shown once, when they are made."""

import secrets
from collections.abc import Collection
from typing import Final

from hubchat.access import SCOPES, USUAL_SCOPES, Scope
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import tokens
from hubchat.storage.database import now_ms
from hubchat.storage.sessions import Caller, hash_secret
from hubchat.storage.tokens import TokenRow

PREFIX: Final = "hct_"  # so that leaked ones are found in places where they should not be
YEAR_MS: Final = 365 * 86_400_000
TOKENS: Final = 100  # of one account; more are forgotten rather than used


async def make_token(
    node: Node, account_id: int, name: str, scopes: Collection[Scope] = USUAL_SCOPES, expires_at: int | None = None
) -> tuple[str, TokenRow]:
    """A new token, shown this once, and its row. It ends after a year unless sooner is said.

    Raises `fields_invalid` for a time that is past or further away, `too_many`.
    """
    now = now_ms()
    until = now + YEAR_MS if expires_at is None else expires_at
    if not now < until <= now + YEAR_MS:
        raise HubError("fields_invalid", fields={"expires_at": "within a year from now"})
    if not scopes:
        raise HubError("fields_invalid", fields={"scopes": "at least one"})
    token = PREFIX + secrets.token_urlsafe(32)
    ordered = [scope for scope in SCOPES if scope in scopes]

    def verb(tx: Transaction) -> TokenRow:
        tokens.delete_expired(tx.connection, account_id, tx.now)
        if tokens.count_tokens(tx.connection, account_id) >= TOKENS:
            raise HubError("too_many", f"an account has at most {TOKENS} tokens")
        return tokens.insert_token(
            tx.connection, account_id,
            hashed=hash_secret(token), name=name, scopes=ordered, expires_at=until, now=tx.now,
        )  # fmt: skip

    return token, await node.log.write(verb)


async def end_token(node: Node, caller: Caller, token_id: int) -> None:
    """Ends a token and closes its live connections; raises `thing_unknown`."""

    def verb(tx: Transaction) -> None:
        if not tokens.delete_token(tx.connection, caller.account_id, token_id):
            raise HubError("thing_unknown")
        tx.revoke("ended", token=token_id)

    await node.log.write(verb)
