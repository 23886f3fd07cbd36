"""What `hubchat serve` does at its start, in this order, and what its operator reads then.

The port first, for nothing is made where nobody can be served; then the folder, the node, and the words.
"""

import asyncio
import gc
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, nullcontext
from functools import partial
from typing import Final

import uvloop

from hubchat import __version__, logs, server, workers
from hubchat.actions.consents import values_of
from hubchat.actions.links import LINK_MS, first_admin_link, write_first_admin
from hubchat.addresses import advise, home
from hubchat.api.pages import STATIC
from hubchat.demo.ground import open_demo, open_ground
from hubchat.errors import OperatorError
from hubchat.folder import PID, hold, open_folder, require_place
from hubchat.jobs.queue import Queue
from hubchat.jobs.table import KINDS
from hubchat.node import Node, open_node
from hubchat.policies import read_policies
from hubchat.server import PortTaken, Worker
from hubchat.settings import Settings
from hubchat.storage.database import Unavailable, now_ms
from hubchat.storage.jobs import unpark
from hubchat.storage.opening import sqlite_path
from hubchat.storage.schema import write_hub

log = logging.getLogger(__name__)
LINK_MINUTES: Final = LINK_MS // 60_000


def serve(settings: Settings) -> None:
    """Serves until told to stop. Raises OperatorError for what an operator can mend, Unavailable."""
    sockets = _listen(settings)
    port = sockets[0].getsockname()[1]
    with ExitStack() as listening:
        for one in sockets:
            listening.enter_context(one)
        if settings.demo:
            open_ground(settings.data)
        else:
            open_folder(settings.data)
        read_policies(settings.data, values_of(settings))  # what is wrong with them is told before anybody is let in
        with hold_database(settings):
            if settings.workers == 1:
                server.serve(settings, sockets, partial(_open, settings), _greet)
            else:
                listening.close()  # nobody else has the port; now each worker takes it by itself, and shares it
                import hubchat.channels.redis_bus  # noqa: F401  # before they part: 10 MB of each worker's

                logs.set_up(settings.log_level, settings.log_format)
                workers.run(settings.workers, partial(_work, settings, port))


def work(settings: Settings, *, again: bool) -> None:
    """Does background work until told to stop; `again`: what was parked too. Raises OperatorError, Unavailable."""
    open_folder(settings.data)
    gc.enable()  # the command line begins without it
    logs.set_up(settings.log_level, settings.log_format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work_on_jobs(settings, again))


async def _work_on_jobs(settings: Settings, again: bool) -> None:
    stopped = asyncio.Event()
    for one in server.SIGNALS:
        asyncio.get_running_loop().add_signal_handler(one, stopped.set)
    async with open_node(settings) as node:
        if again:
            print(f"{await node.database.write(unpark)} jobs are tried again", flush=True)
        queue = Queue(node, KINDS)
        queue.open()
        try:
            print("hubchat does background work (Ctrl-C stops it)", flush=True)
            await stopped.wait()
        finally:
            await queue.close()


def _work(settings: Settings, port: int, worker: Worker, ready: Callable[[], None], greets: bool) -> None:
    """What each worker does, in a process of its own."""

    async def started(node: Node, port: int) -> None:
        if greets:
            await _greet(node, port)
        ready()

    sockets = server.listen(settings.host, port, shared=True)
    server.serve(settings, sockets, partial(_open, settings), started, worker)


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[Node]:
    """A node whose database can be written: one that can only be read is refused before members are let in."""
    async with (open_demo if settings.demo else open_node)(settings) as node:
        await node.database.write(lambda connection: write_hub(connection, "started_at", str(now_ms())))
        yield node


def _listen(settings: Settings) -> list[socket.socket]:
    try:
        return server.listen(settings.host, settings.port)
    except PortTaken:
        if settings.demo and "MAKELEVEL" in os.environ:  # which make sets for what it runs
            other = settings.port + 1 if settings.port < 65535 else 8000
            raise OperatorError(f"port {settings.port} is taken; try: make run PORT={other}") from None
        raise


def hold_database(settings: Settings) -> AbstractContextManager[None]:
    """Keeps a second hub from a SQLite file: members of one would not see who is at the other. Raises FolderError.

    Commands work beside it. Nodes on PostgreSQL are made to be several, and may share a data folder too.
    """
    file = sqlite_path(settings.database_url, settings.data)
    if file is None:
        return nullcontext()
    if settings.database_url is not None:
        require_place(file)
    return hold(file.with_name(PID))


def warnings(settings: Settings) -> list[str]:
    """What is set or missing and will not do what somebody may expect."""
    told = [f"{one.said}; {one.todo}" for one in advise(settings)]
    if not (STATIC / "index.html").exists():
        told.append("the web client is not built, so there are no pages: make web")
    return told


async def _greet(node: Node, port: int) -> None:
    """Says where the hub is and how to come in."""
    told = warnings(node.settings)
    if not node.hub.bus.is_ok:
        told.append("Redis can't be reached; it is looked for, and until then nodes hear each other up to 3 s late")
    for line in told:
        print(f"hubchat: {line}", file=sys.stderr, flush=True)
    url = home(node.settings, port).url
    here = "" if node.settings.url is None else f", listening on {node.settings.host} at port {port}"
    print(f"hubchat {__version__} runs at {url}{here} (Ctrl-C stops it)", flush=True)
    if node.settings.demo:
        print('Sign in there with "continue as ...": everybody is invented, nobody has a password.', flush=True)
        if node.settings.url is None:
            print(f"A second member beside the first: http://127.0.0.1:{port} has cookies of its own.", flush=True)
        return
    try:
        link = await first_admin_link(node, port)
    except Unavailable:  # away a moment after the start; members come all the same
        log.warning("the link to become administrator could not be made; the next start makes one")
        return
    if link is None:
        return
    if sys.stdout.isatty():
        print(
            f"There is no administrator yet. Become it by this link, within {LINK_MINUTES} minutes: {link}", flush=True
        )
    else:
        path = write_first_admin(node.settings.data, link)
        print(f"There is no administrator yet; the link to become it is in {path}", flush=True)
