"""A hub with members, for tests that need no sockets: a real node on a real database, and its verbs."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlmodel import SQLModel

from hubchat import settings
from hubchat.access import SCOPES, HubRole, Visibility
from hubchat.actions import groups, invites, members
from hubchat.actions.groups import NewGroup
from hubchat.channels.items import Message
from hubchat.node import Node, open_node
from hubchat.storage.accounts import NewAccount, insert_account
from hubchat.storage.channels import ACCESS, ChannelRow, read_channel
from hubchat.storage.database import new_id
from hubchat.storage.entries import read_range
from hubchat.storage.groups import read_roster
from hubchat.storage.migrating import begin
from hubchat.storage.sessions import Caller
from hubchat.storage.standings import Stand, read_standings
from hubchat.wire import Entry

T = TypeVar("T")


class Community:
    """Members and groups of one hub, by the words that a story uses."""

    def __init__(self, node: Node) -> None:
        self.node = node

    async def member(self, handle: str, hub_role: HubRole = "member", *, trusted: bool = True) -> Caller:
        """A new member, as they are once signed in."""
        new = NewAccount(handle, handle.title(), role=hub_role, trusted=trusted)
        made = await self.node.log.write(lambda tx: insert_account(tx.connection, new, tx.now))
        assert made is not None
        return Caller(
            made.account_id, made.persona_id, handle, new.name, made.inbox_id, hub_role, "shared", new_id(), None,
            frozenset(SCOPES), 0, 0,
        )  # fmt: skip

    async def members(self, *handles: str) -> list[Caller]:
        return [await self.member(handle) for handle in handles]

    async def group(self, owner: Caller, visibility: Visibility = "open", *others: Caller, **more: Any) -> int:
        """A new group of `owner`'s with `others` in it, whatever its door."""
        slug = None if visibility == "secret" else f"g-{new_id():x}"
        group_id = await groups.create(self.node, owner, NewGroup("A group", visibility, slug, **more))
        for other in others:
            await self.let_in(owner, group_id, other)
        return group_id

    async def let_in(self, owner: Caller, group_id: int, other: Caller) -> None:
        """By the group's own door, opened from inside where that is needed."""
        room = await self.channel(group_id)
        if room.joining == "invitation":
            await invites.invite(self.node, owner, group_id, other.handle)
        if await members.join(self.node, other, group_id) == "requested":
            await members.decide(self.node, owner, group_id, other.handle, approve=True)

    async def say(self, author: Caller, channel: int, text: str = "hello") -> int:
        """Sends a message and gives its seq."""
        stored = await self.node.log.append(
            lambda done: Message(author.account_id, author.persona_id, channel, done, text)
        )
        return stored.seq

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        return await self.node.database.read(work)

    async def channel(self, channel_id: int) -> ChannelRow:
        found = await self.read(lambda connection: read_channel(connection, channel_id))
        assert found is not None
        return found

    async def entries(self, channel_id: int, kind: str | None = None) -> list[Entry]:
        """Everything in a channel's log, or of one kind."""
        found = await self.read(lambda connection: read_range(connection, channel_id, 1, 10_000, 10_000))
        return [entry for entry in found if kind in (None, entry.kind)]

    async def roster(self, group_id: int) -> list[tuple[int, str]]:
        """What a group's roster told: (person, change)."""
        roster_id = await self.read(lambda connection: read_roster(connection, group_id))
        assert roster_id is not None
        return [(entry.data["person"], entry.data["change"]) for entry in await self.entries(roster_id) if entry.data]

    async def notices(self, who: Caller) -> list[dict[str, Any]]:
        """What is in somebody's inbox, oldest first."""
        return [entry.data or {} for entry in await self.entries(who.inbox_id, "notice")]

    async def reasons(self, who: Caller) -> list[str]:
        return [notice["reason"] for notice in await self.notices(who)]

    async def stand(self, who: Caller, channel_id: int) -> Stand:
        """How somebody stands to an access channel."""
        key = (who.account_id, channel_id)
        return (await self.read(lambda connection: read_standings(connection, [key])))[key]

    async def states(self, channel_id: int, people: Iterable[Caller]) -> list[str]:
        return [(await self.stand(who, channel_id)).standing.state for who in people]

    async def count(self, table: str, channel: int) -> int:
        """How many rows of a table are about a channel."""
        key = "access_id" if table in ("membership", "invite") else "channel_id"
        query = sa.text(f"SELECT count(*) FROM {table} WHERE {key} = :channel")
        return await self.read(lambda connection: int(connection.execute(query, {"channel": channel}).scalar_one()))

    async def revocations(self) -> list[dict[str, Any]]:
        """What the access channel told of lost rights, oldest first: the reason, and whose by id."""
        told = [entry.data or {} for entry in await self.entries(ACCESS)]
        return [{"reason": one["reason"], **one["about"]} for one in told if one["reason"] != "presence"]

    async def empty(self) -> None:
        """Forgets everything; who opens the database next finds it as it is after the first migration."""

        def forget(connection: sa.Connection) -> None:
            for table in reversed(SQLModel.metadata.sorted_tables):
                connection.execute(table.delete())
            begin(connection)

        await self.node.database.write(forget)


@asynccontextmanager
async def open_community(database_url: str, folder: Path, **given: Any) -> AsyncIterator[Community]:
    """A community on an empty database, or another node of one, with these settings."""
    async with open_node(settings.load(data=folder, database_url=database_url, **given)) as node:
        yield Community(node)
