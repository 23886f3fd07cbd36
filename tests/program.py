"""The program `hubchat` as processes of its own: commands, and a server that is started and stopped."""

import logging
import os
import select
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.servers import free_port

HUBCHAT: Final = str(Path(sys.executable).parent / "hubchat")
COMMAND_S: Final = 60
START_S: Final = 60


class Running:
    """A hub that serves. `said` and `logged` are what it wrote by now."""

    def __init__(self, process: "subprocess.Popen[bytes]", data: Path, port: int, out: Path, err: Path) -> None:
        self.process = process
        self.data = data
        self.port = port
        self._out, self._err = out, err

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def said(self) -> str:
        return self._out.read_text("utf-8")

    @property
    def logged(self) -> str:
        return self._err.read_text("utf-8")

    def stop(self, *signals: signal.Signals, within_s: float = 30) -> int:
        """Sends the signals (SIGTERM if none is named), a moment apart, and gives the exit code."""
        for number, one in enumerate(signals or (signal.SIGTERM,)):
            if number:
                time.sleep(0.2)
            self.process.send_signal(one)
        return self.process.wait(within_s)


class Program:
    """The program with a data folder, and settings of its own; whatever HUBCHAT_ holds here stays out."""

    def __init__(self, data: Path, environment: Mapping[str, str] | None = None) -> None:
        self.data = data
        own = {name: value for name, value in os.environ.items() if not name.startswith("HUBCHAT_")}
        self.environment = {**own, "HUBCHAT_DATA": str(data), "HUBCHAT_ARGON2_MEMORY_KIB": "8", **(environment or {})}

    def run(
        self, *arguments: str, said: str = "", before: Callable[[], None] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """A command, from its start to its end; `before` runs in its process first."""
        return subprocess.run(
            [HUBCHAT, *arguments], env=self.environment, input=said, capture_output=True, text=True,
            timeout=COMMAND_S, check=False, preexec_fn=before,
        )  # fmt: skip

    def tell(self, *arguments: str, said: str = "") -> str:
        """What a command prints that has to go well."""
        done = self.run(*arguments, said=said)
        assert done.returncode == 0, done.stderr
        return done.stdout.removesuffix("\n")

    @contextmanager
    def serving(self, *arguments: str, stdout: int | None = None, port: int | None = None) -> Iterator[Running]:
        """A server, from when it is ready; ended with the context if it still runs."""
        port = port or free_port()
        folder = self.data.parent
        out, err = folder / f"out-{port}", folder / f"err-{port}"
        with out.open("wb") as told, err.open("wb") as logged:
            process = subprocess.Popen(
                [HUBCHAT, "serve", "--port", str(port), *arguments], env=self.environment,
                stdin=subprocess.DEVNULL, stdout=stdout or told, stderr=logged,
            )  # fmt: skip
        running = Running(process, self.data, port, out, err)
        try:
            wait_until(lambda: _answers(port) or _assert_alive(running), "the server is not ready")
            yield running
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def wait_until(holds: Callable[[], Any], otherwise: str, within_s: float = START_S) -> None:
    """Looks again and again, since a process of its own tells nothing."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.01)


def children_of(pid: int) -> list[int]:
    """A process's own processes, oldest first."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def one_line(done: "subprocess.CompletedProcess[str]") -> str:
    """What went wrong, which is one line and nothing else."""
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def read_terminal(fd: int, until: Callable[[str], bool]) -> str:
    """What a terminal shows, as soon as it shows what is waited for."""
    shown = b""
    deadline = time.monotonic() + START_S
    while not until(shown.decode("utf-8", "replace")):
        left = deadline - time.monotonic()
        assert left > 0, shown
        if select.select([fd], [], [], min(left, 0.1))[0]:
            shown += os.read(fd, 4096)
    return shown.decode("utf-8", "replace")


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.HTTPError, OSError):
        return False


def _assert_alive(running: Running) -> bool:
    assert running.process.poll() is None, running.logged
    return False


@pytest.fixture
def as_before() -> Iterator[None]:
    """Gives back to this process what a command sets in its own: the mask of modes, and where logs go."""
    root, ours = logging.getLogger(), logging.getLogger("hubchat")
    mask = os.umask(0o022)
    handlers, levels = list(root.handlers), (root.level, ours.level)
    yield
    os.umask(mask)
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
