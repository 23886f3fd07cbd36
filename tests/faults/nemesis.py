"""What goes wrong: one fault after another, chosen by a seed, each for a while, then mended."""

import asyncio
import random
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from time import monotonic
from typing import Final, Protocol

from tests.faults.history import Part, Trouble
from tests.faults.proxy import Proxy, Weather
from tests.faults.site import NodeProcess, Site, WorkerProcess

PAUSE_S: Final = (0.5, 2.0)  # between two faults
SHORT_S: Final = (0.3, 5.0)
TWICE: Final = 0.25  # how often two things go wrong at once
LONG_S: Final = 15.0  # of a process that sleeps, in a long run
LASTING: Final = 0.08  # how often a fault of a long run lasts
LASTING_S: Final = (10.0, 40.0)
SLOW_DISK_S: Final = 0.1  # a flush: what an overloaded volume in a cloud takes
AWAY_S: Final = 5.0  # of Redis, where it is all that fails
BAD: Final[tuple[Weather, ...]] = ("slow", "silent", "mute", "deaf", "cut")
Fault = Callable[[], AbstractAsyncContextManager[None]]


class Happening(Protocol):
    """Something that happens to a site. `done` counts it, `troubles` says when it did, and `found` what went otherwise
    than it must."""

    done: Counter[str]
    troubles: list[Trouble]
    found: list[str]

    async def rage(self, until: asyncio.Event) -> None: ...


class Rolling:
    """Nothing goes wrong: each node in its turn is restarted, as for an upgrade, and no new members are led to it."""

    def __init__(self, site: Site, lines: list[Proxy], choice: random.Random) -> None:
        self.site = site
        self.lines = lines
        self.done: Counter[str] = Counter()
        self.troubles: list[Trouble] = []
        self.found: list[str] = []

    async def rage(self, until: asyncio.Event) -> None:
        while not until.is_set():
            for node in self.site.nodes:
                began_s = monotonic()
                self._lead_to([one.port for one in self.site.nodes if one is not node])
                self.done["nodes restarted"] += 1
                await node.stop()
                node.start()
                await node.until_ready()
                self._lead_to([one.port for one in self.site.nodes])
                self.troubles.append(Trouble("nodes", began_s, monotonic()))

    def _lead_to(self, ports: list[int]) -> None:
        for line in self.lines:
            line.targets = ports


