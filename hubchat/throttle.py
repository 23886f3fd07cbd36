"""How fast somebody may guess: waits grow with failures, per handle and address. No account is ever locked.

It counts on this node and in memory: N nodes allow N times as much, and a restart forgets. Addresses stay for an hour
after the last try, or half of one more.
"""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from hubchat.errors import HubError

FREE: Final = 5  # failures before the first wait: people mistype
LONGEST_S: Final = 900.0  # waits double from 1 s up to this
FORGOTTEN_S: Final = 3_600.0  # after so long without a try nothing is held against anybody
ADDRESS_TRIES: Final = 100  # of one address, all handles together, in ADDRESS_S
ADDRESS_S: Final = 3_600.0
KEPT: Final = 50_000  # of each table, some 10 MB; beyond that the least recent is forgotten

K = TypeVar("K")


class Try(NamedTuple):
    """One try under way. It counts as a failure until `succeeded` takes it back."""

    key: tuple[str, str]
    network: str | None


class Count(NamedTuple):
    """Tries since `since`, the newest at `last` (s, monotonic)."""

    tries: int
    since: float
    last: float


class Throttle:
    """Asked before each try to prove who one is, whether the handle exists or not."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._handles: OrderedDict[tuple[str, str], Count] = OrderedDict()
        self._networks: OrderedDict[str, Count] = OrderedDict()

    def begin(self, handle: str, address: str, device: str | None) -> Try:
        """Counts a try. `device` names a browser that signed in to this account before: it has its own allowance.

        Raises `too_many_tries` with the time to wait; a try that was refused is not counted.
        """
        now = self._clock()
        self.forget()
        network = None if device else network_of(address)
        key = (handle, device or f"from {network}")
        mine = self._handles.get(key)
        if mine is not None and now - mine.last < FORGOTTEN_S:
            _require_over(mine.last + _wait_s(mine.tries), now)
        else:
            mine = Count(0, now, now)
        if network is not None:
            ours = self._networks.get(network)
            if ours is None or now - ours.since >= ADDRESS_S:
                ours = Count(0, now, now)
            if ours.tries >= ADDRESS_TRIES:
                _require_over(ours.since + ADDRESS_S, now)
            _put(self._networks, network, ours._replace(tries=ours.tries + 1, last=now))
        _put(self._handles, key, mine._replace(tries=mine.tries + 1, last=now))
        return Try(key, network)

    def forget(self) -> None:
        """Drops what counts no more, so that no address stays here because nobody else came."""
        now = self._clock()
        for table in (self._handles, self._networks):
            while table and now - next(iter(table.values())).last >= FORGOTTEN_S:
                table.popitem(last=False)

    def succeeded(self, which: Try) -> None:
        """Takes the try back, and with it what this handle failed from there before."""
        self._handles.pop(which.key, None)
        ours = self._networks.get(which.network) if which.network else None
        if which.network and ours and ours.tries:
            self._networks[which.network] = ours._replace(tries=ours.tries - 1)


def network_of(address: str) -> str:
    """What one subscriber has: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]  # a Unix socket, or none
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), 64), strict=False))
    return str(found)


def _wait_s(failures: int) -> float:
    return 0.0 if failures < FREE else min(2.0 ** min(failures - FREE, 20), LONGEST_S)


def _require_over(until: float, now: float) -> None:
    if now < until:
        raise HubError("too_many_tries", retry_after_ms=int((until - now) * 1_000) + 1)


def _put(table: OrderedDict[K, Count], key: K, count: Count) -> None:
    table[key] = count
    table.move_to_end(key)
    if len(table) > KEPT:
        table.popitem(last=False)


class Bucket:
    """Holds up to `size`, empties with use and fills again with time, at `a_second`."""

    __slots__ = ("_clock", "a_second", "at", "level", "size")

    def __init__(self, size: float, a_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.size = size
        self.a_second = a_second
        self.level = size
        self.at = clock()

    def take(self) -> int:
        """Takes one; 0, or after how many ms there will be one."""
        now = self._clock()
        self.level = min(self.size, self.level + (now - self.at) * self.a_second)
        self.at = now
        if self.level >= 1:
            self.level -= 1
            return 0
        return 1 + int((1 - self.level) / self.a_second * 1_000)


class Pace:
    """How often one caller may ask for what costs more than a page: `size` at once, and as many again in 10 s.

    0: no limit. It counts as `Throttle` does.
    """

    def __init__(self, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, caller: str) -> None:
        """Takes one. Raises `too_fast` with the time to wait."""
        if self._size == 0:
            return
        bucket = self._buckets.pop(caller, None) or Bucket(self._size, self._size / 10, self._clock)
        self._buckets[caller] = bucket
        if len(self._buckets) > KEPT:
            self._buckets.popitem(last=False)
        if (wait_ms := bucket.take()) > 0:
            raise HubError("too_fast", retry_after_ms=wait_ms)
