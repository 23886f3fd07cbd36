"""The process that serves: its sockets, its signals, the machine's limits, and what its operator reads at start."""

import asyncio
import errno
import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import uvicorn
import uvloop

from hubchat import logs
from hubchat.api import demo
from hubchat.api.siblings import Siblings
from hubchat.app import make_app
from hubchat.errors import OperatorError
from hubchat.gateway.protocol import HttpEdge, Link
from hubchat.gateway.sockets import tune
from hubchat.node import Node
from hubchat.settings import Settings

BACKLOG: Final = 2_048  # a reconnect storm's first moments; the kernel caps it by its own somaxconn
SWITCH_S: Final = 0.0005  # how long a thread that reads SQL may keep the loop waiting
DRAIN_S: Final = 1  # for answers under way and peers that hang up slowly: a stop takes less than 2 s
GC_FIRST: Final = 50_000  # new objects between two looks at the young: some 5 MB, and a pause under 1 ms
AT_ONCE: Final = 130  # the exit code after a second Ctrl-C, as shells count it
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

Started = Callable[[Node, int], Awaitable[None]]


class CannotListen(OperatorError):
    """The host is none of this machine's, or the port is not ours to take."""


class PortTaken(CannotListen):
    """Somebody listens there already."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is taken; name another one by --port or HUBCHAT_PORT")


class Worker(NamedTuple):
    """One of several processes on a port, as its parent made it."""

    number: int  # from 1
    folder: Path  # where workers tell each other of themselves
    breath: int  # a file descriptor that comes to its end when the parent does


def listen(host: str, port: int, *, shared: bool = False) -> list[socket.socket]:
    """Sockets that listen at every address of `host`, which are taken before anything else is begun.

    Port 0 is any one, the same for all. `shared`: other processes of this user that share it may listen there too.
    Raises CannotListen, PortTaken.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        raise CannotListen(f"{host} is no address of this machine; name another one by --host") from None
    made: list[socket.socket] = []
    for family, address in dict.fromkeys((info[0], info[4]) for info in found):
        chosen = made[0].getsockname()[1] if made else port
        try:
            made.append(_socket(family, (address[0], chosen, *address[2:]), shared))
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):  # as ::1 where there is no IPv6
                for one in made:
                    one.close()
                raise _refused(host, port, error) from None
    if not made:
        raise CannotListen(f"{host} is no address of this machine; name another one by --host")
    return made


def serve(
    settings: Settings,
    sockets: list[socket.socket],
    open_node: Callable[[], AbstractAsyncContextManager[Node]],
    started: Started,
    worker: Worker | None = None,
) -> None:
    """Serves until SIGINT or SIGTERM; a second one ends the process at once.

    A worker stops at SIGTERM, and when its parent is gone.
    `started` is awaited with the node and the port once members are let in. Raises what opening the node raises.
    """
    number = worker.number if worker else None
    logs.set_up("error", settings.log_format, worker=number)  # what hinders the start is told once, by whoever called
    raise_open_files()
    sys.setswitchinterval(SWITCH_S)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, sockets, open_node, started, worker))


def raise_open_files() -> tuple[int, int]:
    """Lets this process have as many open files, and so connections, as the machine grants; gives what it has now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # macOS says "unlimited" and means its own bound
        return soft, hard
    return hard, hard


async def _serve(
    settings: Settings,
    sockets: list[socket.socket],
    open_node: Callable[[], AbstractAsyncContextManager[Node]],
    started: Started,
    worker: Worker | None,
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(logs.log_loop_fault)
    stop = Stop(asyncio.current_task(), worker)
    with stop.on_signals(loop):
        try:
            async with open_node() as node:
                logs.set_up(settings.log_level, settings.log_format, worker=worker.number if worker else None)
                server = Server(_config(settings, node, worker))
                stop.server = server
                await server.run_on(sockets, lambda: started(node, sockets[0].getsockname()[1]))
        except asyncio.CancelledError:
            if not stop.asked:
                raise


@dataclass
class Stop:
    """What the signals do: the first one stops in good order, the second at once.

    A worker hears its parent alone, by SIGTERM and by its end, and leaves it to the parent what is done at once.
    """

    starting: asyncio.Task[None] | None
    worker: Worker | None = None
    server: "Server | None" = None
    asked: bool = False

    @contextmanager
    def on_signals(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        heard = SIGNALS if self.worker is None else (signal.SIGTERM,)
        for one in heard:
            loop.add_signal_handler(one, self)
        if self.worker is not None:
            loop.add_reader(self.worker.breath, self._orphaned, loop)
        yield
        for one in heard:
            loop.remove_signal_handler(one)

    def _orphaned(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self.worker is not None, "who has no parent does not listen for its breath"
        loop.remove_reader(self.worker.breath)
        self()

    def __call__(self) -> None:
        if self.asked:
            if self.worker is None:
                os._exit(AT_ONCE)  # what was acknowledged is committed
            return
        self.asked = True
        if self.server is not None:
            self.server.should_exit = True
        elif self.starting is not None:
            self.starting.cancel()


class Server(uvicorn.Server):
    """uvicorn's server, with signals left to `Stop`."""

    async def run_on(self, sockets: list[socket.socket], started: Callable[[], Awaitable[None]]) -> None:
        """Lets members in, tells `started`, and returns once stopped."""
        self._tell = started
        await self._serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            await self._tell()
            settle_memory()


def settle_memory() -> None:
    """What is there after the start stays: the collector need not look at it again, and may look less often."""
    gc.enable()  # the command line begins without it
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_FIRST, 20, 50)


def _config(settings: Settings, node: Node, worker: Worker | None) -> uvicorn.Config:
    siblings = worker and Siblings(worker.folder, worker.number)
    return uvicorn.Config(
        make_app(lambda: nullcontext(node), *([demo.ROUTES] if settings.demo else []), siblings=siblings),
        http=HttpEdge,
        ws=Link,
        lifespan="on",
        log_config=None,
        access_log=False,  # paths hold slugs, and who asked for them (law 8)
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        workers=1,
        timeout_graceful_shutdown=DRAIN_S,
    )


def _socket(family: int, address: tuple[object, ...], shared: bool) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # past connections in TIME_WAIT hold no port
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has a socket of its own
        tune(made)
        made.bind(address)
        made.listen(BACKLOG)  # bound alone, a second hub could bind too
    except OSError:
        made.close()
        raise
    made.setblocking(False)
    return made


def _refused(host: str, port: int, error: OSError) -> CannotListen:
    if error.errno == errno.EADDRINUSE:
        return PortTaken(port)
    return CannotListen(f"can't listen on {host}, port {port}: {(error.strerror or 'refused').lower()}")
