"""Server processes under measurement, each alone on the servers' core."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from load import machine
from load.compiler import CannotMeasureError
from load.plan import Note, Reading
from load.speech import Speech

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10


@dataclass(frozen=True)
class Server:
    """One that runs."""

    pid: int
    port: int


def _nothing() -> None:
    """What a side needs that is always there."""


@dataclass(frozen=True)
class Side:
    """One that takes its turn in a scenario: how it is started, and how members speak to it.

    `prepare` builds or looks for what it is made of, and raises CannotMeasureError where that can't be had.
    """

    server: Callable[[], AbstractContextManager[Server]]
    speech: Callable[[], Speech]
    prepare: Callable[[], object] = _nothing


def here(sides: dict[str, Side], scenario: str, note: Note) -> dict[str, Side]:
    """Those that this machine has; of each other one it is noted why it is left out."""
    found: dict[str, Side] = {}
    for peer, side in sides.items():
        try:
            side.prepare()
        except CannotMeasureError as error:
            note(Reading(scenario, peer, 0, left_out=str(error)))
        else:
            found[peer] = side
    return found


def on_core(core: int) -> Callable[[], None]:
    """For `preexec_fn`: threads inherit the core, which setting it from outside would come too late for."""
    return lambda: os.sched_setaffinity(0, {core})


@contextmanager
def running(
    command: list[str],
    port: int,
    *,
    environment: dict[str, str] | None = None,
    log: Path | None = None,
    ready: Callable[[int], bool] | None = None,
) -> Iterator[Server]:
    """A server from its first connect to its end; raises CannotMeasureError with its log's tail if it fails."""
    with (log or Path(os.devnull)).open("ab") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=on_core(machine.cores()[0]),
        )
    try:
        _wait_until(lambda: (ready or takes_connections)(port), process, log)
        yield Server(process.pid, port)
    finally:
        _end(process)


def takes_connections(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path | None) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if ready():
            return
        time.sleep(0.002)
    said = log.read_text()[-2000:] if log and log.exists() else ""
    raise CannotMeasureError(f"{process.args!r} did not start: {said}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
