"""Signing in and out, and knowing who asks."""

import logging
import secrets
from typing import Final, Literal, NamedTuple

from hubchat.actions.agents import name_of_agent
from hubchat.actions.proofs import Browser, prove_password
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import accounts, credentials, sessions
from hubchat.storage.accounts import Me
from hubchat.storage.database import now_ms
from hubchat.storage.links import use_link
from hubchat.storage.sessions import Caller, hash_secret

USED_EVERY_MS: Final = 3_600_000  # how exactly the last use is kept: a write an hour, not one a request
SESSIONS: Final = 50  # of one account; beyond that the one unused for longest ends
SECRET_BYTES: Final = 32  # 256 random bits

log: Final = logging.getLogger(__name__)


class Started(NamedTuple):
    """A session that has begun: the secrets of its cookies, and who it is."""

    session: str
    device: str
    me: Me


async def identify(node: Node, kind: Literal["session", "token"], secret: str) -> Caller:
    """Who holds this cookie or token; raises `sign_in_ended` where it is invalid or has ended."""
    hashed = hash_secret(secret)
    caller = await node.callers.get((kind, hashed))
    if caller is None:
        raise HubError("sign_in_ended")
    if caller.used_at < (now := now_ms()) - USED_EVERY_MS:
        node.uses.note((kind, hashed), now)
    return caller


async def sign_in(node: Node, login: str, password: str, browser: Browser) -> Started:
    """Begins a session. Raises `sign_in_wrong`, the same for a handle that is not there, or `too_many_tries`."""
    account_id = await prove_password(node, login, password, browser)
    return await node.log.write(lambda tx: begin(tx, account_id, browser))


async def sign_in_by_link(node: Node, code: str, browser: Browser) -> Started:
    """Begins a session by a one-time link; raises `link_ended`. It counts as a password that was just given."""

    def verb(tx: Transaction) -> Started:
        link = use_link(tx.connection, hash_secret(code), "sign_in", tx.now)
        if link is None or link.account_id is None:
            raise HubError("link_ended")
        return begin(tx, link.account_id, browser)

    return await node.log.write(verb)


async def confirm(node: Node, caller: Caller, password: str, browser: Browser) -> None:
    """Lets a session do for 10 minutes what wants a password; raises `sign_in_wrong` or `too_many_tries`."""
    session_id = caller.session_id
    if session_id is None:
        raise HubError("not_allowed", "a token has no password to give")
    await prove_password(node, caller.handle, password, browser)
    await node.log.write(lambda tx: sessions.confirm_session(tx.connection, session_id, tx.now))


async def sign_out(node: Node, secret: str) -> None:
    """Ends the session of this cookie; one that has ended already is as good."""

    def verb(tx: Transaction) -> None:
        _end_by_secret(tx, secret)

    await node.log.write(verb)


async def end_session(node: Node, caller: Caller, session_id: int) -> None:
    """Ends one of the caller's sessions and closes its live connections; raises `thing_unknown`."""

    def verb(tx: Transaction) -> None:
        if not sessions.delete_session(tx.connection, caller.account_id, session_id):
            raise HubError("thing_unknown")
        tx.revoke("ended", session=session_id)

    await node.log.write(verb)


async def end_other_sessions(node: Node, caller: Caller) -> None:
    """Ends every session of the caller's but the one that asks, and closes their live connections."""

    def verb(tx: Transaction) -> None:
        end_others(tx, caller.account_id, caller.session_id)

    await node.log.write(verb)


def begin(tx: Transaction, account_id: int, browser: Browser) -> Started:
    """Begins a session for whoever was proved to be `account_id`, and ends the one that the browser had before."""
    if browser.session:
        _end_by_secret(tx, browser.session)
    for old in sessions.delete_worn(tx.connection, account_id, SESSIONS - 1, tx.now):
        tx.revoke("ended", session=old)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    device = browser.device or secrets.token_urlsafe(SECRET_BYTES)
    sessions.insert_session(tx.connection, account_id, hash_secret(secret), name_of_agent(browser.agent), tx.now)
    credentials.remember_device(tx.connection, account_id, hash_secret(device), tx.now)
    me = accounts.read_me(tx.connection, account_id)
    if me is None:  # disabled while it signed in
        raise HubError("sign_in_wrong")
    return Started(secret, device, me)


def end_others(tx: Transaction, account_id: int, keep: int | None) -> None:
    """Ends all sessions of an account but one, and closes their live connections."""
    for session_id in sessions.delete_others(tx.connection, account_id, keep):
        tx.revoke("ended", session=session_id)


def _end_by_secret(tx: Transaction, secret: str) -> None:
    session_id = sessions.delete_session_by_hash(tx.connection, hash_secret(secret))
    if session_id is not None:
        tx.revoke("ended", session=session_id)
