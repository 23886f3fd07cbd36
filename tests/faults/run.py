"""One run: a hub, its members, what goes wrong, and whether what is promised held."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import httpx2

from tests.faults.history import Heard, History, Removal, Revoked, Row, Stood, violations
from tests.faults.members import REQUEST_S, Member, Witness
from tests.faults.nemesis import Nemesis, Trouble
from tests.faults.proxy import Proxy
from tests.faults.site import NAME, Site

HANDLES: Final = ("ana", "ben", "cem", "dora", "emil", "fay")
MOVED: Final = ("cem", "dora", "emil")  # who is removed and let in again; the first one owns the group
AWAY_S: Final = (2.5, 5.0)
SETTLE_S: Final = 60.0  # for what is on its way when all is mended
LATE_S: Final = 0.75  # what a slow line may hold back on top of the harness's own lateness


@dataclass(frozen=True)
class Verdict:
    """What was found, and what was done to find it."""

    violations: list[str]
    counted: Mapping[str, int]


class Lateness:
    """How late this process's loop was at most: events are noted no later than that."""

    def __init__(self) -> None:
        self.worst_s = 0.0

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()

    async def _watch(self) -> None:
        while True:
            began = monotonic()
            await asyncio.sleep(0.02)
            self.worst_s = max(self.worst_s, monotonic() - began - 0.02)


Make = Callable[[Site, list[Proxy], random.Random], Trouble]


async def run(seed: int, folder: Path, *, seconds: float, trouble: Make = Nemesis, workers: bool = False) -> Verdict:
    """Lets members live on a site for a while that something happens to, and judges.

    `workers`: the site is one node of three workers.
    """
    choice = random.Random(seed)  # repeatable on purpose
    lateness = Lateness()
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(Site(folder, choice, workers=workers))
        members = [await _member(stack, site, handle, choice) for handle in HANDLES]
        room, closed = await _rooms(members)
        for member in members:
            member.live = await stack.enter_async_context(_witness(member, choice))
            for channel in member.channels:
                await member.follow(channel)
        nemesis = trouble(site, [member.line for member in members], choice)
        await stack.enter_async_context(lateness.watched())
        removals = await _live(members, closed, site, nemesis, choice, seconds)
        slack_s = lateness.worst_s + LATE_S
        found = await _settle(site, members)
        history = History(
            events={member.handle: member.live.events for member in members},
            sent=[sent for member in members for sent in member.sent],
            rows=await asyncio.to_thread(_rows, site, (room, closed)),
            deleted=[one for member in members for one in member.deleted],
            removals=removals,
            unread=[told for member in members for told in await member.unread()],
            ends={member.handle: member.channels for member in members},
            slack_s=slack_s,
        )
    counted = _counted(history, members, removals, nemesis.done)
    return Verdict([*found, *violations(history)], counted)


async def _member(stack: AsyncExitStack, site: Site, handle: str, choice: random.Random) -> Member:
    line = await site.line()
    http = httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{line.port}/api/v1/",
        headers={"Host": NAME.removeprefix("http://"), "Origin": NAME},
        timeout=REQUEST_S, trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0),
    )  # fmt: skip
    member = Member(handle, line, await stack.enter_async_context(http), choice)
    await member.sign_up()
    return member


async def _rooms(members: list[Member]) -> tuple[int, int]:
    """An open group and a closed one, with everybody in both."""
    owner, *others = members
    made: list[int] = []
    for visibility in ("public", "closed"):
        form = {"slug": f"a-{visibility}-group", "title": "A group", "visibility": visibility}
        made.append((await owner.ask("POST", "groups", form))["id"])
    room, closed = made
    for other in others:
        await other.ask("POST", f"groups/{room}/join", {})
        await _let_in(owner, other, closed)
    for member in members:
        member.channels = [room, closed]
    return room, closed


async def _let_in(owner: Member, other: Member, group: int) -> None:
    """Through every loss: what was done already is refused then, which is as good."""
    for who, path, form in (
        (other, f"groups/{group}/join", {}),
        (owner, f"groups/{group}/requests/{other.handle}", {"decision": "approve"}),
    ):
        with contextlib.suppress(httpx2.HTTPStatusError):
            await who.ask("POST", path, form)


def _witness(member: Member, choice: random.Random) -> Witness:
    return Witness(member.line, member.token, choice.choice(("json", "msgpack")))


