"""The transaction that publishes: what it appends is handed to readers after it commits, and only then (law 3).

Used by the log alone; verbs in actions/ get one from `Log.write`.
"""

from dataclasses import dataclass, field
from typing import Any

import orjson

from hubchat.channels.batch import commit_items
from hubchat.channels.items import Item, Stored
from hubchat.errors import HubError
from hubchat.storage.channels import ACCESS, ChannelRow, lock_channels, set_heads
from hubchat.storage.database import Connection, now_ms
from hubchat.storage.entries import NewEntry, insert_entries, read_entries
from hubchat.storage.jobs import put_job
from hubchat.wire import ENTRY_FIELDS, Entry


@dataclass
class Transaction:
    """One transaction of a verb. First `lock`, then read and check, then write and `append`."""

    connection: Connection
    now: int = field(default_factory=now_ms)
    channels: dict[int, ChannelRow] = field(default_factory=dict)
    appended: list[NewEntry] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    has_jobs: bool = False
    carried: list[Entry] = field(default_factory=list)

    def lock(self, *channel_ids: int) -> dict[int, ChannelRow]:
        """Locks channels in the order of their ids, all that this verb will append to, at once and first.

        Raises `channel_unknown` where one does not exist. The access channel is the last of all; `revoke` locks it.
        """
        assert not self.channels, "a second lock could wait for a transaction that waits for the first"
        self.channels = lock_channels(self.connection, channel_ids)
        if len(self.channels) != len(set(channel_ids)):
            raise HubError("channel_unknown")
        return self.channels

    def append(
        self,
        channel_id: int,
        kind: str,
        *,
        author: int | None = None,
        target: int | None = None,
        text: str | None = None,
        nonce: str | None = None,
        data: dict[str, Any] | None = None,
    ) -> int:
        """Appends one entry to a locked channel and gives its seq."""
        assert not data or ENTRY_FIELDS.isdisjoint(data), "what a kind adds has names of its own"
        channel = self.channels[channel_id]
        at = max(self.now, channel.head_at)  # time never runs back in a channel
        self.channels[channel_id] = channel._replace(head=channel.head + 1, head_at=at)
        row = NewEntry(
            channel_id, channel.head + 1, kind, author, at, target, nonce, None, text,
            orjson.dumps(data).decode() if data else None,
        )  # fmt: skip
        self.appended.append(row)
        return row.seq

    def carry_out(self, item: Item) -> Stored:
        """Does here what a message or a change to one does by itself; raises what it would be refused with.

        Its channel is locked, and nothing else of this transaction appends to it.
        """
        assert all(row.channel_id != item.channel for row in self.appended), "its number would be given twice"
        made = commit_items(self.connection, [item], self.now)
        if isinstance(result := made.results[0], HubError):
            raise result
        self.carried += made.entries
        return result

    def created(self, channel: ChannelRow) -> None:
        """Makes a channel that this transaction inserted one it may append to."""
        self.channels[channel.id] = channel

    def revoke(self, reason: str, **whom: int) -> None:
        """Says on the access channel whose rights changed: any of account, channel, session, token, by id.

        `reason` is left, removed, banned, ended … With account and channel that account's delivery ends there in
        any case; with a channel alone, rights to it and its children are asked again; with an account, session
        or token alone its connections are closed. `presence` with an account: no right is lost; who sees it, and
        where it is a member, is asked again. `tail` with a channel: none is lost either; nodes forget what it kept.
        """
        if ACCESS not in self.channels:
            self.channels |= lock_channels(self.connection, [ACCESS])
        self.append(ACCESS, "access", data={"reason": reason, "about": whom})

    def enqueue(self, kind: str, subject: int | None = None, *, key: str | None = None) -> None:
        """Leaves work to be done after the commit, here or on another node. One with the same `key` is enough."""
        put_job(self.connection, kind, subject, key=key)
        self.has_jobs = True

    def finish(self) -> None:
        """Stores what was appended, and reads it as readers will see it; the last thing before the commit."""
        if not self.appended:
            self.entries = self.carried
            return
        insert_entries(self.connection, self.appended)
        touched = {row.channel_id for row in self.appended}
        heads = [(channel.id, channel.head, channel.head_at) for channel in self.channels.values()]
        set_heads(self.connection, [head for head in heads if head[0] in touched])
        found = read_entries(self.connection, [(row.channel_id, row.seq) for row in self.appended])
        self.entries = [*self.carried, *(found[row.channel_id, row.seq] for row in self.appended)]
