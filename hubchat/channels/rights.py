"""Losing a right: what the access channel says ends delivery on this node within a second, whatever happens.

And joining: who subscribed before hears from then on what members alone hear.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from hubchat.access import can
from hubchat.channels.hub import Hub
from hubchat.channels.live import Live, Subscription
from hubchat.errors import ACCOUNT_ENDED, SIGN_IN_ENDED
from hubchat.storage.channels import read_channels
from hubchat.storage.standings import STRANGER, read_standings
from hubchat.wire import Entry

log = logging.getLogger(__name__)

ASK_S: Final = 0.5  # before rights are asked again of a database that was away


class Rights:
    """Acts on access entries."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_standing: Callable[[int], None] = lambda account: None
        self.on_deleted: Callable[[], None] = lambda: None
        hub.on_access = self.act

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ------------------------------------------------------------ acting

    def act(self, entries: Sequence[Entry]) -> None:
        """Ends what these entries say; delivery to channels whose rights must be asked again waits for the answer."""
        asked: list[Live] = []
        outside: list[Subscription] = []
        for entry in entries:
            said: dict[str, Any] = entry.data or {}
            whom, reason = said["about"], said["reason"]
            account, channel = whom.get("account"), whom.get("channel")
            if account is not None:
                self.on_standing(account)
            elif reason == "deleted":
                self.on_deleted()
            if reason == "tail":
                self.hub.recent.forget(channel)
                continue  # what is older is not kept any more; no right is lost
            if reason == "presence":
                outside += self._outside(whom["account"])
                continue  # who shows themselves to whom, and who has joined; no right is lost
            if channel is None:
                self._end_connections(account, whom.get("session"), whom.get("token"))
            elif account is not None:
                self._end_subscriptions(account, channel, reason)
            else:
                asked += self._concerned(channel)
        if asked:
            self.hub.block(asked)
            self._start(self._ask_again(asked))
        if outside:
            self._start(self._let_in(outside))

    def _end_connections(self, account: int | None, session: int | None, token: int | None) -> None:
        whole = session is None and token is None
        accounts = [account] if account is not None else list(self.hub.accounts)
        for reader in [reader for one in accounts for reader in self.hub.accounts.get(one, ())]:
            if whole:
                reader.bye(ACCOUNT_ENDED)
            elif (session and reader.session_id == session) or (token and reader.token_id == token):
                reader.bye(SIGN_IN_ENDED)

    def _end_subscriptions(self, account: int, channel: int, reason: str) -> None:
        readers = self.hub.accounts.get(account, ())
        for live in self._concerned(channel):
            for subscription in [live.subscriptions[reader] for reader in readers if reader in live.subscriptions]:
                self._end(subscription, reason)

    def _concerned(self, channel: int) -> list[Live]:
        """The channels on this node whose rights hang on `channel`."""
        return [live for live in self.hub.channels.values() if channel in (live.access_id, live.id)]

    def _outside(self, account: int) -> list[Subscription]:
        """The account's subscriptions to channels of which it was no member yet."""
        readers = self.hub.accounts.get(account, ())
        found = [live.subscriptions.get(reader) for reader in readers for live in self.hub.channels.values()]
        return [subscription for subscription in found if subscription is not None and not subscription.member]

    async def _let_in(self, outside: list[Subscription]) -> None:
        """Asks who of them is a member now. The entry's order says nothing: somebody may have left again since."""
        pairs = {one: (one.reader.account_id or 0, one.live.access_id) for one in outside}
        try:
            standings = await self.hub.database.read(lambda connection: read_standings(connection, pairs.values()))
        except Exception as error:  # noqa: BLE001  # the edge of a task: logged; they hear it once they subscribe again
            log.warning("who has joined could not be asked", extra={"cause": type(error).__name__})
            return
        for subscription, pair in pairs.items():
            if subscription.is_current and standings[pair].standing.state == "member":
                subscription.member = True

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
                    await asyncio.sleep(ASK_S)
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

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
