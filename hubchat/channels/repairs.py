"""What a node has missed of its channels: found by comparing heads with SQL, read from there, offered to the gate."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import Context
from typing import Final

from hubchat.channels.counts import Counts
from hubchat.channels.encoded import Encoded
from hubchat.channels.live import Live
from hubchat.errors import HubError
from hubchat.storage.channels import read_heads
from hubchat.storage.database import Database
from hubchat.storage.entries import read_range

log = logging.getLogger(__name__)

AT_ONCE: Final = 4  # repairs under way on a node: each is a database read
ENTRIES: Final = 500  # in one read
REACH_S: Final = 5.0  # for a node to come to where another one was: longer than it is behind without Redis
REACH_LOOK_S: Final = 0.02


class Repairs:
    """The repairs of a node's live channels, and the comparisons that find what needs one."""

    def __init__(
        self,
        database: Database,
        channels: Mapping[int, Live],
        offer: Callable[[Sequence[Encoded]], None],
        counts: Counts,
    ) -> None:
        self.database = database
        self.channels = channels
        self.is_replaced = False  # history was seen to run back
        self._offer = offer
        self._counts = counts
        self._doubted: set[int] | None = set()  # channels in which something may have been missed; None: all
        self._comparing: asyncio.Task[None] | None = None
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        tasks = [*self._tasks, *filter(None, [self._comparing])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ------------------------------------------------------------ reading what is missing

    def begin(self, live: Live, wait_s: float = 0.0) -> None:
        """Asks the log for what follows `at`, unless it came by itself within `wait_s`. One a channel."""
        if live.repairing:
            return
        live.repairing = True
        self._counts.repairs += 1
        task = asyncio.create_task(self._repair(live, wait_s), context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _repair(self, live: Live, wait_s: float) -> None:
        try:
            before = live.next
            await asyncio.sleep(wait_s)
            if wait_s and live.next > before and not live.held:
                return
            async with self._turns:
                await self._read_on(live)
        except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
            log.warning("repair failed; heads are compared again", extra={"cause": type(error).__name__})
            if self._doubted is not None:
                self._doubted.add(live.id)
        finally:
            live.repairing = False

    async def _read_on(self, live: Live) -> None:
        while True:
            first = live.next
            missed = await self.database.read(
                lambda connection, first=first: read_range(  # type: ignore[misc]
                    connection, live.id, first, first + ENTRIES - 1, ENTRIES
                )
            )
            self._offer([Encoded(entry) for entry in missed if entry.seq >= live.next])
            if missed and live.next == first:  # nothing is handed out just now
                live.behind = True
                return
            if len(missed) < ENTRIES:
                return

    async def reach(self, live: Live, seq: int) -> None:
        """Waits until this node is where a reader was that comes from another one: `seq`, which SQL has.

        Raises `unavailable` when that takes too long; the reader may try again, here or elsewhere.
        """
        wait_s = REACH_LOOK_S
        try:
            async with asyncio.timeout(REACH_S):
                while live.at < seq:
                    self.begin(live)
                    await asyncio.sleep(wait_s)
                    wait_s *= 2
        except TimeoutError:
            raise HubError("overloaded", retry_after_ms=1_000) from None

    # ------------------------------------------------------------ finding what is missing

    def doubt(self, channels: Collection[int] | None) -> None:
        """Something may have been missed in these channels, or in any: they are compared now, else by the watch."""
        if channels is None or self._doubted is None:
            self._doubted = None
        else:
            self._doubted |= set(channels)
        if self._comparing is None:
            self._comparing = asyncio.create_task(self._compare_now(), context=Context())

    async def _compare_now(self) -> None:
        try:
            while self._doubted is None or self._doubted:
                await self.compare_doubted()
        except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
            log.warning("heads could not be compared", extra={"cause": type(error).__name__})
        finally:
            self._comparing = None

    async def compare_doubted(self) -> None:
        """Compares the channels in which something may have been missed, if any. Raises Unavailable."""
        doubted, self._doubted = self._doubted, set()
        try:
            if doubted is None or doubted:
                await self.compare(doubted)
        except BaseException:
            self._doubted = None if doubted is None or self._doubted is None else self._doubted | doubted
            raise

    async def compare(self, channels: Collection[int] | None = None) -> None:
        """Compares these channels with SQL, or all, and repairs those that are behind. Raises Unavailable.

        A head below what was handed out before it was asked for means that history was replaced.
        """
        lives = [live for live in self.channels.values() if live.opened and (channels is None or live.id in channels)]
        handed_out = {live.id: live.at for live in lives}
        heads = await self.database.read(lambda connection: read_heads(connection, list(handed_out)))
        if any(heads.get(channel, at) < at for channel, at in handed_out.items()):
            self.is_replaced = True
            return
        for live in lives:
            if heads.get(live.id, 0) >= live.next:
                self.begin(live)