async def _live(
    members: list[Member], closed: int, site: Site, nemesis: Trouble, choice: random.Random, seconds: float
) -> list[Removal]:
    """Everybody writes, some are removed and let in again, and things go wrong; then all is mended."""
    calm, still = asyncio.Event(), asyncio.Event()
    removals: list[Removal] = []
    async with asyncio.TaskGroup() as group:
        for member in members:
            group.create_task(member.write_on(still))
        moving = group.create_task(_move(members, closed, removals, calm, choice))
        raging = group.create_task(nemesis.rage(calm))
        keeping = group.create_task(site.keep())
        await asyncio.sleep(seconds)
        calm.set()
        await asyncio.gather(raging, moving)
        await asyncio.gather(*(node.until_ready() for node in site.nodes))
        still.set()
        keeping.cancel()
    return removals


async def _move(
    members: list[Member], closed: int, removals: list[Removal], until: asyncio.Event, choice: random.Random
) -> None:
    owner = members[0]
    movable = [member for member in members if member.handle in MOVED]
    while not until.is_set():
        await asyncio.sleep(choice.uniform(*AWAY_S))
        member = choice.choice(movable)
        member.channels = [channel for channel in member.channels if channel != closed]
        with contextlib.suppress(httpx2.HTTPStatusError):  # 404: done already, and the answer was lost
            await owner.ask("DELETE", f"groups/{closed}/members/{member.handle}")
        removed_s = monotonic()
        await asyncio.sleep(choice.uniform(*AWAY_S))
        removals.append(Removal(member.handle, closed, removed_s, monotonic()))
        await _let_in(owner, member, closed)
        await member.follow(closed)
        member.channels.append(closed)


async def _settle(site: Site, members: list[Member]) -> list[str]:
    """Waits until everybody has heard all, and tells what it did not look for; what never came the checker finds."""
    deadline = monotonic() + SETTLE_S
    rows = await asyncio.to_thread(site.query, "SELECT channel_id, max(seq) AS head FROM entry GROUP BY channel_id")
    heads = {row["channel_id"]: row["head"] for row in rows}
    while monotonic() < deadline and any(
        member.live.at.get(channel) != heads[channel] for member in members for channel in member.channels
    ):
        await asyncio.sleep(0.1)
    await asyncio.sleep(1.5)  # read positions ride with a later commit; and nothing more may come
    return [
        *(f"{one.handle}: the connection ended for good: {one.live.ended!r}" for one in members if one.live.ended),
        *(f"a node: {line}" for node in site.nodes for line in node.faults()),
    ]


def _rows(site: Site, channels: tuple[int, ...]) -> list[Row]:
    told = site.query(
        "SELECT channel_id, seq, kind, coalesce(handle, '') AS handle, at, nonce, text, deleted_at FROM entry "
        "LEFT JOIN persona ON persona.id = author_id "
        f"WHERE channel_id IN ({', '.join(map(str, channels))}) ORDER BY channel_id, seq"
    )
    return [
        Row(
            one["channel_id"], one["seq"], one["kind"], one["handle"], one["at"], one["nonce"], one["text"],
            one["deleted_at"] is not None,
        )
        for one in told
    ]  # fmt: skip


def _counted(
    history: History, members: list[Member], removals: list[Removal], done: Mapping[str, int]
) -> dict[str, int]:
    events = [event for heard in history.events.values() for event in heard]

    counted = Counter({
        "messages": len(history.sent),
        "acknowledged": sum(sent.seq is not None for sent in history.sent),
        "refused": sum(sent.refused is not None for sent in history.sent),
        "entries": len(history.rows),
        "deliveries": sum(isinstance(event, Heard) for event in events),
        "subscriptions": sum(isinstance(event, Stood) for event in events),
        "begun anew": sum(event.is_reset for event in events if isinstance(event, Stood)),
        "connections": sum(member.line.connections for member in members),
        "deletions": len(history.deleted),
        "removals": len(removals),
        "edits": sum(isinstance(event, Heard) and event.kind == "edit" for event in events),
        "times revoked": sum(isinstance(event, Revoked) for event in events),
        "faults": sum(done.values()),
        "ms of slack": round(history.slack_s * 1_000),
    })  # fmt: skip
    for member in members:
        counted.update(member.live.ends)
    return {**counted, **dict(sorted(done.items()))}
