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
from hubchat.storage.database import Connection, open_database
from load import filling, speech
from load.compiler import CannotMeasureError
from load.servers import Server, free_port, running
from tests.redis_servers import RedisServer
from tests.servers import PostgresServer

T = TypeVar("T")

MEMBERS, GROUPS = 10, 5
WRITERS = 10  # of a crowd: members of every room
COMMAND_TIMEOUT_S = 60
UNLIMITED = {
    "HUBCHAT_COMMANDS_PER_10S": "0",
    "HUBCHAT_CONNECTIONS_PER_MEMBER": "0",
    "HUBCHAT_CONNECTIONS_PER_ADDRESS": "0",
}


class Hub:
    """A data folder with MEMBERS members in GROUPS public groups. On SQLite one node at a time is started on it."""

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

    def settle(self, members: int = MEMBERS, rooms: int = GROUPS, each: int = GROUPS) -> None:
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
        """Everybody in one channel."""
        return speech.hubchat(self.tokens, self.channels[:1], self.channels[0])

    def all_rooms(self) -> speech.Speech:
        """Everybody in every channel."""
        return speech.hubchat(self.tokens, self.channels, self.channels[0])

    def nothing(self) -> speech.Speech:
        """Everybody signed in, and subscribed to nothing."""
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
    """A settled hub on each database, made when a scenario first asks for it; a context manager that removes them."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._made: dict[str, Hub] = {}
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
        """The one on SQLite."""
        if "sqlite" not in self._made:
            self._made["sqlite"] = self.empty()
            self._made["sqlite"].settle()
        return self._made["sqlite"]

    @property
    def postgres(self) -> Hub:
        """The one on a PostgreSQL server of its own, which keeps fsync on."""
        if "postgres" in self._made:
            return self._made["postgres"]
        hub = self._made["postgres"] = self.empty(on_postgres=True)
        hub.settle()
        return hub

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

    def crowd(self, members: int, rooms: int, each: int) -> Hub:
        """One on SQLite with so many members and rooms: everybody is in `each` of them, WRITERS in all."""
        if "crowd" in self._made:
            return self._made["crowd"]
        hub = self._made["crowd"] = self.empty()
        hub.settle(members, rooms, each)
        return hub


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
