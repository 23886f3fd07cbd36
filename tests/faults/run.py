"""One run: a hub, its members, what goes wrong, and whether what is promised held."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import httpx2

from tests.faults.checker import delays, unjudged, violations
from tests.faults.history import Heard, History, Part, Read, Removal, Revoked, Row, Stall, Stood, Unread, Welcomed
from tests.faults.members import PAUSE_S, REQUEST_S, Member, Witness
from tests.faults.nemesis import Happening, Nemesis
from tests.faults.proxy import Proxy
from tests.faults.site import NAME, Site

HANDLES: Final = ("ana", "ben", "cem", "dora", "emil", "fay")
MOVED: Final = ("cem", "dora", "emil")  # who goes, or is removed, and is let in again; the first one owns the group
LEAVES: Final = 0.3  # how often they go by themselves
AWAY_S: Final = (2.5, 5.0)
SETTLE_S: Final = 60.0  # for what is on its way when all is mended
STORED_S: Final = 10.0  # for a read position; they ride with a later commit
STALL_S: Final = 0.05
REDIS: Final[frozenset[Part]] = frozenset({"Redis"})


@dataclass(frozen=True)
class Verdict:
    """What was found, what could not be judged, and what was done to find it."""

    violations: list[str]
    unjudged: list[str]
    counted: Mapping[str, int]


class Lateness:
    """When this process's loop was held up: events were noted later than they came by as much."""

    def __init__(self) -> None:
        self.stalls: list[Stall] = []

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()

    async def _watch(self) -> None:
        while True:
            due_s = monotonic() + 0.02
            await asyncio.sleep(0.02)
            if (now := monotonic()) > due_s + STALL_S:
                self.stalls.append(Stall(due_s, now))


Make = Callable[[Site, list[Proxy], random.Random], Happening]


async def run(
    seed: int,
    folder: Path,
    *,
    seconds: float,
    trouble: Make = Nemesis,
    workers: bool = False,
    pause_s: tuple[float, float] = PAUSE_S,
) -> Verdict:
    """Lets members live on a site for a while that something happens to, and judges.

    What a seed repeats is what goes wrong and in which order, and what each member does; not how these fall together.
    `workers`: the site is one node of three workers. `pause_s`: between two messages of a member.
    """
    lateness = Lateness()
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(Site(folder, seed, workers=workers))
        members = [await _member(stack, site, handle, random.Random(f"{seed}-{handle}")) for handle in HANDLES]
        room, closed = await _rooms(members)
        for member in members:
            member.live = await stack.enter_async_context(_witness(member))
            for channel in member.channels:
                await member.follow(channel)
            member.counted.clear()
        happening = trouble(site, [member.line for member in members], random.Random(f"{seed}-nemesis"))
        await stack.enter_async_context(lateness.watched())
        removals = await _live(members, closed, site, happening, seed, seconds, pause_s)
        await _settle(site, members)
        reads = [read for member in members for read in member.reads]
        stood = [told for member in members for told in await member.unread()]
        last_reads = await _read_all(members)
        await _settle(site, members)
        history = History(
            events={member.handle: member.live.events for member in members},
            sent=[sent for member in members for sent in member.sent],
            rows=await asyncio.to_thread(_rows, site),
            heads=await asyncio.to_thread(_heads, site),
            changed=[one for member in members for one in member.changed],
            deleted=[one for member in members for one in member.deleted],
            removals=removals,
            reads=reads,
            stood=stood,
            last_reads=last_reads,
            unread=await _told(members, last_reads),
            ends={member.handle: member.channels for member in members},
            firsts=dict.fromkeys((room, closed), 1),  # whoever joins may read all of it
            troubles=happening.troubles,
            stalls=lateness.stalls,
        )
        found = [*happening.found, *_found(site, members)]
    return Verdict(
        [*found, *violations(history)], unjudged(history), _counted(history, members, removals, happening.done)
    )


async def _member(stack: AsyncExitStack, site: Site, handle: str, choice: random.Random) -> Member:
    line = await site.line(handle)
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
    owner.is_owner = True
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
    await other.ask_once("POST", f"groups/{group}/join", {})
    await owner.ask_once("POST", f"groups/{group}/requests/{other.handle}", {"decision": "approve"})


def _witness(member: Member) -> Witness:
    return Witness(member.line, member.token, member.choice.choice(("json", "msgpack")))


