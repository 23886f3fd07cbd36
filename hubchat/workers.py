"""Several processes on one port: a parent that starts them, looks after them, and serves nobody itself.

It has no threads and no event loop, so that forking is safe whenever a worker has to be replaced. Each worker is a
node of its own; what they have in common is the port (SO_REUSEPORT, so that the kernel spreads who comes), the data
folder, the database and Redis.
"""

import gc
import logging
import os
import select
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from time import monotonic
from typing import Final, NoReturn

from hubchat import complaints
from hubchat.errors import OperatorError
from hubchat.server import AT_ONCE, SIGNALS, Worker

log = logging.getLogger(__name__)

STOP_S: Final = 15.0  # a node goes within 10 s; what does not is killed, and has acknowledged nothing uncommitted
STEADY_S: Final = 10.0  # who was ready for as long is replaced at once, others after a pause
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0  # as long as a database may well be away
HEARD: Final = (*SIGNALS, signal.SIGCHLD)
READY: Final = b"ready\n"
FOLDER_BYTES: Final = 85  # of the 104 that a socket's name may have on every system, what its own part leaves
LINE_BYTES: Final = 16_384  # of what a worker says before it ends; a place with all its frames takes 2 KB

Work = Callable[[Worker, Callable[[], None], bool], None]
"""Serves as this worker until told to stop. Calls the function once members are let in; greets if the last is true."""


class CannotStart(OperatorError):
    """A worker could not begin, and said why."""


@dataclass
class Place:
    """One worker's place, which outlives the processes that fill it."""

    number: int
    pid: int = 0  # 0: nobody
    ear: int = -1  # where its process says that it is ready, or why it is not
    said: bytes = b""
    is_ready: bool = False
    ready_at: float = 0.0
    pause_s: float = 0.0
    due: float = 0.0


def run(count: int, work: Work) -> None:
    """Keeps `count` processes at work until SIGINT or SIGTERM, a second of which ends them at once.

    Returns when all are gone. Raises CannotStart when one of the first ones can't begin; no other goes on then.
    """
    gc.collect()
    gc.freeze()  # a worker's collector would touch, and so copy, all it has from here: 20 of its 65 MB
    with (
        tempfile.TemporaryDirectory(prefix="hubchat-", ignore_cleanup_errors=True) as folder,
        _bell() as bell,
    ):
        if len(os.fsencode(folder)) > FOLDER_BYTES:
            raise CannotStart(f"{tempfile.gettempdir()} is too long a name for workers' sockets: set TMPDIR to another")
        Workers(count, work, Path(folder), bell).run()


