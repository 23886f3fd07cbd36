"""Search in a hub of many messages, over HTTP: words that most texts have, and that few have; phrases; beginnings."""

import http.client
import json
import random
import time
import urllib.parse
from collections.abc import Callable

from hubchat.storage.database import Connection
from load import filling
from load.compiler import CannotMeasureError
from load.hub import Homes, Hub, metrics
from load.plan import Note, Plan, Reading
from load.servers import Server

PUBLIC, CLOSED, OWN = 20, 60, 3  # rooms; a member is in so many of the closed ones, and may read the public ones too
PAGE = 20
WARM = 10
WAIT_S = 3_600.0
ASKED: dict[str, Callable[[list[str]], str]] = {  # of a vocabulary, the most frequent words first
    "common": lambda words: random.choice(words[:5]),
    "rare": lambda words: random.choice(words[-2_000:]),
    "phrase": lambda words: f'"{random.choice(words[:20])} {random.choice(words[:200])}"',
    "beginning": lambda words: random.choice(words[:500])[:3],
    "both": lambda words: f"{random.choice(words[:50])} {random.choice(words[-5_000:])}",
}


def search(plan: Plan, note: Note, homes: Homes) -> None:
    """One asker on one connection that is kept. The node makes the index itself, as after a restore."""
    sides = {"hubchat": homes.empty(), "hubchat-postgresql": homes.empty(on_postgres=True)}
    for peer, home in sides.items():
        words = filling.vocabulary()
        token = _settle(home, plan.searched, words)
        with home.node() as running:
            indexed_s = _wait_for_index(running)
            times = {
                f"{who}_{what}": _ask(plan, running, bearer, ask, words)
                for who, bearer in (("member", token), ("guest", None))
                for what, ask in ASKED.items()
            }
        values = {f"{name}_{point}": ms for name, read in times.items() for point, ms in read.items()}
        worst = {"p95_ms": max(read["p95_ms"] for read in times.values())}
        rate = {"indexed_per_s": plan.searched / indexed_s}
        note(Reading("search", peer, 0, plan.searched, {**worst, **values, **rate}))


def _settle(home: Hub, size: int, words: list[str]) -> str:
    """Rooms full of texts, and the token of who is in some."""
    home.begin()

    def fill(connection: Connection) -> str:
        [who], [token] = filling.insert_members(connection, 1)
        rooms = filling.insert_rooms(connection, PUBLIC)
        closed = filling.insert_rooms(connection, CLOSED, "closed")
        filling.insert_memberships(connection, [(room, who) for room in closed[:OWN]])
        filling.insert_texts(connection, [*rooms, *closed], who.persona_id, size, words)
        return token

    return home.fill(fill)


def _wait_for_index(running: Server) -> float:
    """How long the node took to read all of it."""
    began_s = time.perf_counter()
    while time.perf_counter() - began_s < WAIT_S:
        told = metrics(running.port)
        if told["hubchat_search_batch_seconds_count"] and not told["hubchat_search_behind"]:
            return time.perf_counter() - began_s
        time.sleep(0.2)
    raise CannotMeasureError(f"the index was not made within {WAIT_S:.0f} s")


def _ask(
    plan: Plan, running: Server, token: str | None, make: Callable[[list[str]], str], words: list[str]
) -> dict[str, float]:
    """p50 and p95 of one kind of search, and how many it found in the middle."""
    line = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    times, found = [], []
    for number in range(WARM + plan.searches):
        path = f"/api/v1/search?{urllib.parse.urlencode({'q': make(words), 'limit': PAGE})}"
        began_s = time.perf_counter()
        line.request("GET", path, headers=headers)
        answer = line.getresponse()
        said = answer.read()
        took_ms = (time.perf_counter() - began_s) * 1000
        if answer.status != 200:
            raise CannotMeasureError(f"a search: {answer.status} {said[:300]!r}")
        if number >= WARM:
            times.append(took_ms)
            found.append(len(json.loads(said)["items"]))
    line.close()
    times.sort()
    found.sort()
    return {
        "p50_ms": times[len(times) // 2], "p95_ms": times[len(times) * 95 // 100], "found": found[len(found) // 2],
    }  # fmt: skip
