"""One transaction over everything that waited: lock, nonces, rights, rows, numbers.

Runs in storage's thread or greenlet, touches nothing of the event loop. Items are decided in arrival order over
values in memory, each seeing what those before it did; then every table is written in one statement.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from hubchat import access
from hubchat.channels.addressed import Addressed, handles
from hubchat.channels.items import Change, Delete, Edit, Item, Message, Pin, React, Stored
from hubchat.channels.limits import Limits, require_plain
from hubchat.errors import HubError
from hubchat.storage import changes
from hubchat.storage.addressees import read_silent
from hubchat.storage.changes import Key, Target
from hubchat.storage.channels import ChannelRow, lock_channels, set_heads
from hubchat.storage.database import Connection
from hubchat.storage.entries import NewEntry, insert_entries, read_nonces
from hubchat.storage.standings import STRANGER, Stand, read_standings
from hubchat.wire import REACTIONS_PER_MESSAGE, Entry


class Outcome(NamedTuple):
    """What became of each item, in their order, the entries that were appended, and the channels not locked."""

    results: list[Stored | HubError]
    entries: list[Entry]
    busy: frozenset[int] = frozenset()


def commit_items(connection: Connection, items: Sequence[Item], now: int, *, wait: bool = True) -> Outcome:
    """Decides and stores `items`. Without `wait`, items of channels that others hold get no result (`busy`)."""
    addressed = Addressed(connection, items)
    inboxes = [(item.channel, inbox) for item in items for inbox in addressed.inboxes(item)]
    needed = {(item.channel, item.channel) for item in items}.union(inboxes)
    channels = lock_channels(connection, {channel for _, channel in needed}, wait=wait)
    busy = frozenset() if wait else frozenset(owner for owner, channel in needed if channel not in channels)
    decided = [item for item in items if item.channel not in busy]
    batch = Batch(connection, channels, addressed, now)
    batch.read(decided)
    results = [batch.decide(item) for item in decided]
    batch.write()
    return Outcome(results, batch.entries(), busy)


class Batch:
    """The state of one transaction: what was read, and what is to be written."""

    def __init__(self, connection: Connection, channels: dict[int, ChannelRow], addressed: Addressed, now: int) -> None:
        self.connection = connection
        self.channels = channels
        self.heads = {channel.id: (channel.head, channel.head_at) for channel in channels.values()}
        self.addressed = addressed
        self.silent: set[tuple[int, int, int]] = set()
        self.now = now
        self.limits = Limits(connection, now)
        self.nonces: dict[tuple[int, int, str], tuple[int, int]] = {}
        self.standings: dict[tuple[int, int], Stand] = {}
        self.targets: dict[Key, Target] = {}
        self.emoji: dict[Key, dict[str, int]] = {}
        self.reacted: set[tuple[int, int, str, int]] = set()
        self.mentioned: dict[tuple[int, str], changes.Mentioned] = {}
        self.granted: set[tuple[access.Action, int, int]] = set()
        self.sent: dict[Key, NewEntry] = {}
        self.rows: list[NewEntry] = []
        self.revisions: list[tuple[int, int, int, int, str]] = []
        self.edited: dict[Key, int] = {}
        self.emptied: dict[Key, int] = {}
        self.pinned: dict[Key, int | None] = {}
        self.revs: dict[Key, int] = {}
        self.reactions: dict[tuple[int, int, str, int], int | None] = {}
        self.mentions: dict[Key, set[int]] = {}

    # ------------------------------------------------------------ reading

    def read(self, items: Sequence[Item]) -> None:
        """Everything that deciding asks for, a statement a kind; rights after the lock."""
        connection = self.connection
        if sent := [(item.channel, item.persona, item.nonce) for item in items if isinstance(item, Message)]:
            self.nonces = read_nonces(connection, sent)
        told = [
            (item.channel, notice.to.account, item.account) for item in items for notice in self.addressed.notices(item)
        ]
        asked = [*((item.channel, item.account) for item in items), *(one[:2] for one in told)]
        self.standings = read_standings(
            connection,
            [(account, self.channels[channel].access_id) for channel, account in asked if channel in self.channels],
        )
        self.limits.read(items, self.channels, self.standings)
        if told:
            self.silent = read_silent(connection, told)
        keys = {(item.channel, item.seq) for item in items if isinstance(item, Change)}
        keys |= {(item.channel, item.reply_to) for item in items if isinstance(item, Message) and item.reply_to}
        if keys:
            self.targets = changes.read_targets(connection, keys)
        if reacts := [item for item in items if isinstance(item, React)]:
            self.emoji = changes.read_emoji(connection, {(item.channel, item.seq) for item in reacts})
            marks = {(item.channel, item.seq, item.emoji, item.persona) for item in reacts}
            self.reacted = changes.read_reacted(connection, marks)
        named = {
            (self.channels[item.channel].access_id, handle)
            for item in items
            if isinstance(item, Message | Edit) and "@" in item.text and item.channel in self.channels
            for handle in handles(item.text)
        }
        if named:
            self.mentioned = changes.read_mentioned(connection, named)

    # ------------------------------------------------------------ deciding

    def decide(self, item: Item) -> Stored | HubError:
        """What becomes of one item; a member's fault is a result like any other."""
        try:
            channel = self.channels.get(item.channel)
            if channel is None:
                raise HubError("channel_unknown")
            if isinstance(item, Message) and (known := self.nonces.get((item.channel, item.persona, item.nonce))):
                return Stored(*known, changed=False)  # it is theirs, whatever right they lost after it was stored
            stand = self.standings.get((item.account, channel.access_id), STRANGER)
            if ("read", item.account, item.channel) not in self.granted:
                if not access.can("read", stand.standing, channel.place):
                    raise HubError("channel_unknown")
                self.granted.add(("read", item.account, item.channel))
            if isinstance(item, Message):
                return self._send(item, channel, stand)
            assert isinstance(item, Change)
            return self._change(item, channel, stand)
        except HubError as error:
            return error

    def _send(self, item: Message, channel: ChannelRow, stand: Stand) -> Stored:
        self._require("send", item, channel, stand)
        data: dict[str, Any] = {}
        if item.reply_to is not None:
            target = self._target((item.channel, item.reply_to), channel, stand)
            if target is None or target.kind in ("edit", "delete", "reaction", "pin"):
                raise HubError("reply_unknown")
            data["reply_to"] = item.reply_to
        self.limits.spend(item.account, channel, stand, item.text)
        people = self._people(channel, item.text)
        _show_mentions(data, people)
        stored = self._append(item, "message", item.reply_to, text=item.text, data=data)
        self.nonces[item.channel, item.persona, item.nonce] = (stored.seq, stored.at)
        if people:
            self.mentions[item.channel, stored.seq] = {one.account for one in people}
        self._notify(item, channel, stored)
        return stored

    def _notify(self, item: Message, channel: ChannelRow, stored: Stored) -> None:
        """Tells the members whom a message names or answers, where it is; never what it says."""
        for (account, inbox), reason in self.addressed.notices(item):
            stand = self.standings.get((account, channel.access_id), STRANGER)
            is_there = stand.standing.state == "member" and access.can("read", stand.standing, channel.place)
            if is_there and (channel.id, account, item.account) not in self.silent:
                about = {"channel": channel.id, "seq": stored.seq}
                self._add(inbox, "notice", item.persona, None, data={"about": about, "reason": reason})

    def _change(self, item: Change, channel: ChannelRow, stand: Stand) -> Stored:
        key = (item.channel, item.seq)
        target = self._target(key, channel, stand)
        if target is None or target.kind != "message":
            raise HubError("entry_unknown")
        if isinstance(item, Delete):
            return self._delete(item, key, target, channel, stand)
        self._require(item.action, item, channel, stand)
        if target.is_deleted:
            raise HubError("deleted")
        if isinstance(item, Edit):
            require_plain(stand.came_at, item.text, self.now)
            return self._edit(item, key, target, channel)
        if isinstance(item, React):
            return self._react(item, key, target)
        return self._pin(item, key, target)

    def _edit(self, item: Edit, key: Key, target: Target, channel: ChannelRow) -> Stored:
        if target.author_id != item.persona:
            raise HubError("not_allowed")
        assert target.text is not None, "only a deleted message has no text"
        if target.text == item.text:  # said again after its reply was lost
            return Stored(target.rev or item.seq, target.edited_at or target.at, changed=False)
        people = self._people(channel, item.text)
        data: dict[str, Any] = orjson.loads(target.data) if target.data else {}
        data.pop("mentions", None)
        _show_mentions(data, people)
        stored = self._append(item, "edit", item.seq)
        self.revisions.append((*key, stored.seq, target.edited_at or target.at, target.text))
        self.edited[key] = stored.at
        self.mentions[key] = {one.account for one in people}
        self._changed(key, stored, target, text=item.text, data=_json(data), edited_at=stored.at)
        return stored

    def _delete(self, item: Delete, key: Key, target: Target, channel: ChannelRow, stand: Stand) -> Stored:
        is_own = target.author_id == item.persona
        self._require("delete_own" if is_own else "delete_any", item, channel, stand)
        if target.is_deleted:  # said again after its reply was lost
            return Stored(target.rev or item.seq, target.at, changed=False)
        stored = self._append(item, "delete", item.seq)
        self.emptied[key] = stored.at
        self._changed(key, stored, target, text=None, data=None, edited_at=None, is_deleted=True, is_pinned=False)
        return stored

    def _react(self, item: React, key: Key, target: Target) -> Stored:
        mark = (*key, item.emoji, item.persona)
        if (mark in self.reacted) == item.on:
            return Stored(0, 0, changed=False)
        counts = self.emoji.setdefault(key, {})
        if item.on and item.emoji not in counts and len(counts) >= REACTIONS_PER_MESSAGE:
            raise HubError("reactions_full")
        stored = self._append(item, "reaction", item.seq, data={"emoji": item.emoji, "on": item.on})
        (self.reacted.add if item.on else self.reacted.discard)(mark)
        counts[item.emoji] = counts.get(item.emoji, 0) + (1 if item.on else -1)
        if not counts[item.emoji]:
            del counts[item.emoji]
        self.reactions[mark] = stored.at if item.on else None
        self._changed(key, stored, target)
        return stored

    def _pin(self, item: Pin, key: Key, target: Target) -> Stored:
        if target.is_pinned == item.on:
            return Stored(0, 0, changed=False)
        stored = self._append(item, "pin", item.seq, data={"on": item.on})
        self.pinned[key] = stored.at if item.on else None
        self._changed(key, stored, target, is_pinned=item.on)
        return stored

    def _require(self, action: access.Action, item: Item, channel: ChannelRow, stand: Stand) -> None:
        """Raises what `access.require` does; asked once for all of a member's items, as rights stand still here."""
        asked = (action, item.account, item.channel)
        if asked not in self.granted:
            access.require(action, stand.standing, channel.place)
            self.granted.add(asked)

    def _target(self, key: Key, channel: ChannelRow, stand: Stand) -> Target | None:
        """The message there, if this account may have it; one of this very batch too."""
        if key[1] < stand.first(channel._replace(head=self.heads[channel.id][0])):
            return None
        if key not in self.targets and (row := self.sent.get(key)) is not None:
            self.targets[key] = Target("message", row.author_id, row.at, row.text, row.data, None, None, False, False)
        return self.targets.get(key)

    def _people(self, channel: ChannelRow, text: str) -> list[changes.Mentioned]:
        """The members that a text names."""
        found = (self.mentioned.get((channel.access_id, handle)) for handle in handles(text))
        return [person for person in found if person is not None]

    def _append(
        self, item: Item, kind: str, target: int | None, *, text: str | None = None, data: dict[str, Any] | None = None
    ) -> Stored:
        return self._add(item.channel, kind, item.persona, target, nonce=item.nonce, text=text, data=data)

    def _add(
        self, channel_id: int, kind: str, author: int, target: int | None, *,
        nonce: str | None = None, text: str | None = None, data: dict[str, Any] | None = None,
    ) -> Stored:  # fmt: skip
        head, head_at = self.heads[channel_id]
        seq, at = head + 1, max(self.now, head_at)  # time never runs back in a channel
        self.heads[channel_id] = (seq, at)
        row = NewEntry(channel_id, seq, kind, author, at, target, nonce, None, text, _json(data))
        self.rows.append(row)
        if kind == "message":
            self.sent[channel_id, seq] = row
        return Stored(seq, at)

    def _changed(self, key: Key, stored: Stored, target: Target, **values: Any) -> None:
        self.revs[key] = stored.seq
        self.targets[key] = target._replace(rev=stored.seq, **values)

    # ------------------------------------------------------------ writing

    def write(self) -> None:
        """One statement a table; what was sent and deleted in the same batch leaves nothing behind."""
        if not self.rows:
            return
        connection, emptied = self.connection, self.emptied
        insert_entries(connection, self.rows)
        if self.edited:
            texts = [(*key, t.text or "", t.data, at) for key, at in self.edited.items() if (t := self.targets[key])]
            changes.replace_texts(connection, [row for row in texts if row[:2] not in emptied])
            changes.keep_revisions(connection, [row for row in self.revisions if row[:2] not in emptied])
        self._write_reactions()
        if self.pinned:
            changes.set_pins(connection, [(*key, at) for key, at in self.pinned.items() if key not in emptied])
        if self.mentions:
            named = [(*key, account) for key, accounts in self.mentions.items() for account in accounts]
            changes.set_mentions(connection, named, list(self.edited))
        if emptied:
            changes.empty_messages(connection, [(*key, at) for key, at in emptied.items()])
        if self.revs:
            changes.set_revs(connection, [(*key, rev) for key, rev in self.revs.items()])
        self.limits.write()
        set_heads(connection, [(channel, *self.heads[channel]) for channel in {row.channel_id for row in self.rows}])

    def _write_reactions(self) -> None:
        # A mark that was set and taken back in one batch was either never there or is to go: both end as "remove"
        off = [mark for mark, at in self.reactions.items() if at is None]
        on = [(*mark, at) for mark, at in self.reactions.items() if at is not None]
        if self.reactions:
            changes.remove_reactions(self.connection, [*off, *(row[:4] for row in on)])
        if on:
            changes.add_reactions(self.connection, on)

    # ------------------------------------------------------------ what readers get

    def entries(self) -> list[Entry]:
        """The appended entries as readers see them at this commit."""
        return [self._entry(row) for row in self.rows]

    def _entry(self, row: NewEntry) -> Entry:
        data = orjson.loads(row.data) if row.data else None
        if row.kind != "message":
            text = self._edited_text(row) if row.kind == "edit" else None
            return Entry(row.channel_id, row.seq, row.kind, row.author_id, row.at, text, row.target_seq, data=data)
        entry = Entry(row.channel_id, row.seq, row.kind, row.author_id, row.at, row.text, nonce=row.nonce, data=data)
        if (row.channel_id, row.seq) in self.revs:
            self._show_changes(entry, self.targets[row.channel_id, row.seq])
        return entry

    def _show_changes(self, entry: Entry, target: Target) -> None:
        """A message that was changed in the very batch that stored it goes out as it is now."""
        entry.rev, entry.deleted, entry.pinned = target.rev, target.is_deleted, target.is_pinned
        entry.text, entry.edited_at = target.text, target.edited_at
        entry.data = orjson.loads(target.data) if target.data else None
        marks = [
            mark for mark, at in self.reactions.items() if at is not None and mark[:2] == (entry.channel, entry.seq)
        ]
        shown: dict[str, dict[str, Any]] = {}
        for *_, emoji, persona in marks:
            reaction = shown.setdefault(emoji, {"count": 0, "people": []})
            reaction["count"] += 1
            reaction["people"].append(persona)
        entry.reactions = shown or None

    def _edited_text(self, row: NewEntry) -> str | None:
        """An edit's text, where every reader of the channel may have it (see storage/entries.py)."""
        channel = self.channels[row.channel_id]
        assert row.target_seq is not None
        if channel.history != "all" or row.target_seq < channel.open_from:
            return None
        target = self.targets[row.channel_id, row.target_seq]
        return None if target.is_deleted else target.text


def _show_mentions(data: dict[str, Any], people: list[changes.Mentioned]) -> None:
    """Whom everybody may see named. Who is not shown in the list of members is told, and nobody else learns of it:
    else naming somebody would be a way to ask whether they are here.
    """
    if shown := [one.persona for one in people if one.is_shown]:
        data["mentions"] = shown


def _json(data: dict[str, Any] | None) -> str | None:
    return orjson.dumps(data).decode() if data else None
