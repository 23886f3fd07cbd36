"""Losing a right: what the access channel says ends delivery on this node within a second, whatever happens.

Also the watch that reads that channel, and every head, from SQL: so that commands beside the server, and other
nodes, are heard, and so that a node that was asleep or cut off hands out nothing it should not.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from time import monotonic
from typing import Final

from hubchat.access import can
from hubchat.channels.encoded import Encoded
from hubchat.channels.hub import Hub, Live, Subscription
from hubchat.errors import ACCOUNT_ENDED, HISTORY_REPLACED, SIGN_IN_ENDED
from hubchat.storage.channels import ACCESS, forget_access, read_channels, read_heads
from hubchat.storage.database import Connection, now_ms
from hubchat.storage.entries import read_range
from hubchat.storage.standings import STRANGER, read_standings
from hubchat.wire import Entry

log = logging.getLogger(__name__)

WATCH_S: Final = 0.5
SWEEP_EVERY: Final = 20  # watches between looks at channels that lost their readers
MISSED: Final = 500
TIDY_EVERY: Final = 7_200  # watches: an hour
KEPT_MS: Final = 86_400_000  # of the access channel; a node that slept longer asks everybody to come again


class Rights:
    """Acts on access entries and watches the log of access for them."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_standing: Callable[[int], None] = lambda account: None
        self.on_deleted: Callable[[], None] = lambda: None
        hub.on_access = self.act

    async def open(self) -> None:
        """Takes where the access channel stands, and begins to watch."""
        hub = self.hub
        live = hub.channels[ACCESS] = Live(ACCESS)
        await hub.open(live, ACCESS)
        hub.freshen(monotonic())
        self._start(self._watch())

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ------------------------------------------------------------ acting

    def act(self, entries: Sequence[Entry]) -> None:
        """Ends what these entries say; delivery to channels whose rights must be asked again waits for the answer."""
        asked: list[Live] = []
        for entry in entries:
            said = entry.data or {}
            account, channel = said.get("account"), said.get("channel")
            if account is not None:
                self.on_standing(account)
            elif said["reason"] == "deleted":
                self.on_deleted()
            if said["reason"] == "presence":
                continue  # who shows themselves to whom; no right is lost
            if channel is None:
                self._end_connections(account, said.get("session"), said.get("token"))
            elif account is not None:
                self._end_subscriptions(account, channel, said["reason"])
            else:
                asked += self._concerned(channel)
        if asked:
            self.hub.block(asked)
            self._start(self._ask_again(asked))

    def _end_connections(self, account: int | None, session: int | None, token: int | None) -> None:
        whole = session is None and token is None
        accounts = [account] if account is not None else list(self.hub.accounts)
        for reader in [reader for one in accounts for reader in self.hub.accounts.get(one, ())]:
            if whole:
                reader.bye(ACCOUNT_ENDED)
            elif (session and reader.session_id == session) or (token and reader.token_id == token):
                reader.bye(SIGN_IN_ENDED)

    def _end_subscriptions(self, account: int, channel: int, reason: str) -> None:
        readers = self.hub.accounts.get(account, set())
        for live in self._concerned(channel):
            for reader in readers & live.subscriptions.keys():
                self._end(live.subscriptions[reader], reason)

    def _concerned(self, channel: int) -> list[Live]:
        """The channels on this node whose rights hang on `channel`."""
        return [live for live in self.hub.channels.values() if channel in (live.access_id, live.id)]

    def _end(self, subscription: Subscription, reason: str) -> None:
        self.hub.leave(subscription)
        subscription.reader.revoke(subscription, reason)

    async def _ask_again(self, lives: list[Live]) -> None:
        """Asks every right to these channels in one query. While the database is away nothing of them goes out."""
        try:
            while True:
                try:
                    await self._ask(lives)
                    return
                except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
                    log.warning("rights could not be asked; delivery waits", extra={"cause": type(error).__name__})
                    await asyncio.sleep(WATCH_S)
        finally:
            self.hub.unblock(lives)

    async def _ask(self, lives: list[Live]) -> None:
        accounts = {reader.account_id for live in lives for reader in live.subscriptions}
        pairs = [(account, live.access_id) for live in lives for account in accounts if account is not None]
        channels, standings = await self.hub.database.read(
            lambda connection: (
                read_channels(connection, [live.id for live in lives]),
                read_standings(connection, pairs),
            )
        )
        for live in lives:
            channel = channels.get(live.id)
            is_gone = channel is None or channel.state == "deleted"
            if is_gone:
                self.hub.recent.forget(live.id)
            for subscription in list(live.subscriptions.values()):
                account = subscription.reader.account_id
                stand = STRANGER if account is None else standings.get((account, live.access_id))
                if stand is None:
                    continue  # joined after the question; its own right was asked after the change
                if channel is None or not can("read", stand.standing, channel.place):
                    self._end(subscription, "deleted" if is_gone else "visibility")

    # ------------------------------------------------------------ watching

    async def _watch(self) -> None:
        """Reads the access channel every 500 ms; compares heads when somebody else wrote."""
        seen: int | None = None
        rounds = 0
        while True:
            try:
                asked_at = monotonic()
                writes = await self.hub.database.foreign_writes()
                await self.look(asked_at, everything=writes is None or writes != seen)
                seen = writes
                rounds += 1
                if rounds % SWEEP_EVERY == 0:
                    self.hub.sweep()
                if rounds % TIDY_EVERY == 0:
                    await self._tidy()
            except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
                seen = None
                log.warning("the access channel can't be read", extra={"cause": type(error).__name__})
            await asyncio.sleep(WATCH_S)

    async def _tidy(self) -> None:
        before = now_ms() - KEPT_MS
        await self.hub.database.write(lambda connection: forget_access(connection, before))
        await self.hub.database.tidy()

    async def look(self, asked_at: float, *, everything: bool) -> None:
        """Reads what the access channel says; then, if asked or if this node was stale, compares every head."""
        if everything:
            await self._read_access()
        if self.hub.freshen(asked_at) or everything:
            await self.hub.compare_heads()

    async def _read_access(self) -> None:
        live = self.hub.channels[ACCESS]
        while True:
            first = live.next
            head, missed = await self.hub.database.read(partial(_read_on, first=first))
            if head >= first and (not missed or missed[0].seq > first):  # what is between is not kept any more
                self._lost_track(live, missed[0].seq - 1 if missed else head)
            self.hub.offer([Encoded(entry) for entry in missed])
            if len(missed) < MISSED:
                return

    def _lost_track(self, live: Live, at: int) -> None:
        """Nobody knows who lost a right meanwhile: everyone comes again, and is asked."""
        live.at = at
        for readers in list(self.hub.accounts.values()):
            for reader in list(readers):
                reader.bye(HISTORY_REPLACED)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _read_on(connection: Connection, first: int) -> tuple[int, list[Entry]]:
    """The head of the access channel, and its entries from `first` on."""
    head = read_heads(connection, [ACCESS]).get(ACCESS, 0)
    return head, read_range(connection, ACCESS, first, first + MISSED - 1, MISSED) if head >= first else []
