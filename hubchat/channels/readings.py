"""Read positions: gathered per member and channel, written together at most once a second."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from typing import Final, Literal, TypeAlias

from hubchat.channels.bus import Signal
from hubchat.channels.hub import Hub
from hubchat.errors import HubError
from hubchat.storage.channels import read_channels
from hubchat.storage.database import Connection, Database
from hubchat.storage.readings import mark_read, read_mine, read_positions, set_read

log = logging.getLogger(__name__)

GATHER_S: Final = 1.0  # what a crash may cost: a second's reading is unread again
WAITING: Final = 100_000  # positions that may wait while the database is away; more are refused

Changed: TypeAlias = Literal["blocks", "channels", "me"]
"""What a member may have changed on another device."""


class Readings:
    """Where members stand. Their connections hear what is unread after they read, and after notices."""

    def __init__(self, database: Database, hub: Hub) -> None:
        self.database = database
        self.hub = hub
        hub.on_notices = self.noticed
        hub.on_signal["read"] = self._hear
        hub.on_signal["changed"] = self._hear_changed
        self._telling: set[asyncio.Task[None]] = set()
        self._waiting: dict[tuple[int, int], int] = {}
        self._least: dict[int, int] = {}  # account → how many connections it must have for one to be told
        self._task: asyncio.Task[None] | None = None

    def note(self, account: int, channel: int, seq: int, *, live: bool = False) -> None:
        """The member has read up to `seq`; positions only move forward. Raises `overloaded` at the bound.

        `live` says that it came by a connection, which need not be told.
        """
        key = (channel, account)
        self._least[account] = min(self._least.get(account, 2), 2 if live else 1)
        if key not in self._waiting and len(self._waiting) >= WAITING:
            raise HubError("overloaded", retry_after_ms=1_000)
        self._waiting[key] = max(seq, self._waiting.get(key, 0))
        if self._task is None:
            self._task = asyncio.create_task(self._later(), context=Context())  # it stores for many

    async def move_back(self, account: int, channel: int, seq: int) -> None:
        """Makes `seq` and what follows it unread."""
        self._waiting.pop((channel, account), None)
        await self.database.write(lambda connection: set_read(connection, channel, account, seq - 1))
        self.hub.bus.tell_account(account, {"signal": "read", "channel": channel})
        await self._tell({account: {channel}})

    async def settle(self, account: int) -> None:
        """Stores what waits of this member before they ask what is unread; if it can't be, they see it later."""
        try:
            await self._store({key: seq for key, seq in self._waiting.items() if key[1] == account})
        except HubError as error:
            log.warning("read positions wait: %s", error.reason)

    async def flush(self) -> None:
        """Stores all that waits, now."""
        await self._store(dict(self._waiting))

    def tell_afresh(self, account: int, tell: Callable[[Mapping[str, object]], None]) -> None:
        """Tells one connection what is unread in every channel of its member: signals that it missed are not kept."""
        self._start(self._tell_afresh(account, tell))

    async def _tell_afresh(self, account: int, tell: Callable[[Mapping[str, object]], None]) -> None:
        try:
            positions = await self.database.read(lambda connection: read_mine(connection, account))
        except HubError as error:
            log.warning("unread counts not told: %s", error.reason)
        else:
            tell(_signal({one.channel.id: one.unread for one in positions if one.first is not None}))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _store(self, rows: Mapping[tuple[int, int], int]) -> None:
        if not rows:
            return
        for key in rows:
            del self._waiting[key]
        try:
            moved = [(channel, account, seq) for (channel, account), seq in rows.items()]
            await self.database.write(lambda connection: mark_read(connection, moved))
        except BaseException:
            for key, seq in rows.items():  # nothing is lost while the database is away
                self._waiting[key] = max(seq, self._waiting.get(key, 0))
            raise
        others: dict[int, set[int]] = {}
        for channel, account in rows:
            if len(self.hub.accounts.get(account, ())) >= self._least.get(account, 1):
                others.setdefault(account, set()).add(channel)
            self.hub.bus.tell_account(account, {"signal": "read", "channel": channel})
        for _, account in rows:
            self._least.pop(account, None)
        await self._tell_quietly(others)

    async def unread(self, account: int, channels: set[int]) -> dict[int, int]:
        """How many entries are unread in each of these channels."""

        def read(connection: Connection) -> dict[int, int]:
            rows = read_channels(connection, channels)
            return {
                position.channel.id: position.unread
                for position in read_positions(connection, account, list(rows.values()))
                if position.first is not None
            }

        return await self.database.read(read)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            await self.flush()
        except HubError as error:  # nobody comes back to try again
            log.warning("read positions of the last seconds are lost: %s", error.reason)

    async def _later(self) -> None:
        try:
            await asyncio.sleep(GATHER_S)
            while self._waiting:
                try:
                    await self.flush()
                except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
                    log.warning("read positions wait", extra={"cause": type(error).__name__})
                if self._waiting:
                    await asyncio.sleep(GATHER_S)
        finally:
            self._task = None

    def noticed(self, account: int, channels: set[int]) -> None:
        """Notices about these channels were committed: the member hears what is unread there."""
        self._start(self._tell_quietly({account: channels}))

    def _hear(self, _node: int, account: int, signal: Signal) -> None:
        """A member has read on another node: their connections here hear what is unread now."""
        if account in self.hub.accounts:
            self.noticed(account, {int(signal["channel"])})

    def tell_changed(self, account: int, what: Changed) -> None:
        """Tells the member's connections, on every node, that something of theirs is to be read again.

        A hint, as every signal: who missed it reads it when they connect.
        """
        self._hear_changed(0, account, {"what": what})
        self.hub.bus.tell_account(account, {"signal": "changed", "what": what})

    def _hear_changed(self, _node: int, account: int, signal: Signal) -> None:
        for reader in self.hub.accounts.get(account, ()):
            reader.signal({**_signal({}), "changed": [signal["what"]]})

    async def _tell_quietly(self, moved: Mapping[int, set[int]]) -> None:
        try:
            await self._tell(moved)
        except HubError as error:  # a hint only: clients ask for their channels when they connect
            log.warning("unread counts not told: %s", error.reason)

    async def _tell(self, moved: Mapping[int, set[int]]) -> None:
        for account, channels in moved.items():
            if account in self.hub.accounts:
                signal = _signal(await self.unread(account, channels))
                for reader in list(self.hub.accounts.get(account, ())):
                    reader.signal(signal)


def _signal(unread: Mapping[int, int]) -> Mapping[str, object]:
    return {"signal": "inbox", "unread": {str(channel): count for channel, count in unread.items()}}
