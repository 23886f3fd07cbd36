"""Does what is written down in `job`: claimed for a while, tried again after growing waits, parked when it stays wrong.

A job may be done twice, by a node that died before it could say so: each is written so that doing it again changes
nothing. A crash loses a try, never the job.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any, Final, NamedTuple

from hubchat import logs
from hubchat.errors import HubError
from hubchat.faults import log_fault
from hubchat.node import Node
from hubchat.storage import jobs
from hubchat.storage.jobs import Job

log = logging.getLogger(__name__)

POLL_S: Final = 1.0  # between looks at what other nodes, and commands, left to be done
LEASE_MS: Final = 30_000  # a node that died holds its jobs up for so long
RENEW_S: Final = 10.0
AT_ONCE: Final = 4  # so that one that takes minutes does not hold up the others
TRIES: Final = 8
LONGEST_MS: Final = 3_600_000  # waits grow fourfold from 1 s: the eight tries take an hour and a half
LEASE_RAN_OUT: Final = "lease_ran_out"  # whoever did it died, each time


class Kind(NamedTuple):
    """What is done for a kind of job; where it comes again by itself, after how long."""

    run: Callable[[Node, Job], Awaitable[None]]
    every_ms: int | None = None


class Queue:
    """The node's hands. Where it does not work (`hubchat serve --no-jobs`) it looks alone, for the metrics."""

    def __init__(self, node: Node, kinds: Mapping[str, Kind], *, works: bool = True) -> None:
        self.node = node
        self.kinds = kinds
        self.works = works
        self._woken = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_blind = False
        self._to_write = [name for name, kind in kinds.items() if works and kind.every_ms is not None]

    def open(self) -> None:
        """Begins to work, and sees to it that what comes again by itself is written down."""
        if self.works:
            self.node.log.on_jobs = self._woken.set
        self._runner = asyncio.create_task(self._run(), context=Context())

    async def close(self) -> None:
        """Stops, and hands back what is under way: another node takes it at once."""
        self.node.log.on_jobs = lambda: None
        tasks = [*self._tasks, *filter(None, [self._runner])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._round()
                self._is_blind = False
            except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
                if not self._is_blind:  # once a trouble, however long it lasts
                    log.warning("jobs wait", extra={"cause": type(error).__name__})
                self._is_blind = True
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._woken.wait()

    async def _round(self) -> None:
        self._woken.clear()  # what is written from here on wakes us again
        while self._to_write:
            await self.node.database.write(partial(jobs.put_job, kind=self._to_write[-1], key=self._to_write[-1]))
            self._to_write.pop()
        self.node.backlog = seen = await self.node.database.read(jobs.read_backlog)
        while self.works and seen.due and len(self._tasks) < AT_ONCE:
            job = await self._claim()
            if job is None:
                return
            self._start(self._carry_out(job))

    async def _claim(self) -> Job | None:
        return await self.node.database.write(lambda c: jobs.claim_job(c, self.kinds, LEASE_MS))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._woken.set()  # a hand is free
        if not task.cancelled() and (error := task.exception()) is not None:
            log_fault(log, error, "a job's outcome can't be kept; it is done again:")

    # ------------------------------------------------------------ one job

    async def _carry_out(self, job: Job) -> None:
        logs.name(job=str(job.id))
        if job.tries > TRIES:
            await self._fail(job, LEASE_RAN_OUT)
            return
        kind = self.kinds[job.kind]
        work = asyncio.ensure_future(kind.run(self.node, job))
        renewing = asyncio.create_task(self._renew(job, work))
        try:
            await work
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await self._keep(partial(jobs.hand_back, job=job))
            raise
        except Exception as error:  # noqa: BLE001  # the edge of a job: its class is kept, and it is tried again
            log_fault(log, error, f"the job {job.kind} failed:")
            await self._fail(job, error.reason if isinstance(error, HubError) else type(error).__name__)
        else:
            if kind.every_ms is None:
                await self._keep(partial(jobs.finish_job, job=job))
            else:
                await self._keep(partial(jobs.repeat_job, job=job, in_ms=kind.every_ms))
        finally:
            renewing.cancel()

    async def _fail(self, job: Job, error: str) -> None:
        in_ms = None if job.tries >= TRIES else min(1_000 * 4 ** (job.tries - 1), LONGEST_MS)
        if in_ms is None:
            log.error("the job %s is parked after %s tries: %s", job.kind, TRIES, error)
        await self._keep(partial(jobs.fail_job, job=job, error=error, in_ms=in_ms))

    async def _keep(self, work: Callable[[Any], bool]) -> None:
        await self.node.database.write(work)

    async def _renew(self, job: Job, work: "asyncio.Future[None]") -> None:
        """Keeps the lease while the work goes on; who has lost it stops."""
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                if not await self.node.database.write(lambda c: jobs.renew_lease(c, job, LEASE_MS)):
                    work.cancel()
                    return
            except HubError:
                continue  # the database is away, for the work too
