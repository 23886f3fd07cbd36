"""Pages of rooms' history over HTTP, while all of them together grow from thousands of entries to millions."""

import http.client
import random
import time
from collections.abc import Callable, Iterator

from load import filling
from load.hub import WRITERS, Homes, Hub
from load.plan import Note, Plan, Reading
from load.servers import Server

PAGE = 50
WARM = 20
ROOMS = 10  # whose entries lie between each other's, as a hub's do
PLACES: dict[str, Callable[[int], int]] = {  # before which seq a page is asked for, in a channel of so many entries
    "newest": lambda size: size + 1,
    "middle": lambda size: random.randint(max(PAGE + 1, size // 4), size * 3 // 4),
    "oldest": lambda size: random.randint(PAGE + 1, max(PAGE + 1, size // 100)),
}


def history(plan: Plan, note: Note, homes: Homes) -> None:
    """One asker on one connection that is kept; the entries are filled in between, as filling.py does it.

    Each page is of a room drawn by lot. The file is in the system's cache, as what was just written is: a disk's own
    time is not measured.
    """
    sides = {
        "hubchat": (homes.empty(), plan.history),
        "hubchat-postgresql": (homes.empty(on_postgres=True), plan.history_postgres),
    }
    for peer, (home, sizes) in sides.items():
        home.settle(WRITERS, ROOMS, ROOMS)
        for first, last in zip((0, *sizes), sizes, strict=False):
            began_s = time.perf_counter()
            _grow(home, first + 1, last)
            filled = {"fill_s": time.perf_counter() - began_s}
            with home.node() as running:
                times = {place: _read(plan, home, running, place, last // ROOMS) for place in PLACES}
            values = {f"{place}_{point}": ms for place, read in times.items() for point, ms in read.items()}
            worst = {"p99_ms": max(values[f"{place}_p99_ms"] for place in PLACES)}
            note(Reading("history", peer, 0, last, {**worst, **values, **filled}))


def _grow(home: Hub, first: int, last: int) -> None:
    home.fill(filling.drop_nonces)
    for begin, end in _chunks(first, last):
        home.fill(
            lambda connection, begin=begin, end=end: filling.insert_history(  # type: ignore[misc]
                connection, home.channels, home.author, begin, end
            )
        )
    home.fill(filling.make_nonces)


def _chunks(first: int, last: int) -> Iterator[tuple[int, int]]:
    for begin in range(first, last + 1, filling.CHUNK):
        yield begin, min(begin + filling.CHUNK - 1, last)


def _read(plan: Plan, home: Hub, running: Server, place: str, size: int) -> dict[str, float]:
    """p50 and p99 of pages from one place in rooms of that size, each whole and of the right entries."""
    line = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    times = []
    for number in range(WARM + plan.pages):
        before = PLACES[place](size)
        began_s = time.perf_counter()
        entries = home.entries(line, random.choice(home.channels), before=before, limit=PAGE)
        took_ms = (time.perf_counter() - began_s) * 1000
        assert [entry["seq"] for entry in entries] == list(range(before - PAGE, before)), "a page of other entries"
        if number >= WARM:
            times.append(took_ms)
    line.close()
    times.sort()
    return {"p50_ms": times[len(times) // 2], "p99_ms": times[len(times) * 99 // 100]}
