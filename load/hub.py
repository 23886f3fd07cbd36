"""A hubchat node set up for measuring, only by what any operator has: its command line, settings and HTTP."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from load import speech
from load.compiler import CannotMeasureError
from load.servers import Server, free_port, running
from tests.servers import PostgresServer

MEMBERS, GROUPS = 10, 5
COMMAND_TIMEOUT_S = 60
UNLIMITED = {
    "HUBCHAT_COMMANDS_PER_10S": "0",
    "HUBCHAT_CONNECTIONS_PER_MEMBER": "0",
    "HUBCHAT_CONNECTIONS_PER_ADDRESS": "0",
}


class Hub:
    """A data folder with MEMBERS members in GROUPS public groups; nodes are started on it one at a time."""

    def __init__(self, folder: Path, database_url: str | None = None) -> None:
        self.folder = folder
        self.log = folder / "log"
        self._environment = {**UNLIMITED, "HUBCHAT_DATA": str(folder / "data")}
        if database_url:
            self._environment["HUBCHAT_DATABASE_URL"] = database_url
        self.tokens: list[str] = []
        self.channels: list[int] = []

    def settle(self) -> None:
        """Members, tokens, groups and their memberships; once, before anything is measured."""
        handles = [f"member{number}" for number in range(MEMBERS)]
        self._enrol(handles[0])  # alone: it migrates the database
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._enrol, handles[1:]))
            self.tokens = list(pool.map(lambda handle: self._hubchat("token", handle), handles))
        for number in range(GROUPS):
            options = ["--title", f"Room {number}", "--visibility", "public", "--owner", handles[0]]
            self.channels.append(int(self._hubchat("group", "add", f"room{number}", *options)))
        with self.node() as node:
            for token in self.tokens[1:]:
                for channel in self.channels:
                    _post(node.port, f"/api/v1/groups/{channel}/join", token)

    @contextmanager
    def node(self) -> Iterator[Server]:
        """A node that is ready for requests."""
        port = free_port()
        command = [_program(), "serve", "--host", "127.0.0.1", "--port", str(port)]
        with running(command, port, environment=self._environment, log=self.log, ready=is_ready) as server:
            yield server

    def room(self) -> speech.Speech:
        """Everybody in one channel."""
        return speech.hubchat(self.tokens, self.channels[:1], self.channels[0])

    def all_rooms(self) -> speech.Speech:
        """Everybody in every channel."""
        return speech.hubchat(self.tokens, self.channels, self.channels[0])

    def nothing(self) -> speech.Speech:
        """Everybody signed in, and subscribed to nothing."""
        return speech.hubchat(self.tokens, [], self.channels[0])

    def _enrol(self, handle: str) -> None:
        options = ["--email", f"{handle}@example.org", "--role", "member", "--password-stdin"]
        self._hubchat("user", "add", handle, *options, said=secrets.token_urlsafe(16))

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
        return self._made.get("sqlite") or self._make("sqlite", None)

    @property
    def postgres(self) -> Hub:
        """The one on a PostgreSQL server of its own, which keeps fsync on."""
        if "postgres" in self._made:
            return self._made["postgres"]
        server = self._stack.enter_context(PostgresServer(durable=True))
        return self._make("postgres", server.url(server.create_database()))

    def _make(self, name: str, database_url: str | None) -> Hub:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="hubchat-load-"))
        hub = Hub(Path(folder), database_url)
        hub.settle()
        self._made[name] = hub
        return hub


def is_ready(port: int) -> bool:
    """Whether the node on that port says so."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _post(port: int, path: str, token: str) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        data=json.dumps({}).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        method="POST",
    )
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except urllib.error.HTTPError as error:
        raise CannotMeasureError(f"POST {path}: {error.code} {error.read()[:300]!r}") from None


def _program() -> str:
    return str(Path(sys.executable).parent / "hubchat")
