"""Conversations of 2 to 8: opened, accepted, declined."""

from typing import Final

from hubchat import access
from hubchat.access import Action, MemberState
from hubchat.actions.here import tell
from hubchat.channels.limits import NEWCOMER_CONVERSATIONS, REQUEST_MESSAGES, is_new, over
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import conversations
from hubchat.storage.accounts import read_came_at
from hubchat.storage.blocks import read_blocked, read_blocking
from hubchat.storage.channels import set_asking
from hubchat.storage.conversations import Partner
from hubchat.storage.members import count_members, set_membership
from hubchat.storage.newcomers import Counted, add_counted, read_counted
from hubchat.storage.sessions import Caller
from hubchat.storage.standings import read_standings

MOST: Final = 8


async def converse(node: Node, caller: Caller, handles: list[str]) -> int:
    """The one conversation of the caller and these people; made when there is none. Gives its id.

    Whoever does not let the caller write at once is asked first: they may read, and write once they accepted, and
    until then the caller writes a few messages and asks nothing else of them. Whoever blocked the caller hears
    nothing of it. Raises `people_count`, `person_unknown`, `blocked_by_you`, `takes_no_messages`, `request_waits`,
    `newcomer_conversations`.
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
    if mine := read_blocked(tx.connection, caller.account_id, [one.account_id for one in partners]):
        blocked = [one.persona_id for one in partners if one.account_id in mine]
        raise HubError("blocked_by_you", facts={"people": blocked})
    found = conversations.find_conversation(tx.connection, people)
    if found is not None:
        key = (caller.account_id, found)
        if read_standings(tx.connection, [key])[key].standing.state != "member":
            belong(tx, found, me, "member")
            set_waiting(tx, found)
        return found
    return _begin(tx, caller, me, partners)


def _begin(tx: Transaction, caller: Caller, me: Partner, partners: list[Partner]) -> int:
    """A conversation that was not there yet, with whom lets the caller write, and those who are asked whether they do.

    That somebody blocks the caller changes nothing of what the caller sees, then or later.
    """
    accounts = [one.account_id for one in partners]
    sharing = conversations.read_sharing(tx.connection, caller.account_id, accounts)
    at_once = {
        one.account_id
        for one in partners
        if one.writing == "everyone" or (one.writing == "shared" and one.account_id in sharing)
    }
    _require_open(tx, caller, partners, at_once)
    made = conversations.insert_conversation(tx.connection, [one.persona_id for one in (me, *partners)])
    tx.created(made)
    belong(tx, made.id, me, "member")
    blocking = read_blocking(tx.connection, caller.account_id, accounts)
    for one in partners:
        by = None if one.account_id in at_once else caller.account_id
        if one.account_id in blocking:
            belong(tx, made.id, one, "banned", by=by)
            continue
        belong(tx, made.id, one, "invited" if by else "member", by=by)
        tell(tx, one.inbox_id, "invitation", made.id, author=caller.persona_id)
    if not at_once:
        set_asking(tx.connection, [(made.id, REQUEST_MESSAGES)])
    return made.id


def _require_open(tx: Transaction, caller: Caller, partners: list[Partner], at_once: set[int]) -> None:
    """Raises why the caller begins no conversation with these people now."""
    closed = [one.persona_id for one in partners if one.writing == "nobody"]
    if closed:
        raise HubError("takes_no_messages", facts={"people": closed})
    waiting = conversations.read_waiting(tx.connection, caller.account_id, {one.account_id for one in partners})
    asked = [one.persona_id for one in partners if one.account_id in waiting - at_once]
    if asked:
        raise HubError("request_waits", facts={"people": asked})
    came_at = read_came_at(tx.connection, caller.account_id)
    if came_at is not None and is_new(came_at, tx.now):
        done = read_counted(tx.connection, [caller.account_id]).get(caller.account_id, Counted())
        if done.conversations >= NEWCOMER_CONVERSATIONS:
            raise over("newcomer_conversations", NEWCOMER_CONVERSATIONS, came_at, tx.now)
        add_counted(tx.connection, {caller.account_id: Counted(conversations=1)}, tx.now)


async def accept(node: Node, caller: Caller, conversation_id: int) -> None:
    """Takes part in a conversation that one was asked to. Repeated, it changes nothing."""

    def accept(tx: Transaction) -> None:
        if _stand(tx, caller, conversation_id, "accept") != "member":
            me = Partner(caller.account_id, caller.persona_id, caller.inbox_id)
            belong(tx, conversation_id, me, "member")
            set_waiting(tx, conversation_id)

    await node.log.write(accept)


async def decline(node: Node, caller: Caller, conversation_id: int) -> None:
    """Ends a request for the caller alone. The others are not told, and it cannot be asked again.

    It stands as `banned`, for nothing of it may reach them any more; opening the conversation themselves, they
    are in it again.
    """

    def decline(tx: Transaction) -> None:
        if _stand(tx, caller, conversation_id, "withdraw") == "member":
            raise HubError("not_allowed")
        by = conversations.read_asker(tx.connection, conversation_id, caller.account_id)
        me = Partner(caller.account_id, caller.persona_id, caller.inbox_id)
        belong(tx, conversation_id, me, "banned", by=by)
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


def belong(tx: Transaction, conversation_id: int, one: Partner, state: MemberState, *, by: int | None = None) -> None:
    """How somebody stands to a conversation from now on; `by` is the account that asks them to it, or did."""
    set_membership(tx.connection, conversation_id, one.account_id, one.persona_id, state=state, at=tx.now, by=by)
    if state == "member":
        tx.revoke("presence", account=one.account_id)  # who may see whom has changed, though no right is lost


def set_waiting(tx: Transaction, conversation_id: int) -> None:
    """A request that somebody took up holds as many messages as they like."""
    if count_members(tx.connection, [conversation_id])[conversation_id] > 1:
        set_asking(tx.connection, [(conversation_id, None)])
