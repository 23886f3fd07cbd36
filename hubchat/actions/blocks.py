"""Blocking somebody: nothing of theirs comes any more, and they are not told."""

from typing import Final

from hubchat.access import MemberState
from hubchat.actions.conversations import belong, set_waiting
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import blocks, conversations
from hubchat.storage.conversations import Partner, find_persona
from hubchat.storage.readings import mark_read
from hubchat.storage.sessions import Caller
from hubchat.storage.standings import read_standings

BLOCKS: Final = 1_000  # of one account: what a client can keep in mind


async def block(node: Node, caller: Caller, handle: str) -> None:
    """Blocks whoever has the handle; repeated, it changes nothing. Raises `person_unknown`, `too_many`.

    The conversation of the two goes on for the one who is blocked as if it were never answered.
    """

    def block(tx: Transaction) -> bool:
        other, shared = _lock_both(tx, caller, handle)
        if blocks.read_blocked(tx.connection, caller.account_id, [other.account_id]):
            return False
        if blocks.count_blocks(tx.connection, caller.account_id) >= BLOCKS:
            raise HubError("too_many", f"one member blocks at most {BLOCKS} people")
        was = None if shared is None else _leave(tx, caller, shared)
        blocks.put_block(tx.connection, caller.account_id, other.account_id, was, tx.now)
        blocks.delete_invitations_by(tx.connection, caller.account_id, other.account_id)
        tx.revoke("presence", account=caller.account_id)
        return True

    if await node.log.write(block):
        node.readings.tell_changed(caller.account_id, "blocks")


async def unblock(node: Node, caller: Caller, handle: str) -> None:
    """Takes a block back; without one it changes nothing. Raises `person_unknown`.

    What was written meanwhile in the conversation of the two counts as read.
    """

    def unblock(tx: Transaction) -> bool:
        other, shared = _lock_both(tx, caller, handle)
        was_there, was = blocks.delete_block(tx.connection, caller.account_id, other.account_id)
        if shared is not None and was is not None:
            by = conversations.read_asker(tx.connection, shared, caller.account_id)
            belong(tx, shared, _self(caller), was, by=by)
            set_waiting(tx, shared)
            mark_read(tx.connection, [(shared, caller.account_id, tx.channels[shared].head)])
        if was_there:
            tx.revoke("presence", account=caller.account_id)
        return was_there

    if await node.log.write(unblock):
        node.readings.tell_changed(caller.account_id, "blocks")


def _lock_both(tx: Transaction, caller: Caller, handle: str) -> tuple[Partner, int | None]:
    """Whom the handle names, and the conversation of exactly the two; what both might open is locked."""
    other = find_persona(tx.connection, handle)
    if other is None:
        raise HubError("person_unknown")
    if other.account_id == caller.account_id:
        raise HubError("not_allowed", "nobody blocks themselves")
    pair = (caller.persona_id, other.persona_id)
    shared = conversations.find_conversation(tx.connection, pair)
    tx.lock(caller.inbox_id, other.inbox_id, *([] if shared is None else [shared]))
    now = conversations.find_conversation(tx.connection, pair)
    if now != shared:  # it was opened just now, and is not locked
        raise HubError("changed_meanwhile")
    return other, shared


def _leave(tx: Transaction, caller: Caller, conversation_id: int) -> MemberState | None:
    """Takes the caller out of a conversation, and says how they stood there, if they were in it or asked to it."""
    key = (caller.account_id, conversation_id)
    was = read_standings(tx.connection, [key])[key].standing.state
    if was not in ("member", "invited"):
        return None
    by = conversations.read_asker(tx.connection, conversation_id, caller.account_id)
    belong(tx, conversation_id, _self(caller), "banned", by=by)
    tx.revoke("blocked", account=caller.account_id, channel=conversation_id)
    return was


def _self(caller: Caller) -> Partner:
    return Partner(caller.account_id, caller.persona_id, caller.inbox_id)
