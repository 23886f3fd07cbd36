"""Passwords: how they are hashed, proved and judged, off the event loop and in a bounded queue.

Argon2id with one lane: a hash takes one core, so `password_threads` says how many cores sign-ins may take.
"""

import asyncio
import base64
import secrets
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn_rs_py import zxcvbn

from hubchat.errors import HubError
from hubchat.settings import Settings

PASSWORD_BYTES: Final = 1_024
JUDGED_CHARS: Final = 64  # what zxcvbn looks at: it holds the interpreter, 4 ms for 64 characters, 14 for 100
GUESSES_LOG10: Final = 8.0  # zxcvbn's score 3: holds against guessing that Argon2id slows down
BUSY_MS: Final = 2_000

T = TypeVar("T")


class Passwords:
    """Hashes at most `password_threads` at once; `password_queue` more wait, and beyond that: `overloaded`."""

    def __init__(self, settings: Settings) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_passes, memory_cost=settings.argon2_memory_kib, parallelism=1
        )
        self._nobodys = _hash_of_nothing(settings)
        self._most = settings.password_threads + settings.password_queue
        self._under_way = 0
        self.refused = 0  # since the start
        self._threads = ThreadPoolExecutor(settings.password_threads, "password")

    async def hash(self, password: str) -> str:
        """What to store. Raises `overloaded`."""
        return await self._run(lambda: self._hasher.hash(_normal(password)))

    async def prove(self, hashed: str | None, password: str) -> bool:
        """Whether the password belongs to this hash. Without one it is never right, and takes as long."""
        return await self._run(lambda: self._is_right(hashed or self._nobodys, password)) and hashed is not None

    def is_outgrown(self, hashed: str) -> bool:
        """Whether the settings ask for more work than went into this hash."""
        had = extract_parameters(hashed)
        return had.memory_cost < self._hasher.memory_cost or had.time_cost < self._hasher.time_cost

    async def require_strong(self, password: str, known: Sequence[str]) -> None:
        """Raises `password_weak` for what is soon guessed by who knows the words `known`, or `password_too_large`."""
        require_short(password)
        judged = _normal(password)[:JUDGED_CHARS]
        words = [word[:JUDGED_CHARS] for word in known if word]
        if not judged or await self._run(lambda: zxcvbn(judged, words).guesses_log10) < GUESSES_LOG10:
            raise HubError("password_weak", fields={"password": "easily guessed"})

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _is_right(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, _normal(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._under_way >= self._most:
            self.refused += 1
            raise HubError("overloaded", retry_after_ms=BUSY_MS)
        self._under_way += 1
        loop = asyncio.get_running_loop()
        future = self._threads.submit(work)
        future.add_done_callback(lambda _: _on(loop, self._one_done))
        return await asyncio.wrap_future(future)

    def _one_done(self) -> None:
        self._under_way -= 1


def require_short(password: str) -> None:
    """Raises `password_too_large` before anything is done with it: a hash of a megabyte is work for nothing."""
    if len(password) > PASSWORD_BYTES or len(password.encode()) > PASSWORD_BYTES:
        raise HubError("password_too_large")


def _normal(password: str) -> str:
    """The same for every keyboard that types it (RFC 8265, 4.2.2)."""
    return unicodedata.normalize("NFC", password)


def _hash_of_nothing(settings: Settings) -> str:
    """A hash that no password has, to be proved against where an account has none."""
    salt, digest = (base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (16, 32))
    return f"$argon2id$v=19$m={settings.argon2_memory_kib},t={settings.argon2_passes},p=1${salt}${digest}"


def _on(loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(act)