class Nemesis:
    """Breaks a site and mends it; what, in which order, to whom and for how long its own `choice` says alone."""

    def __init__(self, site: Site, lines: list[Proxy], choice: random.Random, *, is_long: bool = False) -> None:
        self.site = site
        self.lines = lines
        self.choice = choice
        self.is_long = is_long
        self.done: Counter[str] = Counter()
        self.troubles: list[Trouble] = []
        self.found: list[str] = []
        self.faults: dict[str, list[Fault]] = {  # of one kind one at a time
            "nodes": [self.killed_node, self.restarted_node, self.sleeping_node],
            "Redis": [self.killed_redis, self.hanging_redis, self.emptied_redis],
            "PostgreSQL": [self.crashed_database, self.hanging_database, self.failing_over, self.slow_disk],
            "lines": [self.bad_line_to_redis, self.bad_line_to_database, self.bad_lines_to_members],
        }

    async def rage(self, until: asyncio.Event) -> None:
        """Every kind of fault in an order of its own, again and again; now and then two at once."""
        while not until.is_set():
            order = [(kind, fault) for kind, faults in self.faults.items() for fault in faults]
            self.choice.shuffle(order)
            while order and not until.is_set():
                kind, fault = order.pop()
                others = [one for one in order if one[0] != kind]
                async with fault():
                    if others and self.choice.random() < TWICE:
                        order.remove(others[0])
                        async with others[0][1]():
                            await self._for_a_while()
                    else:
                        await self._for_a_while()
                await asyncio.sleep(self.choice.uniform(*PAUSE_S))

    async def _for_a_while(self) -> None:
        is_long = self.is_long and self.choice.random() < LASTING
        await asyncio.sleep(self.choice.uniform(*(LASTING_S if is_long else SHORT_S)))

    @contextmanager
    def _told(self, what: str, part: Part, *, kills: bool = False) -> Iterator[None]:
        """Counts a fault, and notes from when until when it was there."""
        self.done[what] += 1
        began_s = monotonic()
        try:
            yield
        finally:
            self.troubles.append(Trouble(part, began_s, monotonic(), kills))

    def _node(self) -> NodeProcess | WorkerProcess:
        return self.choice.choice(self.site.mortals)

    # ------------------------------------------------------------ nodes

    @asynccontextmanager
    async def killed_node(self) -> AsyncIterator[None]:
        node = self._node()
        with self._told("nodes killed", "nodes", kills=True):
            node.kill()
            try:
                yield
            finally:
                node.start()

    @asynccontextmanager
    async def restarted_node(self) -> AsyncIterator[None]:
        node = self._node()
        with self._told("nodes restarted", "nodes"):
            try:
                await node.stop()
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                self.found.append(f"a node was told to stop: {error}")
            try:
                yield
            finally:
                node.start()

    @asynccontextmanager
    async def sleeping_node(self) -> AsyncIterator[None]:
        node = self._node()
        with self._told("nodes put to sleep", "asleep"):
            node.send(signal.SIGSTOP)
            try:
                yield
                if self.is_long:
                    await asyncio.sleep(LONG_S)
            finally:
                node.send(signal.SIGCONT)

    # ------------------------------------------------------------ Redis

    @asynccontextmanager
    async def killed_redis(self) -> AsyncIterator[None]:
        with self._told("Redis killed", "Redis"):
            await asyncio.to_thread(self.site.redis.kill)
            try:
                yield
            finally:
                await asyncio.to_thread(self.site.redis.start)

    @asynccontextmanager
    async def hanging_redis(self) -> AsyncIterator[None]:
        with self._told("Redis hung", "Redis"):
            self.site.redis.hang()
            try:
                yield
            finally:
                self.site.redis.go_on()

    @asynccontextmanager
    async def emptied_redis(self) -> AsyncIterator[None]:
        """All it holds is gone, and all who are connected are sent away."""
        with self._told("Redis emptied", "Redis"):
            await asyncio.to_thread(self.site.redis.say, "FLUSHALL")
            for kind in ("normal", "pubsub"):
                await asyncio.to_thread(self.site.redis.say, "CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
            yield

    # ------------------------------------------------------------ PostgreSQL

    @asynccontextmanager
    async def crashed_database(self) -> AsyncIterator[None]:
        with self._told("PostgreSQL killed", "PostgreSQL"):
            await asyncio.to_thread(self.site.postgres.crash)
            try:
                yield
            finally:
                await asyncio.to_thread(self.site.postgres.start)

    @asynccontextmanager
    async def hanging_database(self) -> AsyncIterator[None]:
        with self._told("PostgreSQL hung", "PostgreSQL"):
            self.site.postgres.hang()
            try:
                yield
            finally:
                self.site.postgres.go_on()

    @asynccontextmanager
    async def failing_over(self) -> AsyncIterator[None]:
        """Stopped in good order, as for another server to take over; a moment later there is one."""
        with self._told("PostgreSQL stopped", "PostgreSQL"):
            await asyncio.to_thread(self.site.postgres.stop)
            await asyncio.to_thread(self.site.postgres.start)
            yield

    @asynccontextmanager
    async def slow_disk(self) -> AsyncIterator[None]:
        with self._told("disks slowed", "PostgreSQL"):
            await asyncio.to_thread(self.site.set_disk, SLOW_DISK_S)
            try:
                yield
            finally:
                await asyncio.to_thread(self.site.set_disk, 0)

    # ------------------------------------------------------------ the network

    @asynccontextmanager
    async def bad_line_to_redis(self) -> AsyncIterator[None]:
        async with self._bad([self.choice.choice(self.site.to_redis)], "Redis"):
            yield

    @asynccontextmanager
    async def bad_line_to_database(self) -> AsyncIterator[None]:
        async with self._bad([self.choice.choice(self.site.to_postgres)], "PostgreSQL"):
            yield

    @asynccontextmanager
    async def bad_lines_to_members(self) -> AsyncIterator[None]:
        async with self._bad(self.choice.sample(self.lines, len(self.lines) // 2), "members"):
            yield

    @asynccontextmanager
    async def _bad(self, lines: list[Proxy], whose: Part) -> AsyncIterator[None]:
        weather = self.choice.choice(BAD)
        with self._told(f"lines to {whose}: {weather}", whose):
            for line in lines:
                line.turn(weather)
            try:
                yield
            finally:
                for line in lines:
                    line.turn("fine")


class WithoutRedis(Nemesis):
    """Redis alone is broken, again and again, each time for longer than its loss may be felt."""

    async def rage(self, until: asyncio.Event) -> None:
        while not until.is_set():
            for fault in (self.killed_redis, self.hanging_redis):
                async with fault():
                    await asyncio.sleep(AWAY_S)
                await asyncio.sleep(PAUSE_S[0])
