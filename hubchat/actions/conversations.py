"""Conversations of 2 to 8: opened, accepted, declined."""

from typing import Final

from hubchat import access
from hubchat.access import Action, MemberState
from hubchat.actions.here import tell
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import conversations
from hubchat.storage.conversations import Partner
from hubchat.storage.members import set_membership
from hubchat.storage.sessions import Caller
from hubchat.storage.standings import read_standings

MOST: Final = 8


async def converse(node: Node, caller: Caller, handles: list[str]) -> int:
    """The one conversation of the caller and these people; made when there is none. Gives its id.

    Whoever shares no group with the caller is asked first: they may read, and write once they accepted. Whoever
    blocked the caller hears nothing of it. Raises `people_count`, `person_unknown`.
    """
    return await node.log.write(lambda tx: _converse(tx, caller, handles))


def _converse(tx: Transaction, caller: Caller, handles: list[str]) -> int:
    others = set(handles) - {caller.handle}
    if not 1 <= len(others) < MOST:
        raise HubError("people_count")
    partners = [
        one for one in conversations.read_partners(tx.connection, others) if one.account_id != caller.account_id
    ]
    if len(partners) < len(others):
        raise HubError("person_unknown")
    me = Partner(caller.account_id, caller.persona_id, caller.inbox_id)
    people = [one.persona_id for one in (me, *partners)]
    # Two who open it at once lock the same inboxes, so the later one finds what the earlier one made.
    tx.lock(*(one.inbox_id for one in (me, *partners)))
    found = conversations.find_conversation(tx.connection, people)
    if found is not None:
        key = (caller.account_id, found)
        if read_standings(tx.connection, [key])[key].standing.state != "member":
            _belong(tx, found, me, "member")
        return found
    made = conversations.insert_conversation(tx.connection, people)
    tx.created(made)
    _belong(tx, made.id, me, "member")
    accounts = [one.account_id for one in partners]
    sharing = conversations.read_sharing(tx.connection, caller.account_id, accounts)
    blocking = conversations.read_blocking(tx.connection, caller.account_id, accounts)
    for one in partners:
        if one.account_id in blocking:
            _belong(tx, made.id, one, "banned")
            continue
        _belong(tx, made.id, one, "member" if one.account_id in sharing else "invited")
        tell(tx, one.inbox_id, "invitation", made.id, author=caller.persona_id)
    return made.id


async def accept(node: Node, caller: Caller, conversation_id: int) -> None:
    """Takes part in a conversation that one was asked to. Repeated, it changes nothing."""

    def accept(tx: Transaction) -> None:
        if _stand(tx, caller, conversation_id, "accept") != "member":
            me = Partner(caller.account_id, caller.persona_id, caller.inbox_id)
            _belong(tx, conversation_id, me, "member")

    await node.log.write(accept)


async def decline(node: Node, caller: Caller, conversation_id: int) -> None:
    """Ends a request for the caller alone. The others are not told, and it cannot be asked again.

    It stands as `banned`, for nothing of it may reach them any more; opening the conversation themselves, they
    are in it again.
    """

    def decline(tx: Transaction) -> None:
        if _stand(tx, caller, conversation_id, "withdraw") == "member":
            raise HubError("not_allowed")
        me = Partner(caller.account_id, caller.persona_id, caller.inbox_id)
        _belong(tx, conversation_id, me, "banned")
        tx.revoke("declined", account=caller.account_id, channel=conversation_id)

    await node.log.write(decline)


def _stand(tx: Transaction, caller: Caller, conversation_id: int, action: Action) -> MemberState:
    """How the caller stands to a conversation, which is locked. Raises unless it is member or may do `action`."""
    channel = tx.lock(conversation_id)[conversation_id]
    if channel.kind != "conversation":
        raise HubError("channel_unknown")
    key = (caller.account_id, conversation_id)
    standing = read_standings(tx.connection, [key])[key].standing
    if standing.state != "member":
        access.require(action, standing, channel.place)
    return standing.state


def _belong(tx: Transaction, conversation_id: int, one: Partner, state: MemberState) -> None:
    set_membership(tx.connection, conversation_id, one.account_id, one.persona_id, state=state, at=tx.now)
    if state == "member":
        tx.revoke("presence", account=one.account_id)  # who may see whom has changed, though no right is lost
