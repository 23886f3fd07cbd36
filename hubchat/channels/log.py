"""The only writer: the group commit, and the transaction that publishes what it appended (laws 1–3).

While one commit is under way, what arrives waits; then all of it goes in the next one.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextvars import Context
from functools import partial
from time import monotonic
from typing import Any, Final, TypeVar

from hubchat.channels.batch import Outcome, commit_items
from hubchat.channels.hub import Hub
from hubchat.channels.items import Done, Item, Stored
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.faults import as_fault, log_fault
from hubchat.storage.channels import lock_channels
from hubchat.storage.database import Connection, Database, Locked, OutcomeUnknown, Unavailable, now_ms
from hubchat.storage.entries import read_entries, read_nonces
from hubchat.wire import Entry

log = logging.getLogger(__name__)
T = TypeVar("T")

BATCH: Final = 500  # items a commit: about 20 ms, so that p99 stays within reach
BATCH_BYTES: Final = 1 << 20
WAITING: Final = 10_000  # half a second's work; what comes beyond it is refused at once
WAITING_BYTES: Final = 32 << 20
WAITING_S: Final = 10.0  # longer than a client waits before it asks again
ASK_TRIES: Final = 8  # after a commit of unknown outcome, with growing waits: 6 s in all


class Log:
    """Appends entries. `submit` for messages and their changes, `write` for every other verb.

    `clock` gives the time (ms) of what is written; a hub that is made to look lived in has one of its own.
    `on_stored` are told what was committed here, once it is published; `on_jobs`, when a commit left work to be done.
    """

    def __init__(self, database: Database, hub: Hub) -> None:
        self.database = database
        self.hub = hub
        self.clock: Callable[[], int] = now_ms
        self.on_stored: list[Callable[[Sequence[Entry]], None]] = []
        self.on_jobs: Callable[[], None] = lambda: None
        self._waiting: deque[Item] = deque()
        self._count = 0  # of all that waits, also aside
        self._bytes = 0
        self._runner: asyncio.Task[None] | None = None
        self._aside: dict[int, deque[Item]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._writes: set[asyncio.Task[Any]] = set()  # Any: a verb gives what it likes
        self._closed = False

    @property
    def waiting(self) -> int:
        """Messages and changes that wait for their commit."""
        return self._count

    # ------------------------------------------------------------ in

    def submit(self, item: Item) -> None:
        """Queues an item, in arrival order, without a task; its `done` is told. Raises `overloaded` at the bounds."""
        if self._closed:
            raise HubError("restarting", retry_after_ms=1_000)
        if self._count >= WAITING or self._bytes + item.size > WAITING_BYTES:
            self.hub.counts.refused_log += 1
            raise HubError("overloaded", retry_after_ms=1_000)
        self._count += 1
        self._bytes += item.size
        if self.hub.traces is not None:
            item.came_at = self.hub.traces.came_at
        if item.channel in self._aside:
            self._aside[item.channel].append(item)
            return
        self._waiting.append(item)
        if self._runner is None:
            self._runner = asyncio.create_task(self._run(), context=Context())  # it is nobody's in particular

    async def append(self, make: Callable[[Done], Item]) -> Stored:
        """Submits the item that `make` gives for a `done`, and waits for what becomes of it."""
        return await outcome(lambda done: self.submit(make(done)))

    async def write(self, verb: Callable[[Transaction], T]) -> T:
        """Runs a verb in a transaction of its own; what it appended is published after the commit.

        Raises what the verb raises; Unavailable; OutcomeUnknown, after which heads are compared, so that what is
        stored after all is published. Whoever stops waiting does not stop it: what commits is published.
        """
        task = asyncio.create_task(self._write(verb))
        self._writes.add(task)
        task.add_done_callback(self._written)
        return await asyncio.shield(task)

    def _written(self, task: "asyncio.Task[Any]") -> None:
        self._writes.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits is told; nobody may wait any more

    async def _write(self, verb: Callable[[Transaction], T]) -> T:
        began = monotonic()

        def work(connection: Connection) -> tuple[T, Transaction]:
            transaction = Transaction(connection, self.clock())
            done = verb(transaction)
            transaction.finish()
            return done, transaction

        try:
            done, transaction = await self.database.write(work)
        except OutcomeUnknown:
            self.hub.gapped(None)
            raise
        self._publish(transaction.entries)
        if transaction.has_jobs:
            self.on_jobs()
        if self.hub.traces is not None:
            self.hub.traces.committed(transaction.entries, began)
        return done

    def _publish(self, entries: Sequence[Entry]) -> None:
        """What is committed is never answered as if it were not; what can't be handed out now is found in SQL."""
        try:
            self.hub.publish(entries)
            for told in self.on_stored:
                told(entries)
        except Exception as error:  # noqa: BLE001  # logged, and made good for
            log_fault(log, error, "what was stored can't be published:")
            self.hub.gapped(None)

    async def close(self) -> None:
        """Finishes what waits, takes nothing more."""
        self._closed = True
        while self._runner is not None or self._tasks or self._writes:
            await asyncio.gather(*filter(None, [self._runner]), *self._tasks, *self._writes, return_exceptions=True)

    # ------------------------------------------------------------ the group commit

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch = self._take()
                # Somebody may hold a channel for over 2 s: then the others go on without it
                if batch and not (await self._commit(batch) or await self._commit(batch, wait=False)):
                    _tell(batch, [Locked()] * len(batch))
        finally:
            self._runner = None

    def _take(self) -> list[Item]:
        """The next batch; what waited too long is refused."""
        batch: list[Item] = []
        size = 0
        _refuse_old(self._waiting, self._left)
        while self._waiting and len(batch) < BATCH and size < BATCH_BYTES:
            item = self._waiting.popleft()
            if item.channel in self._aside:
                self._aside[item.channel].append(item)
            else:
                self._left(item)
                batch.append(item)
                size += item.size
        return batch

    def _left(self, item: Item) -> None:
        """It waits no more."""
        self._count -= 1
        self._bytes -= item.size

    async def _commit(self, batch: list[Item], *, wait: bool = True) -> bool:
        """Commits a batch; every item is told what became of it. False, and nobody told, when it was `Locked`."""
        began = monotonic()
        try:
            made = await self.database.write(partial(commit_items, items=batch, now=self.clock(), wait=wait))
        except OutcomeUnknown:
            await self._ask(batch, began)
        except Locked:
            return False
        except HubError as error:
            _tell(batch, [error] * len(batch))
        except Exception as error:  # noqa: BLE001  # one of them is poison; the others are not to blame
            if len(batch) > 1:
                await self._commit_one_by_one(batch)
            else:
                _tell(batch, [as_fault(log, error, f"can't store a {batch[0].action}:")])
        else:
            self.hub.counts.commit_s.observe(monotonic() - began)
            self.hub.counts.commit_items.observe(len(batch))
            self._finish(batch, made, began)
        return True

    async def _commit_one_by_one(self, batch: Sequence[Item]) -> None:
        for item in batch:
            # Behind what was put aside just now: a channel's items keep their order, and its lock is waited for once
            if item.channel in self._aside or not await self._commit([item]):
                self._put_aside([item])

    def _finish(self, items: Sequence[Item], made: Outcome, began: float) -> None:
        """After the commit, in one turn: bytes to readers, the reply to each sender."""
        stored = [item for item in items if item.channel not in made.busy] if made.busy else items
        self._publish(made.entries)
        _tell(stored, made.results)
        if self.hub.traces is not None:
            self.hub.traces.committed(made.entries, began, zip(stored, made.results, strict=True))
        if made.busy:
            self._put_aside(item for item in items if item.channel in made.busy)

    # ------------------------------------------------------------ channels that can't be locked

    def _put_aside(self, items: Iterable[Item]) -> None:
        for item in items:
            if item.channel not in self._aside:
                self._aside[item.channel] = deque()
                self._start(self._retry(item.channel))
            self._aside[item.channel].append(item)
            self._count += 1
            self._bytes += item.size

    async def _retry(self, channel: int) -> None:
        """Commits what waits for one channel, as soon as it can be locked, in order."""
        waiting = self._aside[channel]
        while waiting:
            _refuse_old(waiting, self._left)
            batch = [waiting.popleft() for _ in range(min(len(waiting), BATCH))]
            for item in batch:
                self._left(item)
            if batch and not await self._commit(batch):
                waiting.extendleft(reversed(batch))
                for item in batch:
                    self._count += 1
                    self._bytes += item.size
        del self._aside[channel]

    # ------------------------------------------------------------ unknown outcomes

    async def _ask(self, items: list[Item], began: float) -> None:
        """Asks on a new connection which items are stored; those are published and acknowledged, the rest refused.

        The channels are locked for it, so that the lost transaction has ended one way or the other.
        """
        for attempt in range(ASK_TRIES):
            try:
                found, entries = await self.database.write(partial(_stored, items=items))
            except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
                log.warning("outcome still unknown", extra={"cause": type(error).__name__})
                if self.database.is_left:
                    break
                await asyncio.sleep(min(0.05 * 2**attempt, 2.0))
                continue
            answers = [found.get((item.channel, item.persona, item.nonce)) for item in items]
            refused = Unavailable()
            results = [Stored(*known) if known else refused for known in answers]
            self._publish(entries)
            _tell(items, results)
            if self.hub.traces is not None:
                self.hub.traces.committed(entries, began, zip(items, results, strict=True))
            self.hub.gapped(None)  # for what went with them into inboxes
            return
        self.hub.gapped(None)
        _tell(items, [OutcomeUnknown()] * len(items))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def outcome(act: Callable[[Done], None]) -> Stored:
    """Waits for what becomes of an item that `act` submits; raises what it is refused with."""
    future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()

    def done(result: Stored | HubError) -> None:
        if future.done():  # the asker went away
            return
        if isinstance(result, HubError):
            future.set_exception(result)
        else:
            future.set_result(result)

    act(done)
    return await future


def _refuse_old(waiting: deque[Item], left: Callable[[Item], None]) -> None:
    """Refuses what has waited too long; the oldest is first."""
    too_old = monotonic() - WAITING_S
    while waiting and waiting[0].waiting_since < too_old:
        item = waiting.popleft()
        left(item)
        _tell([item], [HubError("overloaded", retry_after_ms=1_000)])


def _tell(items: Sequence[Item], results: Sequence[Stored | HubError]) -> None:
    for item, result in zip(items, results, strict=True):
        try:
            item.done(result)
        except Exception as error:  # noqa: BLE001  # one asker's fault keeps no other from being told
            log_fault(log, error)


def _stored(
    connection: Connection, items: Sequence[Item]
) -> tuple[dict[tuple[int, int, str], tuple[int, int]], list[Entry]]:
    """What of `items` is stored, and their entries as readers see them now."""
    lock_channels(connection, {item.channel for item in items})
    found = read_nonces(connection, [(item.channel, item.persona, item.nonce) for item in items])
    places = sorted((channel, seq) for (channel, _, _), (seq, _) in found.items())
    entries = read_entries(connection, places)
    return found, [entries[place] for place in places]