async def _live(
    members: list[Member],
    closed: int,
    site: Site,
    happening: Happening,
    seed: int,
    seconds: float,
    pause_s: tuple[float, float],
) -> list[Removal]:
    """Everybody writes, some go or are removed and are let in again, and things go wrong; then all is mended."""
    calm, still = asyncio.Event(), asyncio.Event()
    removals: list[Removal] = []
    async with asyncio.TaskGroup() as group:
        for member in members:
            group.create_task(member.write_on(still, pause_s))
        moving = group.create_task(_move(members, closed, removals, calm, random.Random(f"{seed}-moving")))
        raging = group.create_task(happening.rage(calm))
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
        began_s = monotonic()
        if choice.random() < LEAVES:
            await member.ask_once("POST", f"groups/{closed}/leave")
        else:
            await owner.ask_once("DELETE", f"groups/{closed}/members/{member.handle}")
        removed_s = monotonic()
        await asyncio.sleep(choice.uniform(*AWAY_S))
        until_s = monotonic()
        await _let_in(owner, member, closed)
        removals.append(Removal(member.handle, closed, began_s, removed_s, until_s, monotonic()))
        await member.follow(closed)
        member.channels.append(closed)


async def _settle(site: Site, members: list[Member]) -> None:
    """Waits until everybody has heard all; what never came the checker finds."""
    for member in members:
        for channel in member.channels:  # where a word of the removal came after the member was let in again
            await member.follow(channel)
    heads = await asyncio.to_thread(_heads, site)
    deadline = monotonic() + SETTLE_S
    while monotonic() < deadline and any(
        member.live.at.get(channel) != heads[channel] for member in members for channel in member.channels
    ):
        await asyncio.sleep(0.1)
    await asyncio.sleep(1.5)  # read positions ride with a later commit; and nothing more may come


async def _read_all(members: list[Member]) -> list[Read]:
    """Everybody reads all there is, all being well; then two say something more."""
    reads = [await member.read(channel, member.live.at[channel]) for member in members for channel in member.channels]
    for member in members[:2]:
        for channel in member.channels:
            await member.write(channel, "after all")
    return reads


async def _told(members: list[Member], reads: Sequence[Read]) -> list[Unread]:
    """What members are told in the end: as soon as that is where they read last, which the checker judges."""
    wanted = {(read.member, read.channel): read.seq for read in reads}
    deadline = monotonic() + STORED_S
    while True:
        told = [one for member in members for one in await member.unread()]
        if monotonic() > deadline or {(one.member, one.channel): one.read_seq for one in told} == wanted:
            return told
        await asyncio.sleep(0.2)


def _found(site: Site, members: list[Member]) -> list[str]:
    return [
        *(f"{one.handle}: the connection ended for good: {one.live.ended!r}" for one in members if one.live.ended),
        *(f"a node: {line}" for node in site.nodes for line in node.faults()),
    ]


def _heads(site: Site) -> dict[int, int]:
    return {row["id"]: row["head"] for row in site.query("SELECT id, head FROM channel")}


def _rows(site: Site) -> list[Row]:
    told = site.query(
        "SELECT channel_id, seq, kind, coalesce(handle, '') AS handle, at, nonce, text, deleted_at, target_seq "
        "FROM entry LEFT JOIN persona ON persona.id = author_id ORDER BY channel_id, seq"
    )
    return [
        Row(
            one["channel_id"], one["seq"], one["kind"], one["handle"], one["at"], one["nonce"], one["text"],
            one["deleted_at"] is not None, one["target_seq"],
        )
        for one in told
    ]  # fmt: skip


def _counted(
    history: History, members: list[Member], removals: list[Removal], done: Mapping[str, int]
) -> dict[str, int]:
    events = [event for heard in history.events.values() for event in heard]
    opened = sum(isinstance(event, Welcomed) for event in events)
    kinds = Counter(event.kind for event in events if isinstance(event, Heard))
    stalls = [one.until_s - one.from_s for one in history.stalls]
    behind = [delay_s for _, _, delay_s in delays(history, REDIS)]
    counted = Counter({
        "messages": len(history.sent),
        "acknowledged": sum(sent.seq is not None for sent in history.sent),
        "refused": sum(sent.refused is not None for sent in history.sent),
        "entries": len(history.rows),
        "deliveries": sum(kinds.values()),
        "subscriptions": sum(isinstance(event, Stood) for event in events),
        "begun anew": sum(event.is_reset for event in events if isinstance(event, Stood)),
        "live connections": opened,
        "reconnects": opened - len(members),
        "deletions": len(history.deleted),
        "removals": len(removals),
        "removals judged for time": len(removals) - len(unjudged(history)),
        **{f"{kind}s": kinds[kind] for kind in ("edit", "reaction", "pin")},
        "times revoked": sum(isinstance(event, Revoked) for event in events),
        "faults": sum(done.values()),
        "ms that the harness stood still at most": round(max(stalls, default=0) * 1_000),
        "deliveries while Redis alone was broken": len(behind),
        "ms that these took at most": round(max(behind, default=0) * 1_000),
    })  # fmt: skip
    for member in members:
        counted.update(member.counted)
        counted.update(member.live.counted)
    return {**counted, **dict(sorted(done.items()))}
