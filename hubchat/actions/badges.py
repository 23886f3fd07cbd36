"""Badges: what the hub says of somebody after a moderator saw it, and what members say of themselves to one group."""

from typing import Final, Literal, TypeAlias

from hubchat.actions.here import enter
from hubchat.actions.offices import require_office
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import accounts, audit, members, offices
from hubchat.storage.offices import Attested, Badge
from hubchat.storage.sessions import Caller

GroupBadge: TypeAlias = Literal["patient", "carer"]

HOW_CHARS: Final = 300  # of what was seen, for other moderators


async def attest(node: Node, caller: Caller, handle: str, kind: Attested, how: str, until: int | None) -> None:
    """Says for the hub what somebody is, until `until` (ms) if that is given; it replaces what was said before.

    Raises `not_allowed`, for oneself too; `person_unknown`; or names a wrong field.
    """
    how = " ".join(how.split())
    if not how or len(how) > HOW_CHARS:
        raise HubError("fields_invalid", fields={"how": f"1 to {HOW_CHARS} characters: what was seen"})

    def attest(tx: Transaction) -> None:
        account_id = _require_other(tx, caller, handle)
        if until is not None and until <= tx.now:
            raise HubError("fields_invalid", fields={"until": "from now on"})
        offices.put_badge(tx.connection, account_id, Badge(kind, caller.account_id, how, tx.now, until))
        audit.record(tx.connection, tx.now, caller.account_id, f"badge.{kind}", account_id)

    await node.log.write(attest)


async def unattest(node: Node, caller: Caller, handle: str) -> None:
    """Takes the hub's word back; where it gave none, it changes nothing."""

    def unattest(tx: Transaction) -> None:
        account_id = _require_other(tx, caller, handle)
        if offices.delete_badge(tx.connection, account_id):
            audit.record(tx.connection, tx.now, caller.account_id, "badge.taken", account_id)

    await node.log.write(unattest)


async def show_in(node: Node, caller: Caller, group_id: int, badge: GroupBadge | None) -> None:
    """Says to the members of one group, and to nobody else, that one is a patient or a carer; or takes it back."""

    def show_in(tx: Transaction) -> None:
        here = enter(tx, caller, group_id)
        here.require("see_members")
        members.set_badge(tx.connection, group_id, caller.account_id, badge)

    await node.log.write(show_in)


def _require_other(tx: Transaction, caller: Caller, handle: str) -> int:
    """The account behind a handle. Raises `not_allowed` for who may not attest, and for oneself."""
    require_office(tx, caller, "attest")
    held = accounts.read_held(tx.connection, handle)
    if held is None:
        raise HubError("person_unknown")
    if held.account_id == caller.account_id:
        raise HubError("not_allowed", "nobody attests themselves")
    return held.account_id
