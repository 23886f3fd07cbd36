"""Leaving for good: begun by the member, at once for every sign-in; then carried out some at a time, as a job.

Each piece is a transaction of its own through the log, so that every reader, cache and index drops what goes, and
looks at what is there still: whoever begins again after a crash goes on where it stopped.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

import orjson

from hubchat.actions.here import tell
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.journal import Deleted, Erased, Expired, Journal, Line
from hubchat.node import Node
from hubchat.storage import audit, belongings, changes, erasures, members, retention
from hubchat.storage.database import Connection
from hubchat.storage.erasures import Erasure, Messages, Trace
from hubchat.storage.groups import delete_group, find_group, purge, read_roster
from hubchat.storage.invites import delete_invites_by

HOURS: Final = 24  # in which all of it is gone; usually seconds

Piece = Callable[[Transaction], None]


async def begin(node: Node, account_id: int, messages: Messages) -> dict[str, int]:
    """Ends every sign-in and leaves the rest to a job; gives how many things go. Raises `sign_in_ended`.

    It is in the journal when this returns; a crash before that leaves it to the job.
    """
    await node.readings.settle(account_id)
    going = await node.database.read(lambda connection: belongings.count_things(connection, account_id))

    def begin(tx: Transaction) -> Line:
        if not erasures.begin_erasure(tx.connection, account_id, messages, going, tx.now):
            raise HubError("sign_in_ended")
        tx.revoke("ended", account=account_id)
        tx.enqueue("erase", account_id, key=f"erase:{account_id}")
        line = _line(tx.connection, account_id)
        audit.record(tx.connection, tx.now, account_id, "account.erase", line.personas[0])
        return line

    line = await node.log.write(begin)
    await asyncio.to_thread(Journal(node.settings.journal).append, [line])
    return going


async def carry_out(node: Node, account_id: int) -> None:
    """Takes away what is left of an account whose erasure has begun. Repeated, it changes nothing."""
    found = await node.database.read(lambda connection: erasures.read_erasure(connection, account_id))
    if found is None:
        return
    line = await node.database.read(lambda connection: _line(connection, account_id))
    await asyncio.to_thread(Journal(node.settings.journal).add_missing, [line])
    erasing = Erasing(found, line.personas)
    while (piece := await node.database.read(erasing.next_piece)) is not None:
        await node.log.write(piece)
    while await node.log.write(lambda tx: purge(tx.connection)):
        pass
    await node.database.tidy()  # where something reads, the watch does it later


def replay(connection: Connection, lines: Iterable[Line]) -> int:
    """Erases from a database that was just restored what was erased since its copy was taken; how many accounts.

    Nobody is told: it is another history, which everybody reads anew.
    """
    count = 0
    for line in lines:
        if isinstance(line, Expired):
            retention.forget_before(connection, line.channel, line.tail)
            continue
        if isinstance(line, Deleted):
            if find_group(connection, f"~{line.group}") is not None:
                delete_group(connection, line.group)
            continue
        erasures.keep_from_others(connection, line.handles)
        messages: Messages = "erase" if line.messages == "erase" else "keep_without_name"
        going = belongings.count_things(connection, line.account)
        count += erasures.begin_erasure(connection, line.account, messages, going, line.at)
        found = erasures.read_erasure(connection, line.account)
        if found is None:
            continue  # who came after the copy was taken
        erasing = Erasing(found, erasures.read_personas(connection, line.account))
        while (piece := erasing.next_piece(connection)) is not None:
            tx = Transaction(connection)
            piece(tx)
            tx.finish()
    while purge(connection):
        pass
    return count


class Erasing:
    """What is left to be done for one account, and how far its entries were looked through."""

    def __init__(self, erasure: Erasure, personas: Sequence[int]) -> None:
        self._account_id = erasure.account_id
        self._messages = erasure.messages
        self._personas = list(personas)
        self._place = (0, 0)

    def next_piece(self, connection: Connection) -> Piece | None:
        """The next transaction's work; None when nothing is left."""
        account_id = self._account_id
        for group_id, _ in erasures.read_orphans(connection, account_id, 1):
            return partial(_pass_on, account_id=account_id, group_id=group_id)
        if (belonging := erasures.read_belonging(connection, account_id)) is not None:
            return partial(_part, account_id=account_id, belonging=belonging)
        while self._personas:
            persona_id = self._personas[0]
            traces = erasures.find_traces(connection, persona_id, self._messages, *self._place)
            if traces is not None:
                self._place = (traces.channel_id, traces.last)
                return partial(
                    _take_away, persona_id=persona_id, channel_id=traces.channel_id, rows=traces.rows,
                    messages=self._messages,
                )  # fmt: skip
            self._personas.pop(0)
            self._place = (0, 0)
        if erasures.is_finished(connection, account_id):
            return None
        return partial(_finish, account_id=account_id)


