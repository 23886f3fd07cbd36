"""What goes wrong: one fault after another, chosen by a seed, each for a while, then mended."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Protocol

from tests.faults.proxy import Proxy, Weather
from tests.faults.site import NodeProcess, Site, WorkerProcess

PAUSE_S: Final = (0.5, 2.0)  # between two faults
SHORT_S: Final = (0.3, 5.0)
TWICE: Final = 0.25  # how often two things go wrong at once
LONG_S: Final = 15.0  # of a process that sleeps, in a long run
SLOW_DISK_S: Final = 0.1  # a flush: what an overloaded volume in a cloud takes
Fault = Callable[[], AbstractAsyncContextManager[None]]


class Trouble(Protocol):
    """Something that happens to a site; `done` counts it."""

    done: Counter[str]

    async def rage(self, until: asyncio.Event) -> None: ...


class Rolling:
    """Nothing goes wrong: each node in its turn is restarted, as for an upgrade, and no new members are led to it."""

    def __init__(self, site: Site, lines: list[Proxy], choice: random.Random) -> None:
        self.site = site
        self.lines = lines
        self.done: Counter[str] = Counter()

    async def rage(self, until: asyncio.Event) -> None:
        while not until.is_set():
            for node in self.site.nodes:
                self._lead_to([one.port for one in self.site.nodes if one is not node])
                self.done["nodes restarted"] += 1
                await node.stop()
                node.start()
                await node.until_ready()
                self._lead_to([one.port for one in self.site.nodes])

    def _lead_to(self, ports: list[int]) -> None:
        for line in self.lines:
            line.targets = ports


class Nemesis:
    """Breaks a site and mends it; `done` counts what it did."""

    def __init__(self, site: Site, lines: list[Proxy], choice: random.Random, *, is_long: bool = False) -> None:
        self.site = site
        self.lines = lines
        self.choice = choice
        self.is_long = is_long
        self.done: Counter[str] = Counter()
        self.faults: dict[str, list[Fault]] = {  # of one kind one at a time
            "nodes": [self.killed_node, self.restarted_node, self.sleeping_node],
            "Redis": [self.killed_redis, self.hanging_redis, self.emptied_redis],
            "PostgreSQL": [self.crashed_database, self.failing_over, self.slow_disk],
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
        await asyncio.sleep(self.choice.uniform(*SHORT_S))

    def _node(self) -> NodeProcess | WorkerProcess:
        return self.choice.choice(self.site.mortals)

    # ------------------------------------------------------------ nodes

    @asynccontextmanager
    async def killed_node(self) -> AsyncIterator[None]:
        node = self._node()
        self.done["nodes killed"] += 1
        node.kill()
        try:
            yield
        finally:
            node.start()

    @asynccontextmanager
    async def restarted_node(self) -> AsyncIterator[None]:
        node = self._node()
        self.done["nodes restarted"] += 1
        try:
            await node.stop()
            yield
        finally:
            node.start()

    @asynccontextmanager
    async def sleeping_node(self) -> AsyncIterator[None]:
        node = self._node()
        self.done["nodes put to sleep"] += 1
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
        self.done["Redis killed"] += 1
        await asyncio.to_thread(self.site.redis.kill)
        try:
            yield
        finally:
            await asyncio.to_thread(self.site.redis.start)

    @asynccontextmanager
    async def hanging_redis(self) -> AsyncIterator[None]:
        self.done["Redis hung"] += 1
        self.site.redis.hang()
        try:
            yield
        finally:
            self.site.redis.go_on()

    @asynccontextmanager
    async def emptied_redis(self) -> AsyncIterator[None]:
        """All it holds is gone, and all who are connected are sent away."""
        self.done["Redis emptied"] += 1
        await asyncio.to_thread(self.site.redis.say, "FLUSHALL")
        for kind in ("normal", "pubsub"):
            await asyncio.to_thread(self.site.redis.say, "CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        yield

    # ------------------------------------------------------------ PostgreSQL

    @asynccontextmanager
    async def crashed_database(self) -> AsyncIterator[None]:
        self.done["PostgreSQL crashed"] += 1
        await asyncio.to_thread(self.site.postgres.crash)
        try:
            yield
        finally:
            await asyncio.to_thread(self.site.postgres.start)

    @asynccontextmanager
    async def failing_over(self) -> AsyncIterator[None]:
        """Stopped in good order, as for another server to take over; a moment later there is one."""
        self.done["PostgreSQL stopped"] += 1
        await asyncio.to_thread(self.site.postgres.stop)
        await asyncio.to_thread(self.site.postgres.start)
        yield

    @asynccontextmanager
    async def slow_disk(self) -> AsyncIterator[None]:
        self.done["disks slowed"] += 1
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
    async def _bad(self, lines: list[Proxy], whose: str) -> AsyncIterator[None]:
        kinds: tuple[Weather, ...] = ("slow", "silent", "cut")
        weather = self.choice.choice(kinds)
        self.done[f"lines to {whose}: {weather}"] += 1
        for line in lines:
            line.turn(weather)
        try:
            yield
        finally:
            for line in lines:
                line.turn("fine")
