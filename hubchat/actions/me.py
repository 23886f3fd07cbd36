"""What members change of themselves."""

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from hubchat.actions.accounts import store_password
from hubchat.actions.names import read_about, read_email, read_name
from hubchat.actions.proofs import Browser, prove_password, require_confirmed, require_password_kept
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import accounts
from hubchat.storage.accounts import Kind, Me
from hubchat.storage.sessions import Caller

LANG: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")  # BCP 47, as far as browsers say it


@dataclass(frozen=True, slots=True)
class MeChange:
    """What is to change; None stays as it is, an empty `email`, `about`, `lang` or `kind` is taken away."""

    name: str | None = None
    about: str | None = None
    email: str | None = None
    lang: str | None = None
    presence: Literal["shared", "conversations", "nobody"] | None = None
    writing: Literal["everyone", "shared", "nobody"] | None = None
    findable: bool | None = None
    industry: bool | None = None
    kind: Kind | Literal[""] | None = None


async def change_me(node: Node, caller: Caller, change: MeChange) -> Me:
    """Changes the caller and gives what they are now. A new address wants the password just given."""
    account, persona = _account_values(change), _persona_values(change)
    if "email" in account:
        require_confirmed(caller)

    def verb(tx: Transaction) -> Me:
        if account:
            accounts.update_account(tx.connection, caller.account_id, **account)
        if persona:
            accounts.update_persona(tx.connection, caller.persona_id, **persona)
        if "presence" in account:
            tx.revoke("presence", account=caller.account_id)
        me = accounts.read_me(tx.connection, caller.account_id)
        if me is None:  # disabled a moment ago
            raise HubError("sign_in_ended")
        return me

    return await node.log.write(verb)


async def change_password(node: Node, caller: Caller, old: str | None, password: str, browser: Browser) -> None:
    """Sets the caller's password, ends their other sessions and closes those's live connections.

    `old` may be left out for 10 minutes after a sign-in: `confirm_needed`. Raises `sign_in_wrong`, `password_weak`.
    """
    if caller.session_id is None:
        raise HubError("confirm_needed", "a token changes no password")
    await require_password_kept(node, caller)
    if old is None:
        require_confirmed(caller)
    else:
        await prove_password(node, caller.handle, old, browser)
    await node.passwords.require_strong(password, [caller.handle, caller.name])
    hashed = await node.passwords.hash(password)

    def verb(tx: Transaction) -> None:
        store_password(tx, caller.account_id, hashed, session_id=caller.session_id, device=browser.device_hash)

    await node.log.write(verb)


def _account_values(change: MeChange) -> dict[str, Any]:
    """The columns of `account` that change."""
    values: dict[str, Any] = {
        name: value
        for name in ("presence", "writing", "findable", "industry")
        if (value := getattr(change, name)) is not None
    }
    if change.industry is False:  # who said so keeps the badge
        raise HubError("fields_invalid", fields={"industry": "can't be taken off"})
    if change.lang is not None:
        if change.lang and not LANG.fullmatch(change.lang):
            raise HubError("fields_invalid", fields={"lang": "a language tag, as `de` or `pt-BR`"})
        values["lang"] = change.lang or None
    if change.kind is not None:
        values["kind"] = change.kind or None
    if change.email is not None:
        values |= {"email": read_email(change.email), "email_confirmed_at": None}
    return values


def _persona_values(change: MeChange) -> dict[str, Any]:
    """The columns of `persona` that change."""
    values: dict[str, Any] = {}
    if change.name is not None:
        values["name"] = read_name(change.name)
    if change.about is not None:
        values["about"] = read_about(change.about)
    return values