def _pass_on(tx: Transaction, account_id: int, group_id: int) -> None:
    """Gives a group that nobody else owns to its moderator who is there longest, else to the hub's."""
    before = erasures.read_orphan(tx.connection, account_id, group_id)
    roster_id = read_roster(tx.connection, group_id)
    assert roster_id is not None, "every group has one"
    tx.lock(group_id, roster_id, *([before.inbox_id] if before.inbox_id else []))
    heir = erasures.read_orphan(tx.connection, account_id, group_id)
    if heir.inbox_id != before.inbox_id:
        return  # they left meanwhile: it is asked again
    members.set_role(tx.connection, group_id, account_id, "member")
    audit.record(tx.connection, tx.now, None, "group.pass_on" if heir.inbox_id else "group.ownerless", group_id)
    if heir.account_id is None or heir.persona_id is None or heir.inbox_id is None:
        return
    roster = partial(tx.append, roster_id, "member", author=heir.persona_id)
    if heir.is_member:
        members.set_role(tx.connection, group_id, heir.account_id, "owner")
    else:  # who comes from outside reads nothing of what was said before, and is seen to come
        members.set_membership(
            tx.connection, group_id, heir.account_id, heir.persona_id, state="member", role="owner", at=tx.now,
            first_seq=tx.channels[group_id].head + 1, listed=True,
        )  # fmt: skip
        roster(data={"person": heir.persona_id, "change": "joined"})
    roster(data={"person": heir.persona_id, "change": "role", "role": "owner"})
    tell(tx, heir.inbox_id, "role", group_id, role="owner")
    tx.revoke("presence", account=heir.account_id)


def _part(tx: Transaction, account_id: int, belonging: tuple[int, str, str]) -> None:
    """Ends a membership; where members saw them, they see that they are gone."""
    access_id, kind, state = belonging
    if kind == "conversation":
        tx.lock(access_id)
        erasures.stay_nameless(tx.connection, access_id, account_id)
        return
    roster_id = read_roster(tx.connection, access_id)
    assert roster_id is not None, "every group has one"
    room = tx.lock(access_id, roster_id)[access_id]
    was_shown = state == "member" and members.is_shown(tx.connection, room, account_id)
    members.delete_membership(tx.connection, access_id, account_id)
    delete_invites_by(tx.connection, access_id, account_id)
    if was_shown:
        persona_id = erasures.read_personas(tx.connection, account_id)[0]
        tx.append(roster_id, "member", author=persona_id, data={"person": persona_id, "change": "left"})


def _take_away(tx: Transaction, persona_id: int, channel_id: int, rows: Sequence[Trace], messages: Messages) -> None:
    """Empties messages, or takes their former texts alone, and takes reactions back, each with its entry."""
    tx.lock(channel_id)
    said = [(channel_id, row.seq) for row in rows if row.kind != "reaction"]
    if messages == "erase":
        _empty(tx, persona_id, said)
    else:
        erasures.forget_revisions(tx.connection, said)
    marks = {
        (channel_id, row.target_seq, orjson.loads(row.data)["emoji"], persona_id)
        for row in rows
        if row.kind == "reaction" and row.target_seq is not None and row.data
    }
    there = sorted(changes.read_reacted(tx.connection, marks)) if marks else []
    revs = {}
    for mark in there:
        data = {"emoji": mark[2], "on": False}
        revs[mark[:2]] = tx.append(channel_id, "reaction", author=persona_id, target=mark[1], data=data)
    if there:
        changes.remove_reactions(tx.connection, there)
        changes.set_revs(tx.connection, [(*key, rev) for key, rev in revs.items()])


def _empty(tx: Transaction, persona_id: int, keys: Sequence[changes.Key]) -> None:
    found = changes.read_targets(tx.connection, keys)
    full = sorted(key for key, target in found.items() if not target.is_deleted)
    revs = [(*key, tx.append(key[0], "delete", author=persona_id, target=key[1])) for key in full]
    if full:
        changes.empty_messages(tx.connection, [(*key, tx.now) for key in full])
        changes.set_revs(tx.connection, revs)
        erasures.forget_nonces(tx.connection, full)


def _finish(tx: Transaction, account_id: int) -> None:
    if erasures.forget_mentions(tx.connection, account_id):
        return
    erasures.forget_rest(tx.connection, account_id)
    if erasures.end_erasure(tx.connection, account_id, tx.now):
        persona_id = erasures.read_personas(tx.connection, account_id)[0]
        audit.record(tx.connection, tx.now, None, "account.erased", persona_id)


def _line(connection: Connection, account_id: int) -> Erased:
    """What the journal keeps of an erasure."""
    found = erasures.read_erasure(connection, account_id)
    assert found is not None, "it has begun"
    personas = tuple(erasures.read_personas(connection, account_id))
    return Erased(account_id, personas, tuple(found.handles.split()), found.messages, found.asked_at)
