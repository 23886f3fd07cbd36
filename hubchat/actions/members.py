"""Coming into a group and going out of it: join, request, approve, leave, remove, ban, roles."""

from typing import Any, Final, Literal, TypeAlias

from hubchat import access
from hubchat.access import GroupRole
from hubchat.actions.here import Here, enter
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import invites, members
from hubchat.storage.channels import read_channel
from hubchat.storage.members import Candidate
from hubchat.storage.readings import mark_read
from hubchat.storage.sessions import Caller
from hubchat.storage.standings import read_standings

Joined: TypeAlias = Literal["joined", "requested"]

JOINED: Final = 500  # groups one account may be in: as many as a connection may subscribe to
INVITED_MS: Final = 30 * 86_400_000  # how long an invitation by handle holds, the longest that one by link may


# ---------------------------------------------------------------- coming in


async def join(node: Node, caller: Caller, group_id: int, word: str | None = None) -> Joined:
    """Joins where one may, accepts an invitation, else asks to be let in. Repeated, it changes nothing."""

    def join(tx: Transaction) -> Joined:
        room = read_channel(tx.connection, group_id)
        asking = room is not None and room.joining == "request"
        return _join(enter(tx, caller, group_id, officers=asking), word)

    return await node.log.write(join)


def _join(here: Here, word: str | None) -> Joined:
    state = here.stand.standing.state
    if state == "member":
        return "joined"
    if here.may("join"):
        admit(here)
        return "joined"
    if state == "invited":
        here.require("accept")
        require_invitation(here)
        admit(here)
        return "joined"
    if state != "requested":
        here.require("request")
        require_room(here)
        caller = here.caller
        members.set_membership(
            here.tx.connection, here.group_id, caller.account_id, caller.persona_id, state="requested", at=here.tx.now,
            word=word,
        )  # fmt: skip
        here.tell_officers("request", author=caller.persona_id, person=caller.persona_id)
    return "requested"


def admit(here: Here, candidate: Candidate | None = None) -> None:
    """Makes the caller, or the candidate, a member. What they may read begins where it does for newcomers.

    They have read everything up to now: what is unread is what comes.
    """
    room = here.room
    account_id, persona_id = here.caller.account_id, here.caller.persona_id
    if candidate is not None:
        account_id, persona_id = candidate.account_id, candidate.persona_id
    else:
        require_room(here)
    first = room.open_from if room.history == "all" else room.head + 1
    members.set_membership(
        here.tx.connection, room.id, account_id, persona_id, state="member", at=here.tx.now,
        first_seq=max(first, room.tail),
    )  # fmt: skip
    mark_read(here.tx.connection, [(room.id, account_id, room.head)])
    here.tx.revoke("presence", account=account_id)  # who may see whom has changed, though no right is lost
    if here.is_shown(account_id):
        here.tell_roster(persona_id, "joined")


def require_room(here: Here) -> None:
    """Raises `too_many` where the caller is in as many groups as one may be."""
    if members.count_joined(here.tx.connection, here.caller.account_id) >= JOINED:
        raise HubError("too_many", f"one member is in at most {JOINED} groups")


def require_invitation(here: Here) -> None:
    """Raises `invite_ended` where the caller's invitation is too old, or who made it may not invite any more."""
    found = members.read_invitation(here.tx.connection, here.group_id, here.caller.account_id)
    if found is None or found.at < here.tx.now - INVITED_MS or found.by is None:
        raise HubError("invite_ended")
    key = (found.by, here.group_id)
    if not access.can("invite", read_standings(here.tx.connection, [key])[key].standing, here.room.place):
        raise HubError("invite_ended")


async def decide(
    node: Node, caller: Caller, group_id: int, handle: str, *, approve: bool, word: str | None = None
) -> None:
    """Answers a request; the asker is told, with the word. Raises `not_requested`."""

    def decide(tx: Transaction) -> None:
        here, asker = enter_for(tx, caller, group_id, handle, "decide")
        if asker.state != "requested":
            raise HubError("not_requested")
        said: dict[str, Any] = {"word": word} if word else {}
        if approve:
            admit(here, asker)
            here.tell(asker.inbox_id, "approved", author=caller.persona_id, **said)
        else:
            members.delete_membership(tx.connection, group_id, asker.account_id)
            here.tell(asker.inbox_id, "declined", **here.named, **said)
        here.record("member.approve" if approve else "member.decline")

    await node.log.write(decide)


# ---------------------------------------------------------------- going out


async def leave(node: Node, caller: Caller, group_id: int) -> None:
    """Leaves a group, takes a request back, or declines an invitation. Raises `not_member`, `last_owner`."""

    def leave(tx: Transaction) -> None:
        here = enter(tx, caller, group_id)
        here.require("see")
        if here.may("withdraw"):
            members.delete_membership(tx.connection, group_id, caller.account_id)
            return
        if here.stand.standing.state != "member":
            raise HubError("not_member")
        here.require("leave")
        if here.stand.standing.role == "owner" and here.room.state == "open":
            _require_other_owner(here)
        _end(here, caller.account_id, caller.persona_id, "left")

    await node.log.write(leave)


async def remove(node: Node, caller: Caller, group_id: int, handle: str) -> None:
    """Takes a member out of a group. Raises `not_member`."""

    def remove(tx: Transaction) -> None:
        remove_here(*enter_for(tx, caller, group_id, handle, "remove", officers=True))

    await node.log.write(remove)


