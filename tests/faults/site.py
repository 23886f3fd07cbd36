"""A hub of three nodes on real PostgreSQL and Redis, with a proxy of its own on every line between any two."""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx2

from tests.faults.proxy import Proxy
from tests.program import HUBCHAT, Program, children_of
from tests.redis_servers import RedisServer
from tests.servers import PostgresServer, free_port

NODES: Final = 3
NAME: Final = "http://hub.test:8000"
"""The hub's one address, whichever node somebody reaches."""
CLOCK: Final = Path(__file__).parent / "clock"
AHEAD_S: Final = 300  # or behind: how far a node's clock may be from the true time
FAULTS: Final = ("[error ", "[critical", "Traceback", "Exception ignored in", "was never awaited", "our fault")
AWAY: Final = "the database can't be reached"
START_S: Final = 60.0
STOP_S: Final = 10.0


class NodeProcess:
    """`hubchat serve`, which can be killed, hung, stopped and started again at the same port, by a clock of its own.

    `keep` does what systemd or Kubernetes would do: what ended because its database was away is started again.
    """

    def __init__(self, program: Program, choice: random.Random, *options: str) -> None:
        self.program = program
        self.options = options
        self.port = free_port()
        self.log = program.data.parent / f"{program.data.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._choice = choice

    def start(self) -> None:
        clock = {"PYTHONPATH": str(CLOCK), "HUBCHAT_TEST_CLOCK_S": str(self._choice.randint(-AHEAD_S, AHEAD_S))}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [HUBCHAT, "serve", "--port", str(self.port), *self.options], env={**self.program.environment, **clock},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    async def keep(self) -> None:
        """Raises RuntimeError where it ended for another reason."""
        while True:
            await asyncio.sleep(0.5)
            if self.process is not None and self.process.poll() is not None:
                self._require_away(self.process.returncode)
                self.start()

    def faults(self) -> list[str]:
        """What it logged that must never happen."""
        return [line for line in self.log.read_text().splitlines() if any(mark in line for mark in FAULTS)]

    def send(self, one: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(one)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        process, self.process = self.process, None
        if process is not None:
            process.wait()

    async def stop(self) -> None:
        """In good order. Raises TimeoutExpired; RuntimeError where it ended otherwise, but for a database away."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        process, self.process = self.process, None
        if process is not None:
            try:
                code = await asyncio.to_thread(process.wait, STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
            if code:
                self._require_away(code)

    def _require_away(self, code: int) -> None:
        said = self.log.read_text()
        if AWAY not in said[said.rstrip().rfind("\n") + 1 :]:
            raise RuntimeError(f"a node ended with {code}: {said[-3000:]}")

    async def until_ready(self) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(START_S), httpx2.AsyncClient(timeout=2, trust_env=False) as http:
            while True:
                with contextlib.suppress(httpx2.HTTPError):
                    if (await http.get(f"http://127.0.0.1:{self.port}/readyz")).status_code == 200:
                        return
                await asyncio.sleep(0.05)


class WorkerProcess:
    """One of the workers of a node: whichever process is there at the time. Its parent puts another in its place."""

    def __init__(self, parent: NodeProcess, place: int) -> None:
        self.parent = parent
        self.place = place
        self._asleep = 0

    def _pid(self) -> int | None:
        process = self.parent.process
        pids = children_of(process.pid) if process is not None and process.poll() is None else []
        return pids[self.place] if self.place < len(pids) else None

    def start(self) -> None:
        pass

    def send(self, one: signal.Signals) -> None:
        """Who was put to sleep is woken, though others came and went meanwhile."""
        pid = self._asleep if one is signal.SIGCONT else self._pid()
        if pid:
            self._asleep = pid if one is signal.SIGSTOP else 0
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, one)

    def kill(self) -> None:
        self.send(signal.SIGKILL)

    async def stop(self) -> None:
        self.send(signal.SIGTERM)


class Site:
    """The hub, its servers and its lines. A context manager that starts them, and leaves nothing behind.

    `workers`: one node of so many processes, instead of as many nodes of one.
    """

    def __init__(self, folder: Path, seed: int, *, workers: bool = False) -> None:
        self.folder = folder
        self.seed = seed
        self.postgres = PostgresServer(durable=True)
        self.redis = RedisServer()
        self.nodes: list[NodeProcess] = []
        self.mortals: list[NodeProcess | WorkerProcess] = []  # who is killed, put to sleep, restarted
        self.workers = workers
        self.to_postgres: list[Proxy] = []
        self.to_redis: list[Proxy] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self._stack.enter_context, self.postgres)
            await asyncio.to_thread(self._stack.enter_context, self.redis)
            self.database = self.postgres.create_database()
            for number in range(1 if self.workers else NODES):
                await self._add_node(self.folder / f"node-{number}")
            places = [WorkerProcess(self.nodes[0], place) for place in range(NODES)]
            self.mortals += places if self.workers else self.nodes
            await asyncio.gather(*(node.until_ready() for node in self.nodes))
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _add_node(self, data: Path) -> None:
        to_postgres = await self._stack.enter_async_context(
            Proxy([self.postgres.port], self._choice(f"{data.name}-postgres"))
        )
        to_redis = await self._stack.enter_async_context(Proxy([self.redis.port], self._choice(f"{data.name}-redis")))
        settings = {
            "HUBCHAT_URL": NAME,
            "HUBCHAT_HOST": "127.0.0.1",
            "HUBCHAT_DATABASE_URL": f"postgresql://postgres@127.0.0.1:{to_postgres.port}/{self.database}",
            "HUBCHAT_REDIS_URL": f"redis://127.0.0.1:{to_redis.port}",
            "HUBCHAT_COMMANDS_PER_10S": "0",
            "HUBCHAT_NEWCOMER_LIMITS": "false",
        }
        options = ["--workers", str(NODES)] if self.workers else []
        node = NodeProcess(Program(data, settings), self._choice(data.name), *options)
        self._stack.callback(node.kill)
        node.start()
        self.nodes.append(node)
        self.to_postgres.append(to_postgres)
        self.to_redis.append(to_redis)

    async def line(self, handle: str) -> Proxy:
        """A member's way to the hub: each new connection leads to any node, as a load balancer's would."""
        line = Proxy([node.port for node in self.nodes], self._choice(f"line-{handle}"))
        return await self._stack.enter_async_context(line)

    def _choice(self, name: str) -> random.Random:
        """What one part draws from, whatever the others draw and when; repeatable on purpose."""
        return random.Random(f"{self.seed}-{name}")

    async def keep(self) -> None:
        """Looks after the nodes, until cancelled. Raises an exception group where one ended that should not."""
        async with asyncio.TaskGroup() as group:
            for node in self.nodes:
                group.create_task(node.keep())

    def set_disk(self, flush_s: float) -> None:
        """How long PostgreSQL waits before it flushes a commit, at most 0.1 s."""
        self.postgres.execute("ALTER SYSTEM SET commit_siblings = 0")
        self.postgres.execute(f"ALTER SYSTEM SET commit_delay = {round(flush_s * 1_000_000)}")
        self.postgres.execute("SELECT pg_reload_conf()")

    def query(self, statement: str) -> list[dict[str, Any]]:
        """Rows, asked beside the hub."""
        told = self.postgres.execute(f"SELECT coalesce(json_agg(t), '[]') FROM ({statement}) t", self.database)
        return json.loads(told)  # type: ignore[no-any-return]
