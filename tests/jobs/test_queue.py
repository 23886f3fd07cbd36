"""Jobs are done once they are committed, by one hand at a time, and are not lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hubchat.jobs import queue
from hubchat.jobs.queue import Kind, Queue
from hubchat.node import Node
from hubchat.storage import jobs
from hubchat.storage.database import Unavailable
from hubchat.storage.jobs import Backlog, Job
from tests.community import Community, open_community
from tests.waiting import until

WAIT_S = 10.0
LEASE_MS = 60_000
Run = Callable[[Node, Job], Awaitable[None]]


@pytest.fixture
async def hub(database_url: str, tmp_path: Path) -> AsyncIterator[Community]:
    async with open_community(database_url, tmp_path) as community:
        yield community


@asynccontextmanager
async def working(node: Node, *, every_ms: int | None = None, works: bool = True, **kinds: Run) -> AsyncIterator[Queue]:
    made = Queue(node, {name: Kind(run, every_ms) for name, run in kinds.items()}, works=works)
    made.open()
    try:
        yield made
    finally:
        await made.close()


async def rows(hub: Community) -> list[Any]:
    return await hub.read(lambda c: list(c.execute(sa.text("SELECT * FROM job ORDER BY created_at, id"))))


async def seen(hub: Community, holds: Callable[[Any], bool]) -> Any:
    """The only job, once this is true of it."""
    async with asyncio.timeout(WAIT_S):
        while True:
            (row,) = await rows(hub)
            if holds(row):
                return row
            await asyncio.sleep(0.005)


def has_failed(row: Any, tries: int) -> bool:
    return bool(row.tries == tries and row.lease is None)


async def change(hub: Community, values: str) -> None:
    await hub.node.database.write(lambda c: c.execute(sa.text(f"UPDATE job SET {values}")).rowcount)


async def put(hub: Community, kind: str, subject: int | None = None, **more: Any) -> None:
    await hub.node.log.write(lambda tx: tx.enqueue(kind, subject, **more))


async def claim(hub: Community, *kinds: str, lease_ms: int = LEASE_MS) -> Job | None:
    return await hub.node.database.write(lambda c: jobs.claim_job(c, kinds, lease_ms))


async def test_a_job_is_of_one_at_a_time_until_its_lease_runs_out(hub: Community) -> None:
    for subject in (1, 2, 3):
        await put(hub, "count", subject)
    taken = [job for job in await asyncio.gather(*(claim(hub, "count") for _ in range(6))) if job]
    assert sorted(job.subject or 0 for job in taken) == [1, 2, 3]
    first = taken[0]
    assert not await hub.node.database.write(lambda c: jobs.finish_job(c, first._replace(lease=1)))
    await change(hub, "leased_until = 0")
    again = await claim(hub, "count")
    assert again is not None
    assert again.tries == 2
    other = next(job for job in taken if job.id == again.id)
    for late in (jobs.finish_job, jobs.hand_back):
        assert not await hub.node.database.write(partial(late, job=other)), "it is somebody else's by now"
    assert not await hub.node.database.write(lambda c: jobs.renew_lease(c, other, LEASE_MS))
    assert await hub.node.database.write(lambda c: jobs.renew_lease(c, again, LEASE_MS))
    assert await hub.node.database.write(lambda c: jobs.finish_job(c, again))
    assert len(await rows(hub)) == 2


async def test_a_job_that_is_not_due_or_of_an_unknown_kind_waits(hub: Community) -> None:
    await hub.node.database.write(lambda c: jobs.put_job(c, "later", in_ms=3_600_000))
    await put(hub, "of_a_newer_release")
    assert await claim(hub, "later", "count") is None
    assert await claim(hub) is None
    assert await hub.read(jobs.read_backlog) == Backlog(due=True, waiting=1, parked=0)


async def test_equal_keys_wait_once_and_what_failed_to_commit_does_not_wait(hub: Community) -> None:
    def fail(tx: Any) -> None:
        tx.enqueue("count")
        raise LookupError

    with pytest.raises(LookupError):
        await hub.node.log.write(fail)
    for _ in range(2):
        await put(hub, "count", key="once")
        await put(hub, "count")
    assert [row.key for row in await rows(hub)].count("once") == 1
    assert len(await rows(hub)) == 3


async def test_a_commit_here_wakes_the_queue_and_one_elsewhere_is_found(
    hub: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int | None] = []

    async def note(_: Node, job: Job) -> None:
        done.append(job.subject)

    monkeypatch.setattr(queue, "POLL_S", 60.0)
    async with working(hub.node, note=note):
        await put(hub, "note", 1)
        await until(lambda: done == [1], WAIT_S)
    monkeypatch.setattr(queue, "POLL_S", 0.01)
    async with working(hub.node, note=note):
        await hub.node.database.write(lambda c: jobs.put_job(c, "note", 2))
        await until(lambda: done == [1, 2], WAIT_S)
        await until(lambda: hub.node.backlog == Backlog(), WAIT_S)
    assert await rows(hub) == []


async def test_what_fails_waits_longer_each_time_and_is_parked_without_its_words(
    hub: Community, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: Node, job: Job) -> None:
        raise LookupError("the words of a member")

    monkeypatch.setattr(queue, "POLL_S", 0.01)
    await put(hub, "fail")
    waits = []
    async with working(hub.node, fail=fail):
        for tries in range(1, queue.TRIES + 1):
            row = await seen(hub, partial(has_failed, tries=tries))
            assert row.error == "LookupError"
            waits.append(row.due_at - row.created_at)
            if tries < queue.TRIES:
                assert row.parked_at is None
                await change(hub, "due_at = created_at")
        assert row.parked_at is not None
        await until(lambda: hub.node.backlog == Backlog(parked=1), WAIT_S)
        assert await hub.node.database.write(jobs.unpark) == 1
        await seen(hub, lambda row: row.tries > 0 and row.parked_at is None)
    assert waits[:3] == sorted(waits[:3])
    assert 1_000 <= waits[0] < 4_000 <= waits[1] < 16_000 <= waits[2]
    assert waits[6] < queue.LONGEST_MS + 60_000
    assert "the words of a member" not in caplog.text
    assert "the job fail is parked after 8 tries: LookupError" in caplog.text


async def test_a_stop_hands_back_what_is_under_way(hub: Community) -> None:
    begun = asyncio.Event()

    async def wait(_: Node, job: Job) -> None:
        begun.set()
        await asyncio.sleep(60)

    await put(hub, "wait")
    async with working(hub.node, wait=wait):
        await begun.wait()
    (row,) = await rows(hub)
    assert (row.tries, row.lease, row.leased_until, row.error) == (0, None, None, None)


async def test_whose_holder_died_each_time_is_parked(hub: Community, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: Node, job: Job) -> None:
        raise AssertionError("it is not tried once more")

    await put(hub, "never")
    await change(hub, f"tries = {queue.TRIES}, lease = 1, leased_until = 0")
    async with working(hub.node, never=never):
        await until(lambda: hub.node.backlog.parked == 1, WAIT_S)
    assert [row.error for row in await rows(hub)] == [queue.LEASE_RAN_OUT]


async def test_what_comes_again_is_written_down_once_and_stays(hub: Community) -> None:
    done: list[int] = []

    async def sweep(_: Node, job: Job) -> None:
        done.append(job.tries)

    for times in (1, 1):
        async with working(hub.node, every_ms=3_600_000, sweep=sweep):
            await until(lambda times=times: len(done) == times and not hub.node.backlog.waiting, WAIT_S)  # type: ignore[misc]
    (row,) = await rows(hub)
    assert (row.key, row.tries, row.lease) == ("sweep", 0, None)
    assert done == [1]


async def test_what_comes_again_is_written_down_once_the_database_is_back(
    hub: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = asyncio.Event()
    tried = asyncio.Event()

    async def sweep(_: Node, job: Job) -> None:
        done.set()

    async def write(*_: object) -> None:
        tried.set()
        raise Unavailable

    with monkeypatch.context() as away:
        away.setattr(hub.node.database, "write", write)
        made = Queue(hub.node, {"sweep": Kind(sweep, 3_600_000)})
        made.open()
        await tried.wait()
    async with asyncio.timeout(WAIT_S):
        await done.wait()
    await made.close()


async def test_a_lost_lease_stops_the_work(hub: Community, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = asyncio.Event()
    begun = asyncio.Event()

    async def wait(_: Node, job: Job) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    monkeypatch.setattr(queue, "RENEW_S", 0.02)
    await put(hub, "wait")
    async with working(hub.node, wait=wait):
        await begun.wait()
        await change(hub, "lease = 1")
        async with asyncio.timeout(WAIT_S):
            await stopped.wait()
    (row,) = await rows(hub)
    assert row.lease == 1, "it is left to whoever has it"


async def test_a_node_that_leaves_the_work_to_others_counts_it(hub: Community) -> None:
    async def never(_: Node, job: Job) -> None:
        raise AssertionError("others do it")

    await put(hub, "never")
    async with working(hub.node, works=False, never=never):
        await until(lambda: hub.node.backlog == Backlog(due=True, waiting=1), WAIT_S)
    assert [row.tries for row in await rows(hub)] == [0]
