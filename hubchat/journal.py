"""The erasure journal: ids of what was erased, in a file beside the database, so that no older backup brings it back.

One JSON object a line, appended and brought to the disk before anybody is told that it is done. It holds no words:
ids, times, and of handles their SHA-256.
"""

import fcntl
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from hubchat.errors import OperatorError

NAME: Final = "erasures.jsonl"
LINE_BYTES: Final = 4_096  # of one: some hundred personas; what is longer is none of ours


class JournalError(OperatorError):
    """The journal can't be written, or is not what we write."""


class Erased(NamedTuple):
    """An account that was erased. `messages`: erase or keep_without_name; `handles` are hashes."""

    account: int
    personas: tuple[int, ...]
    handles: tuple[str, ...]
    messages: str
    at: int


class Expired(NamedTuple):
    """What a channel had before `tail` was forgotten."""

    channel: int
    tail: int
    at: int


class Deleted(NamedTuple):
    """A group that was deleted, with everything in it."""

    group: int
    at: int


Line = Erased | Expired | Deleted


class Journal:
    """The file at `path`, which several nodes of one machine may share."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, lines: Sequence[Line]) -> None:
        """Writes lines down; they are on the disk when it returns. Raises JournalError."""
        data = b"".join(orjson.dumps(one._asdict()) + b"\n" for one in lines)
        try:
            is_new = not self.path.exists()
            with os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "rb+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                _cut_torn(file.fileno())
                os.write(file.fileno(), data)
                os.fsync(file.fileno())
            if is_new:
                _keep_name(self.path.parent)
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            raise JournalError(f"the erasure journal {self.path} can't be written: {why}") from None

    def read(self) -> list[Line]:
        """Every line, oldest first; none where there is no file. Raises JournalError for a line that is none of ours.

        An end without its line break is what a crash left of a line that nobody was told of.
        """
        try:
            with self.path.open("rb") as file:
                return [_line(text, number, self.path) for number, text in enumerate(_whole(file), 1)]
        except FileNotFoundError:
            return []
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            raise JournalError(f"the erasure journal {self.path} can't be read: {why}") from None

    def read_there(self) -> list[Line]:
        """`read`, of a journal that somebody named: raises JournalError where there is none."""
        if not self.path.is_file():
            raise JournalError(f"the erasure journal {self.path} is not there")
        return self.read()

    def add_missing(self, lines: Iterable[Line]) -> None:
        """Writes down what is not there yet."""
        known = set(self.read())
        if missing := [one for one in lines if one not in known]:
            self.append(missing)


def _whole(file: Any) -> Iterable[bytes]:  # Any: a binary file, whatever its class
    while text := file.readline(LINE_BYTES):
        if text.endswith(b"\n"):
            yield text
        elif len(text) == LINE_BYTES:
            yield b""  # too long: no line of ours


def _line(text: bytes, number: int, path: Path) -> Line:
    try:
        told = orjson.loads(text)
        made: Line
        numbers: tuple[int, ...]
        if "account" in told:
            made = Erased(**{**told, "personas": tuple(told["personas"]), "handles": tuple(told["handles"])})
            numbers = (made.account, made.at, *made.personas)
            if not all(type(one) is str for one in made.handles) or made.messages not in ("erase", "keep_without_name"):
                raise ValueError
        elif "group" in told:
            made = Deleted(**told)
            numbers = (made.group, made.at)
        else:
            made = Expired(**told)
            numbers = (made.channel, made.tail, made.at)
        if not all(type(one) is int and 0 <= one < 2**53 for one in numbers):
            raise ValueError
    except (ValueError, TypeError, KeyError):
        raise JournalError(f"line {number} of the erasure journal {path} is none that hubchat wrote") from None
    return made


def _cut_torn(file: int) -> None:
    """Takes away the end of a line that a crash cut: nobody was told that it is done."""
    size = os.fstat(file).st_size
    start = max(0, size - LINE_BYTES)
    end = os.pread(file, LINE_BYTES, start)
    if end and not end.endswith(b"\n") and (start == 0 or b"\n" in end):
        os.ftruncate(file, start + end.rfind(b"\n") + 1)


def _keep_name(folder: Path) -> None:
    """Brings a new file's name to the disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
