"""Where a verb takes place: a group, locked, with how its caller stands there; and whom it tells."""

from dataclasses import dataclass
from typing import Any, Final

from hubchat import access
from hubchat.access import Action
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.storage import audit
from hubchat.storage.blocks import is_shut
from hubchat.storage.channels import ChannelRow
from hubchat.storage.groups import read_roster
from hubchat.storage.members import TOLD, is_shown, read_officers
from hubchat.storage.sessions import Caller
from hubchat.storage.standings import Stand, read_standings

OFFICIAL: Final = frozenset({"approved", "removed", "role"})
"""What is done for a group is told whoever did it; who blocks them is not told who."""


@dataclass(frozen=True)
class Here:
    """A locked group. What is asked of it here stays true until the transaction ends."""

    tx: Transaction
    caller: Caller
    group_id: int
    roster_id: int
    stand: Stand

    @property
    def room(self) -> ChannelRow:
        """The group's row, its head counting what this transaction appended."""
        return self.tx.channels[self.group_id]

    def may(self, action: Action) -> bool:
        return access.can(action, self.stand.standing, self.room.place)

    def require(self, action: Action) -> None:
        """Raises `channel_unknown`, `archived` or `not_allowed`."""
        access.require(action, self.stand.standing, self.room.place)

    def is_shown(self, account_id: int) -> bool:
        """Whether members see this member in their list: only then may the roster tell of them."""
        return is_shown(self.tx.connection, self.room, account_id)

    def tell_roster(self, persona_id: int, change: str, **more: Any) -> None:
        """Tells members that somebody they see joined, left or has another role."""
        data = {"person": persona_id, "change": change, **more}
        self.tx.append(self.roster_id, "member", author=persona_id, data=data)

    @property
    def named(self) -> dict[str, Any]:
        """What a notice calls the group by, for whom it may not be read by any more."""
        room = self.room
        return {"title": room.title} | ({"slug": room.slug} if room.slug else {})

    def tell(self, inbox_id: int, reason: str, *, author: int | None = None, **more: Any) -> None:
        """Puts a notice about this group into an inbox that is locked."""
        tell(self.tx, inbox_id, reason, self.group_id, author=author, **more)

    def tell_officers(self, reason: str, **more: Any) -> None:
        """Tells owners and moderators, but for the caller; of those only whose inbox is locked."""
        for officer in read_officers(self.tx.connection, self.group_id):
            if officer.inbox_id in self.tx.channels and officer.account_id != self.caller.account_id:
                self.tell(officer.inbox_id, reason, **more)

    def record(self, action: str) -> None:
        audit.record(self.tx.connection, self.tx.now, self.caller.account_id, action, self.group_id)


def enter(tx: Transaction, caller: Caller, group_id: int, *inbox_ids: int, officers: bool = False) -> Here:
    """Locks a group, the inboxes named and, where `officers` hear of it, theirs. Asks for no right yet.

    Who the officers are is read before they can be locked; `tell_officers` reads it again. Raises
    `channel_unknown` where there is no such group.
    """
    roster_id = read_roster(tx.connection, group_id)
    if roster_id is None:
        raise HubError("channel_unknown")
    told = [officer.inbox_id for officer in read_officers(tx.connection, group_id)] if officers else []
    tx.lock(group_id, roster_id, *inbox_ids, *told[: TOLD - len(inbox_ids)])
    stand = read_standings(tx.connection, [(caller.account_id, group_id)])[caller.account_id, group_id]
    return Here(tx, caller, group_id, roster_id, stand)


def tell(
    tx: Transaction, inbox_id: int, reason: str, channel_id: int, *, author: int | None = None, **more: Any
) -> None:
    """Puts a notice about a channel into a locked inbox. Nothing comes there from whom its member blocks."""
    if author is not None and is_shut(tx.connection, inbox_id, author):
        if reason not in OFFICIAL:
            return
        author = None
    data = {"about": {"channel": channel_id}, "reason": reason, **more}
    tx.append(inbox_id, "notice", author=author, data=data)