def remove_here(here: Here, target: Candidate) -> None:
    """`remove`, in a transaction that has entered the group for it."""
    if target.state != "member":
        raise HubError("not_member")
    _require_outranked(here, target)
    _end(here, target.account_id, target.persona_id, "removed")
    _tell_of_removal(here, target, "removed")


async def ban(node: Node, caller: Caller, group_id: int, handle: str) -> None:
    """Takes somebody out of a group, and keeps them out."""

    def ban(tx: Transaction) -> None:
        ban_here(*enter_for(tx, caller, group_id, handle, "ban", officers=True))

    await node.log.write(ban)


def ban_here(here: Here, target: Candidate) -> None:
    """`ban`, in a transaction that has entered the group for it."""
    if target.state == "banned":
        return
    _require_outranked(here, target)
    _end(here, target.account_id, target.persona_id, "banned", was_member=target.state == "member")
    members.set_membership(
        here.tx.connection, here.group_id, target.account_id, target.persona_id, state="banned", at=here.tx.now
    )
    _tell_of_removal(here, target, "banned")


async def unban(node: Node, caller: Caller, group_id: int, handle: str) -> None:
    """Lets somebody who was banned come back as anybody may. Without a ban it changes nothing."""

    def unban(tx: Transaction) -> None:
        here, target = enter_for(tx, caller, group_id, handle, "ban")
        if target.state == "banned":
            members.delete_membership(tx.connection, group_id, target.account_id)
            here.record("member.unban")

    await node.log.write(unban)


def _end(here: Here, account_id: int, persona_id: int, reason: str, *, was_member: bool = True) -> None:
    """Ends a membership, what hangs on it, and all delivery."""
    connection = here.tx.connection
    was_shown = was_member and here.is_shown(account_id)
    members.delete_membership(connection, here.group_id, account_id)
    invites.delete_invites_by(connection, here.group_id, account_id)
    if was_shown:
        here.tell_roster(persona_id, "left")
    here.tx.revoke(reason, account=account_id, channel=here.group_id)


def _tell_of_removal(here: Here, target: Candidate, change: Literal["removed", "banned"]) -> None:
    """Tells whom it concerns and the officers, never the room. Who had nothing to do with the group hears nothing.

    The one removed gets the group's name, which they may not be able to read any more, and no moderator's.
    """
    if target.state != "none":
        here.tell(target.inbox_id, "removed", person=target.persona_id, change=change, **here.named)
    here.tell_officers("removed", author=here.caller.persona_id, person=target.persona_id, change=change)
    here.record(f"member.{change}")


# ---------------------------------------------------------------- standing inside


async def set_role(node: Node, caller: Caller, group_id: int, handle: str, role: GroupRole) -> None:
    """Gives a member a role. Raises `not_member`, `last_owner`."""

    def set_role(tx: Transaction) -> None:
        here, target = enter_for(tx, caller, group_id, handle, "set_role")
        if target.state != "member":
            raise HubError("not_member")
        if target.role == role:
            return
        if target.role == "owner":
            _require_other_owner(here)
        members.set_role(tx.connection, group_id, target.account_id, role)
        if here.is_shown(target.account_id):
            here.tell_roster(target.persona_id, "role", role=role)
        if target.account_id != caller.account_id:
            here.tell(target.inbox_id, "role", author=caller.persona_id, role=role)
        if access.rank(role) < access.rank(target.role):
            tx.revoke("role", channel=group_id)
        here.record("member.role")

    await node.log.write(set_role)


async def set_listed(node: Node, caller: Caller, group_id: int, listed: bool) -> None:
    """Chooses whether other members see one in the list of a group that anybody may join."""

    def set_listed(tx: Transaction) -> None:
        here = enter(tx, caller, group_id)
        here.require("see_members")
        before = here.is_shown(caller.account_id)
        members.set_listed(tx.connection, group_id, caller.account_id, listed)
        if here.is_shown(caller.account_id) != before:
            here.tell_roster(caller.persona_id, "left" if before else "joined")

    await node.log.write(set_listed)


def enter_for(
    tx: Transaction,
    caller: Caller,
    group_id: int,
    handle: str,
    action: access.Action,
    *inbox_ids: int,
    officers: bool = False,
) -> tuple[Here, Candidate]:
    """Enters a group to do `action` to whom the handle names. Raises `person_unknown` once the right is sure."""
    found = members.read_candidate(tx.connection, group_id, handle)
    here = enter(tx, caller, group_id, *inbox_ids, *([found.inbox_id] if found else []), officers=officers)
    here.require(action)
    locked = members.read_candidate(tx.connection, group_id, handle)  # as it stands now that nobody can change it
    if found is None or locked is None:
        raise HubError("person_unknown")
    return here, locked


def outranks(here: Here, target: Candidate) -> bool:
    """Whether the caller may take this person out of the group, or keep them out."""
    role: GroupRole = target.role if target.state == "member" else "member"
    return target.account_id != here.caller.account_id and access.can_outrank(here.stand.standing.role, role)


def _require_outranked(here: Here, target: Candidate) -> None:
    if not outranks(here, target):
        raise HubError("not_allowed")


def _require_other_owner(here: Here) -> None:
    if members.count_owners(here.tx.connection, here.group_id) < 2:
        raise HubError("last_owner")
