"""Invitations: by handle, or by a link that lets in whoever has it. Both die with their maker's rights."""

import secrets
from typing import Final, NamedTuple

from hubchat import access
from hubchat.actions.here import Here, enter
from hubchat.actions.members import INVITED_MS, admit, enter_for
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import invites, members
from hubchat.storage.blocks import read_blocking
from hubchat.storage.members import Candidate
from hubchat.storage.sessions import Caller, hash_secret

DAY_MS: Final = 86_400_000
LONGEST_MS: Final = 30 * DAY_MS
USUAL_MS: Final = 7 * DAY_MS
USES: Final = 100
OPEN: Final = 100  # links a group has at once: more are forgotten about, and then somebody comes in by them


class Invited(NamedTuple):
    """An invitation by handle. `id` is the person's; it is no new one where they were invited already."""

    id: int
    expires_at: int
    is_new: bool


class NewLink(NamedTuple):
    """A link just made. `code` is told this once: 128 random bits, of which only the hash is kept."""

    id: int
    code: str
    expires_at: int


async def invite(node: Node, caller: Caller, group_id: int, handle: str) -> Invited:
    """Invites a person; whoever asked to come in is let in at once.

    Raises `person_unknown`; `already_member` and `banned` where the caller may know. Who blocked the caller hears
    nothing, and the caller sees no difference.
    """

    def invite(tx: Transaction) -> Invited:
        here, guest = enter_for(tx, caller, group_id, handle, "invite")
        invited = Invited(guest.persona_id, tx.now + INVITED_MS, guest.state != "invited")
        if guest.state in ("member", "banned"):
            _tell_standing(here, guest)
            return invited
        if guest.state == "requested":
            admit(here, guest)
            here.tell(guest.inbox_id, "approved", author=caller.persona_id)
        elif not read_blocking(tx.connection, caller.account_id, [guest.account_id]):
            members.set_membership(
                tx.connection, group_id, guest.account_id, guest.persona_id, state="invited", at=tx.now,
                by=caller.account_id,
            )  # fmt: skip
            if invited.is_new:
                here.tell(guest.inbox_id, "invitation", author=caller.persona_id)
        return invited

    return await node.log.write(invite)


def _tell_standing(here: Here, guest: Candidate) -> None:
    """Raises why somebody is not invited, where the caller sees that anyhow: else inviting would be a way to ask."""
    sees_all = here.may("see_all_members")
    if guest.state == "member" and (sees_all or here.is_shown(guest.account_id)):
        raise HubError("already_member")
    if guest.state == "banned" and sees_all:
        raise HubError("banned")


async def make_link(
    node: Node, caller: Caller, group_id: int, *, uses: int = 1, expires_at: int | None = None
) -> NewLink:
    """Makes a link for `uses` people, until `expires_at` (ms; 7 days unless said, at most 30). Raises `too_many`."""
    code = secrets.token_urlsafe(16)

    def make_link(tx: Transaction) -> NewLink:
        here = enter(tx, caller, group_id)
        here.require("invite")
        until = tx.now + USUAL_MS if expires_at is None else expires_at
        if not tx.now < until <= tx.now + LONGEST_MS:
            raise HubError("fields_invalid", fields={"expires_at": "from now on, at most 30 days"})
        if not 1 <= uses <= USES:
            raise HubError("fields_invalid", fields={"uses": f"1 to {USES}"})
        made = invites.insert_invite(
            tx.connection, group_id, by=caller.account_id, code_hash=hash_secret(code), uses=uses, now=tx.now,
            expires_at=until,
        )  # fmt: skip
        if invites.count_invites(tx.connection, group_id) > OPEN:
            raise HubError("too_many", f"a group has at most {OPEN} open links")
        here.record("invite.make")
        return NewLink(made, code, until)

    return await node.log.write(make_link)


async def end(node: Node, caller: Caller, group_id: int, invite_id: int) -> None:
    """Takes back a link, or by the person's id an invitation by handle. Raises `thing_unknown`.

    Moderators take back every one, others their own.
    """

    def end(tx: Transaction) -> None:
        here = enter(tx, caller, group_id)
        here.require("invite")
        by = None if here.may("decide") else caller.account_id
        gone = invites.delete_invite(tx.connection, group_id, invite_id, by) or members.delete_invitation(
            tx.connection, group_id, invite_id, by
        )
        if not gone:
            raise HubError("thing_unknown")

    await node.log.write(end)


async def use(node: Node, caller: Caller, code: str) -> int:
    """Joins by a link and gives the group's id; a member spends no use of it.

    Raises `invite_ended`, to who is banned as well: a link passes no ban, and tells nothing of it.
    """
    return await node.log.write(lambda tx: accept(tx, caller, code))


def accept(tx: Transaction, caller: Caller, code: str) -> int:
    """`use`, in a transaction that has locked nothing yet: signing up by a link is one step."""
    code_hash = hash_secret(code)
    found = invites.read_invite(tx.connection, code_hash, tx.now)
    if found is None:
        raise HubError("invite_ended")
    here = enter(tx, caller, found.access_id)
    found = invites.read_invite(tx.connection, code_hash, tx.now)  # as it stands now that nobody can change it
    state = here.stand.standing.state
    if found is None or state == "banned" or not access.can("invite", found.standing, here.room.place):
        raise HubError("invite_ended")
    if state != "member":
        if not invites.spend_invite(tx.connection, found.id):
            raise HubError("invite_ended")
        admit(here)
    return here.group_id
