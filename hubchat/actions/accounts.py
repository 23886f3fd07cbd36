"""Accounts on the operator's word: the command line and the demo make them."""

from collections.abc import Iterable

from hubchat.access import HubRole
from hubchat.actions.names import HANDLE, read_email, read_name
from hubchat.actions.sessions import end_others
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import accounts, credentials
from hubchat.storage.accounts import Made, Me, NewAccount


async def create(
    node: Node,
    handle: str,
    name: str,
    *,
    email: str | None = None,
    role: HubRole = "member",
    password: str | None = None,
    trusted: bool = True,
    bot: bool = False,
) -> Made:
    """Makes an account. Reserved and look-alike handles are the operator's to give.

    Without a password it signs in by a link alone. Raises `handle_invalid`, `handle_taken`, `password_weak` …
    """
    if not HANDLE.fullmatch(handle):
        raise HubError("handle_invalid")
    new = NewAccount(handle, read_name(name), read_email(email), role, trusted=trusted, bot=bot)
    if await node.database.read(lambda connection: accounts.is_handle_taken(connection, handle)):
        raise HubError("handle_taken")  # before the password is judged, and hashed
    hashed = None if password is None else await _hash(node, password, [handle, new.name, new.email])
    return await node.log.write(lambda tx: insert(tx, new, hashed))


async def has_others_at(node: Node, email: str | None) -> bool:
    """Whether more than one account has this address, which belongs to nobody until it is confirmed."""
    address = read_email(email)
    return address is not None and await node.database.read(lambda connection: accounts.is_shared(connection, address))


async def set_password(node: Node, handle: str, password: str) -> None:
    """Sets a member's password and ends all their sessions; raises `person_unknown`, `password_weak`."""
    me = await node.database.read(lambda connection: accounts.read_me_by_handle(connection, handle))
    if me is None:
        raise HubError("person_unknown", f"there is no member @{handle}")
    hashed = await _hash(node, password, [handle, me.name, me.email])

    def verb(tx: Transaction) -> None:
        account_id = require_account(tx, handle).account_id
        store_password(tx, account_id, hashed)

    await node.log.write(verb)


def require_account(tx: Transaction, handle: str) -> Me:
    """The active account behind a handle; raises `person_unknown`."""
    me = accounts.read_me_by_handle(tx.connection, handle)
    if me is None:
        raise HubError("person_unknown")
    return me


def insert(tx: Transaction, new: NewAccount, hashed: str | None) -> Made:
    """Makes account, persona and inbox, and its password where there is one; raises `handle_taken`."""
    made = accounts.insert_account(tx.connection, new, tx.now)
    if made is None:
        raise HubError("handle_taken")
    if hashed is not None:
        credentials.put_password(tx.connection, made.account_id, hashed, tx.now)
    return made


def store_password(
    tx: Transaction, account_id: int, hashed: str, *, session_id: int | None = None, device: str | None = None
) -> None:
    """Replaces a password, ends all sessions but `session_id`, forgets all browsers but `device` (a hash)."""
    credentials.put_password(tx.connection, account_id, hashed, tx.now)
    credentials.forget_devices(tx.connection, account_id, device)
    end_others(tx, account_id, session_id)


async def _hash(node: Node, password: str, known: Iterable[str | None]) -> str:
    words = [part for word in known if word for part in word.split("@")]
    await node.passwords.require_strong(password, words)
    return await node.passwords.hash(password)
