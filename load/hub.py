"""A hubchat node set up for measuring: by what any operator has, its command line, settings and HTTP; and where that
would take hours by filling its tables (filling.py)."""

import asyncio
import http.client
import json
import os
import secrets
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from hubchat.storage.accounts import Made
from hubchat.storage.database import Connection
from hubchat.storage.opening import open_database
from load import filling, speech
from load.compiler import CannotMeasureError
from load.servers import Server, running
from tests.redis_servers import RedisServer
from tests.servers import PostgresServer, free_port

T = TypeVar("T")

WRITERS = 10  # members of every room
COMMAND_TIMEOUT_S = 60
UNLIMITED = {
    "HUBCHAT_COMMANDS_PER_10S": "0",
    "HUBCHAT_CONNECTIONS_PER_MEMBER": "0",
    "HUBCHAT_CONNECTIONS_PER_ADDRESS": "0",
    "HUBCHAT_SEARCHES_PER_10S": "0",
}


class Hub:
    """A data folder with members and public groups that they are in. On SQLite one node at a time is started on it."""

    def __init__(self, folder: Path, database_url: str | None = None) -> None:
        self.folder = folder
        self.log = folder / "log"
        self._database_url = database_url
        self._environment = {**UNLIMITED, "HUBCHAT_DATA": str(folder / "data")}
        if database_url:
            self._environment["HUBCHAT_DATABASE_URL"] = database_url
        self.tokens: list[str] = []
        self.channels: list[int] = []
        self.author = 0  # a persona that is in all rooms

    def settle(self, members: int, rooms: int = 1, each: int = 1) -> None:
        """Members, each with a token and in `each` of the rooms, and the first WRITERS in all; before any node runs."""
        self.begin()

        def fill(connection: Connection) -> None:
            people, self.tokens = filling.insert_members(connection, members)
            self.channels = filling.insert_rooms(connection, rooms)
            filling.insert_memberships(connection, _seats(people, self.channels, each))
            self.author = people[0].persona_id

        self.fill(fill)

    def begin(self) -> None:
        """The first member of an empty database, which makes its tables."""
        options = ["--email", "founder@example.org", "--role", "member", "--password-stdin"]
        self._hubchat("user", "add", "founder", *options, said=secrets.token_urlsafe(16))

    def fill(self, work: Callable[[Connection], T]) -> T:
        """Writes into the database as it lies, in one transaction; while no node runs."""

        async def write() -> T:
            database = open_database(self._database_url, self.folder / "data", patient=True)
            try:
                return await database.write(work)
            finally:
                await database.close()

        return asyncio.run(write())

    @contextmanager
    def node(self) -> Iterator[Server]:
        """A node that is ready for requests."""
        with self.nodes(1) as (server,):
            yield server

    @contextmanager
    def nodes(self, count: int, redis_url: str | None = None) -> Iterator[list[Server]]:
        """So many, each with a data folder of its own beyond the first; all share the servers' core."""
        between = {"HUBCHAT_REDIS_URL": redis_url} if redis_url else {}
        with ExitStack() as stack:
            servers = []
            for number in range(count):
                port = free_port()
                command = [_program(), "serve", "--host", "127.0.0.1", "--port", str(port)]
                own = {"HUBCHAT_DATA": str(self.folder / f"data-{number}")} if number else {}
                environment = {**self._environment, **between, **own}
                node = running(command, port, environment=environment, log=self.log, ready=is_ready)
                servers.append(stack.enter_context(node))
            yield servers

    def head(self, port: int) -> int:
        """The newest entry of the first channel."""
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        (newest,) = self.entries(line, self.channels[0], limit=1)
        line.close()
        return int(newest["seq"])

    def entries(self, line: http.client.HTTPConnection, channel: int, **asked: int) -> list[dict[str, Any]]:
        """A page of a channel's history; Any: an entry's fields are of several types."""
        path = f"/api/v1/channels/{channel}/entries?{urllib.parse.urlencode(asked)}"
        line.request("GET", path, headers={"Authorization": f"Bearer {self.tokens[0]}"})
        answer = line.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise CannotMeasureError(f"GET {path}: {answer.status} {said[:300]!r}")
        page: list[dict[str, Any]] = json.loads(said)["entries"]
        return page

    def room(self) -> speech.Speech:
        """Account by account, each subscribed to the first channel."""
        return speech.hubchat(self.tokens, self.channels[:1], self.channels[0])

    def own_rooms(self, each: int) -> speech.Speech:
        """Account by account, subscribed to the `each` rooms that it was settled in."""
        own = [[{"channel": room} for room in block] for block in blocks(self.channels, each)]
        return speech.rooms(self.tokens, self.channels[:1], own)

    def nothing(self) -> speech.Speech:
        """Account by account, signed in and subscribed to nothing."""
        return speech.hubchat(self.tokens, [], self.channels[0])

    def _hubchat(self, *arguments: str, said: str | None = None) -> str:
        done = subprocess.run(
            [_program(), *arguments],
            env={**os.environ, **self._environment},
            input=said or "",
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise CannotMeasureError(f"hubchat {' '.join(arguments)}: {done.stderr.strip()[-500:]}")
        return done.stdout.strip()


class Homes:
    """Settled hubs, made when a scenario first asks for one; a context manager that removes them.

    Each has as many `accounts`, so that no two connections of a crowd are one member's.
    """

    def __init__(self, accounts: int) -> None:
        self._accounts = accounts
        self._stack = ExitStack()
        self._made: dict[tuple[int, int, bool], Hub] = {}
        self._postgres: PostgresServer | None = None
        self._redis: RedisServer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def sqlite(self) -> Hub:
        """One room on SQLite, with everybody in it."""
        return self.crowd(1, 1)

    @property
    def postgres(self) -> Hub:
        """The same on a PostgreSQL server of its own, which keeps fsync on."""
        return self.crowd(1, 1, on_postgres=True)

    def empty(self, *, on_postgres: bool = False) -> Hub:
        """A new one each time, on a database without tables."""
        if on_postgres and self._postgres is None:
            self._postgres = self._stack.enter_context(PostgresServer(durable=True))
        server = self._postgres if on_postgres else None
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="hubchat-load-"))
        return Hub(Path(folder), server.url(server.create_database()) if server else None)

    @property
    def redis(self) -> RedisServer:
        """The server between nodes, on any core."""
        if self._redis is None:
            self._redis = self._stack.enter_context(RedisServer())
        return self._redis

    def crowd(self, rooms: int, each: int, *, on_postgres: bool = False) -> Hub:
        """One with so many rooms: everybody is in `each` of them, WRITERS in all."""
        wanted = (rooms, each, on_postgres)
        if wanted not in self._made:
            hub = self.empty(on_postgres=on_postgres)
            hub.settle(self._accounts, rooms, each)
            self._made[wanted] = hub
        return self._made[wanted]


def _seats(people: list[Made], rooms: list[int], each: int) -> Iterator[tuple[int, Made]]:
    """Who is in which room: person by person takes the next `each` rooms, WRITERS take all."""
    parts = blocks(rooms, each)
    for number, person in enumerate(people):
        for room in rooms if number < WRITERS else parts[number % len(parts)]:
            yield room, person


def blocks(rooms: list[int], each: int) -> list[list[int]]:
    """The rooms, `each` at a time."""
    return [rooms[at : at + each] for at in range(0, len(rooms), each)]


def metrics(port: int) -> dict[str, float]:
    """What /metrics says, as far as it has no labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.split() for line in lines if line and "{" not in line and not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def is_ready(port: int) -> bool:
    """Whether the node on that port says so."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _program() -> str:
    return str(Path(sys.executable).parent / "hubchat")