class Workers:
    """The parent's side. `bell` gets the number of each signal that came, a byte each."""

    def __init__(self, count: int, work: Work, folder: Path, bell: socket.socket) -> None:
        self._work = work
        self._folder = folder
        self._bell = bell
        self._places = [Place(number) for number in range(1, count + 1)]
        self._breath, self._life = os.pipe()  # the parent alone holds `_life`: when it is gone, `_breath` ends
        self._has_begun = False
        self._stop_by: float | None = None

    def run(self) -> None:
        try:
            self._begin()
            while any(place.pid for place in self._places) or self._stop_by is None:
                self._turn()
        finally:
            self._end_all()
            os.close(self._breath)
            os.close(self._life)

    def _begin(self) -> None:
        """One first, which migrates and may fail alone; the last one when the others are there: it greets."""
        first, *others, last = self._places
        for crowd in ([first], others, [last]):
            for place in crowd:
                self._start(place)
            while self._stop_by is None and not all(place.is_ready for place in crowd):
                self._turn()
            if self._stop_by is not None:
                return
        self._has_begun = True

    def _turn(self) -> None:
        """Waits for the next thing to happen, and does what follows from it."""
        self._wait()
        for place in self._places:
            if place.pid:
                ended, status = os.waitpid(place.pid, os.WNOHANG)
                if ended:
                    self._bury(place, os.waitstatus_to_exitcode(status))
        if self._stop_by is None:
            for place in self._vacant():
                if place.due <= monotonic():
                    self._start(place)
        elif self._stop_by <= monotonic():
            log.warning("workers did not go within %.0f s, and are killed", STOP_S)
            self._end_all()

    def _wait(self) -> None:
        """For a signal, a word of a worker, or the time at which something is due."""
        dues = [place.due for place in self._vacant()] if self._stop_by is None else [self._stop_by]
        wait_s = max(0.0, min(dues) - monotonic()) if dues else None
        ears = {place.ear: place for place in self._places if place.ear >= 0}
        ready, _, _ = select.select([self._bell.fileno(), *ears], [], [], wait_s)
        for fd in ready:
            if fd in ears:
                self._hear(ears[fd])
            elif not {*self._bell.recv(4_096)}.isdisjoint(SIGNALS):
                self._stop()

    def _vacant(self) -> list[Place]:
        """Places whose process died and is to be replaced."""
        return [place for place in self._places if place.pid == 0] if self._has_begun else []

    def _start(self, place: Place) -> None:
        """Fills a place; a later turn does where the system has no process to give. Raises CannotStart at the start."""
        _flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)  # a child that still has our handlers would ring our bell
        try:
            pid, place.ear, mouth = _forked()
        except OSError as error:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
            why = (error.strerror or type(error).__name__).lower()
            if not self._has_begun:
                raise CannotStart(f"a worker can't be started: {why}") from None
            _put_off(place)
            told = {"worker": place.number, "why": why, "in_s": place.pause_s}
            log.warning("a worker can't be started, and is tried again", extra=told)
            return
        if pid == 0:
            self._be_worker(place, mouth)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
        mouth.close()
        place.pid, place.said, place.is_ready = pid, b"", False

    def _be_worker(self, place: Place, mouth: RawIOBase) -> NoReturn:
        """In the new process: nothing of the parent's frames above is gone back to."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to all; the parent passes it on
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
            for fd in [self._life, *(other.ear for other in self._places if other.ear >= 0)]:
                os.close(fd)
            worker = Worker(place.number, self._folder, self._breath)
            self._work(worker, lambda: _say(mouth, READY), not self._has_begun and place is self._places[-1])
            code = 0
        except BaseException as error:  # noqa: BLE001  # the edge of this process
            line = complaints.line_of(error)
            if mouth.closed:  # it was ready, and served
                log.error("a worker fails: %s", line)
            else:
                _say(mouth, line.encode())
        finally:
            try:
                _flush()
            finally:
                os._exit(code)

    def _hear(self, place: Place) -> None:
        said = os.read(place.ear, LINE_BYTES)
        place.said += said
        if place.said == READY and not place.is_ready:
            place.is_ready, place.ready_at = True, monotonic()
        if not said or len(place.said) > LINE_BYTES:
            os.close(place.ear)
            place.ear = -1

    def _bury(self, place: Place, code: int) -> None:
        """Its process has ended, by a signal where the code is below 0. Raises CannotStart if it never began."""
        while place.ear >= 0:
            self._hear(place)
        pid, place.pid = place.pid, 0
        if self._stop_by is not None:
            return
        why = f"signal {-code}" if code < 0 else f"exit code {code}"
        if place.said and not place.is_ready:
            why = place.said.decode("utf-8", "replace")
        if not self._has_begun and not place.is_ready:
            raise CannotStart(why if place.said else f"worker {place.number} ended before it began ({why})")
        if place.is_ready and monotonic() - place.ready_at > STEADY_S:
            place.pause_s = place.due = 0.0
        else:
            _put_off(place)
        log.warning(
            "a worker is gone, and another one takes its place",
            extra={"worker": place.number, "pid": pid, "why": why, "in_s": place.pause_s},
        )

    def _stop(self) -> None:
        if self._stop_by is not None:  # the second time
            raise SystemExit(AT_ONCE)
        self._stop_by = monotonic() + STOP_S
        for place in self._places:
            if place.pid:
                os.kill(place.pid, signal.SIGTERM)

    def _end_all(self) -> None:
        """Kills who is left; a process that was reaped has no number here any more."""
        for place in self._places:
            if place.pid:
                os.kill(place.pid, signal.SIGKILL)
                os.waitpid(place.pid, 0)
                place.pid = 0
            if place.ear >= 0:
                os.close(place.ear)
                place.ear = -1


def _put_off(place: Place) -> None:
    """Who falls again and again is started after longer and longer pauses."""
    place.pause_s = min(max(FIRST_PAUSE_S, place.pause_s * 2), LONGEST_PAUSE_S)
    place.due = monotonic() + place.pause_s


def _forked() -> tuple[int, int, RawIOBase]:
    """A new process's number, which is 0 in itself, and both ends of a pipe from it. Raises OSError."""
    ear, fd = os.pipe()
    mouth = os.fdopen(fd, "wb", buffering=0)
    try:
        return os.fork(), ear, mouth
    except OSError:
        mouth.close()
        os.close(ear)
        raise


def _flush() -> None:
    """Whoever reads what is logged may be gone; that ends nobody here."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()


def _say(mouth: RawIOBase, line: bytes) -> None:
    """To the parent, once; it may be gone."""
    with mouth, suppress(BrokenPipeError):
        mouth.write(line[:LINE_BYTES])


@contextmanager
def _bell() -> Iterator[socket.socket]:
    """A socket that rings when a child ends or this process is told to stop."""
    bell, rope = socket.socketpair()
    with bell, rope:
        rope.setblocking(False)
        before = {one: signal.signal(one, lambda *_: None) for one in HEARD}
        former = signal.set_wakeup_fd(rope.fileno(), warn_on_full_buffer=False)
        try:
            yield bell
        finally:
            signal.set_wakeup_fd(former)
            for one, handler in before.items():
                signal.signal(one, handler)
