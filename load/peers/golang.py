"""Centrifugo's engine, the Go module centrifuge, in centrifuge/main.go: built on first use into load/bin."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from load.compiler import BIN, CannotMeasureError
from load.servers import Server, running
from tests.servers import free_port

SOURCES = Path(__file__).parent / "centrifuge"
PROGRAM = BIN / "centrifuge"
BUILD_TIMEOUT_S = 600  # a minute where the modules have to be fetched first


def built() -> Path:
    """The program; raises CannotMeasureError where Go is missing or can't build it."""
    if PROGRAM.exists() and PROGRAM.stat().st_mtime > max(x.stat().st_mtime for x in SOURCES.iterdir()):
        return PROGRAM
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise CannotMeasureError("Go is not installed (from 1.26 on: https://go.dev/doc/install)")
    BIN.mkdir(exist_ok=True)
    command = [go, "build", "-o", str(PROGRAM), "."]
    done = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False)
    if done.returncode:
        raise CannotMeasureError(f"go build failed in load/peers/centrifuge: {_last_line(done.stderr)}")
    return PROGRAM


def _last_line(said: str) -> str:
    return said.strip().rpartition("\n")[2]


@contextmanager
def centrifuge(gather_ms: int) -> Iterator[Server]:
    """One process, in which one thread at a time runs Go; `gather_ms` is how long messages wait for more, 0 for not."""
    port = free_port()
    command = [str(built()), str(port), str(gather_ms)]
    with running(command, port, environment={"GOMAXPROCS": "1"}) as server:
        yield server
