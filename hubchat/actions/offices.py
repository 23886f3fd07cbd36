"""What administrators do for the hub as a whole: its settings, accounts, offices."""

from collections.abc import Mapping
from typing import Any

import orjson

from hubchat import access
from hubchat.access import HubRole, Office
from hubchat.actions import consents
from hubchat.actions.sessions import end_others
from hubchat.channels.house import KEY
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import accounts, audit
from hubchat.storage.accounts import WITHDRAWN, Held
from hubchat.storage.channels import ACCESS
from hubchat.storage.schema import read_hub, write_hub
from hubchat.storage.sessions import Caller


def require_office(tx: Transaction, caller: Caller, office: Office) -> None:
    """Raises `not_allowed` where the caller does not hold this office now."""
    held = accounts.read_held(tx.connection, caller.handle)
    access.require_office(office, held.role if held is not None and held.state == "active" else "guest")


async def change_house(node: Node, caller: Caller, given: Mapping[str, Any]) -> None:
    """Changes settings of the house; None takes one away. Raises `set_by_operator`."""
    if fixed := sorted(node.house.fixed & given.keys()):
        raise HubError("set_by_operator", facts={"fields": fixed})

    def change(tx: Transaction) -> str:
        tx.lock(ACCESS)  # one at a time
        require_office(tx, caller, "administer")
        kept = orjson.loads(read_hub(tx.connection, KEY) or "{}")
        told = orjson.dumps({**kept, **given, "at": max(tx.now, kept.get("at", 0) + 1)}).decode()
        write_hub(tx.connection, KEY, told)
        audit.record(tx.connection, tx.now, caller.account_id, "hub.settings", None)
        return told

    node.house.take(await node.log.write(change))


async def disable(node: Node, caller: Caller, handle: str) -> None:
    """Ends an account's sign-ins and connections at once, and lets nobody in by it. Raises `last_admin`."""

    def disable(tx: Transaction) -> None:
        tx.lock(ACCESS)
        disable_here(tx, caller, handle)

    await node.log.write(disable)


def disable_here(tx: Transaction, caller: Caller, handle: str) -> None:
    """`disable`, in a transaction that has locked the access channel."""
    held = _require_held(tx, caller, handle)
    if held.state == "disabled":
        return
    _require_other_admin(tx, held)
    accounts.update_account(tx.connection, held.account_id, state="disabled")
    end_others(tx, held.account_id, None)
    tx.revoke("disabled", account=held.account_id)
    audit.record(tx.connection, tx.now, caller.account_id, "account.disable", held.account_id)


async def enable(node: Node, caller: Caller, handle: str) -> None:
    """Lets somebody sign in again; who had taken a consent back is asked for it as before."""

    def enable(tx: Transaction) -> None:
        tx.lock(ACCESS)
        held = _require_held(tx, caller, handle)
        if held.state == "disabled":
            is_lacking = consents.is_lacking(tx.connection, held.account_id)
            accounts.update_account(tx.connection, held.account_id, state=WITHDRAWN if is_lacking else "active")
            audit.record(tx.connection, tx.now, caller.account_id, "account.enable", held.account_id)

    await node.log.write(enable)


async def set_role(node: Node, caller: Caller, handle: str, role: HubRole) -> None:
    """Gives somebody a role on the hub. Raises `last_admin`."""

    def set_role(tx: Transaction) -> int:
        tx.lock(ACCESS)
        held = _require_held(tx, caller, handle)
        if held.role != role:
            _require_other_admin(tx, held)
            accounts.update_account(tx.connection, held.account_id, role=role)
            audit.record(tx.connection, tx.now, caller.account_id, f"account.{role}", held.account_id)
        return held.account_id

    node.readings.tell_changed(await node.log.write(set_role), "me")


def _require_held(tx: Transaction, caller: Caller, handle: str) -> Held:
    """The account behind a handle. Raises `not_allowed` for who is no administrator, then `person_unknown`."""
    require_office(tx, caller, "administer")
    held = accounts.read_held(tx.connection, handle)
    if held is None:
        raise HubError("person_unknown")
    return held


def _require_other_admin(tx: Transaction, held: Held) -> None:
    is_admin = held.role == "admin" and held.state == "active"
    if is_admin and accounts.count_administrators(tx.connection) < 2:
        raise HubError("last_admin")
