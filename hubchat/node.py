"""One running node: opens and closes database, hub, log and presence, in an order that can be read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

from hubchat.channels.bus import Bus, SingleNode
from hubchat.channels.catchup import Catchup
from hubchat.channels.house import KEY, House
from hubchat.channels.hub import Hub
from hubchat.channels.log import Log
from hubchat.channels.peers import Peers
from hubchat.channels.readings import Readings
from hubchat.channels.recent import Recent
from hubchat.channels.rights import Rights
from hubchat.channels.watch import Watch
from hubchat.otlp import open_traces
from hubchat.passwords import Passwords
from hubchat.presence.audience import Audience
from hubchat.presence.tracker import Tracker
from hubchat.settings import Settings
from hubchat.storage.database import Database, new_id
from hubchat.storage.gathered import Gathered
from hubchat.storage.groups import purge
from hubchat.storage.jobs import Backlog
from hubchat.storage.noted import Noted
from hubchat.storage.opening import open_database
from hubchat.storage.schema import migrate, read_hub
from hubchat.storage.sessions import Caller, note_uses, read_callers
from hubchat.storage.standings import Seat, read_seats
from hubchat.throttle import Pace, Throttle
from hubchat.traces import Traces

EXPORTS: Final = 2  # made at once: each reads and packs for as long as its member wrote

Key = tuple[Literal["session", "token"], str]


@dataclass
class Node:
    """What actions, the gateway and the HTTP interface work with."""

    id: int
    settings: Settings
    house: House
    database: Database
    hub: Hub
    peers: Peers | None
    catchup: Catchup
    log: Log
    readings: Readings
    tracker: Tracker
    audience: Audience
    callers: Gathered[Key, Caller]
    uses: Noted[Key, int]
    seats: Gathered[tuple[int, int], Seat]
    passwords: Passwords
    throttle: Throttle
    searches: Pace
    traces: Traces | None
    backlog: Backlog = field(default_factory=Backlog)
    exports: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(EXPORTS))


@asynccontextmanager
async def open_node(settings: Settings) -> AsyncIterator[Node]:
    """Opens a node on a migrated database; closes it in the opposite order, finishing what is under way.

    Raises Unavailable, SchemaNewer, TracesMissing.
    """
    async with AsyncExitStack() as stack:
        database = open_database(settings.database_url, settings.data)
        stack.push_async_callback(database.close)
        await migrate(database)
        while await database.write(purge):  # of groups whose deletion a crash cut short
            pass
        log_id = int(await database.read(lambda connection: read_hub(connection, "log")) or 0)
        house = House(settings)
        house.take(await database.read(lambda connection: read_hub(connection, KEY)))
        node = new_id()
        traces = None
        if settings.traces is not None:
            traces = open_traces(settings.traces, settings.traces_ratio, log_id, node)
            stack.push_async_callback(traces.close)
        bus = _bus(settings.redis_url, log_id, node, traces)
        stack.push_async_callback(bus.close)
        hub = Hub(database, bus, Recent(settings.recent_bytes), log_id, traces)
        stack.push_async_callback(hub.close)
        hub.on_house = house.take
        await bus.open(hub)
        peers = Peers(database, hub, node) if settings.redis_url else None
        if peers is not None:
            stack.push_async_callback(peers.close)
        rights = Rights(hub)
        stack.push_async_callback(rights.close)
        watch = Watch(hub, peers)
        stack.push_async_callback(watch.close)
        await watch.open()
        catchup = Catchup(hub)
        hub.turns.replay = catchup.turn
        stack.push_async_callback(catchup.close)
        readings = Readings(database, hub)
        stack.push_async_callback(readings.close)
        log = Log(database, hub)
        stack.push_async_callback(log.close)
        tracker = Tracker(database, hub, node)
        rights.on_standing = tracker.ask_again
        rights.on_deleted = tracker.ask_all_again
        stack.push_async_callback(tracker.close)
        await tracker.open()
        audience = Audience(hub)
        if peers is not None:
            peers.on_come += [tracker.greet]
            peers.on_gone += [tracker.forget, audience.forget]
        stack.push_async_callback(audience.close)
        await audience.open()
        uses = Noted(database, note_uses)
        stack.push_async_callback(uses.close)
        passwords = Passwords(settings)
        stack.callback(passwords.close)
        stack.callback(database.hurry)
        yield Node(
            id=node,
            settings=settings,
            house=house,
            database=database,
            hub=hub,
            peers=peers,
            catchup=catchup,
            log=log,
            readings=readings,
            tracker=tracker,
            audience=audience,
            callers=Gathered(database, read_callers),
            uses=uses,
            seats=Gathered(database, read_seats),
            passwords=passwords,
            throttle=Throttle(),
            searches=Pace(settings.searches_per_10s),
            traces=traces,
        )


def _bus(redis_url: str | None, log_id: int, node: int, traces: Traces | None) -> Bus:
    if not redis_url:
        return SingleNode()
    # redis-py takes 60 ms and 8 MB, more where OpenTelemetry is installed; a hub of one node does without
    from hubchat.channels.redis_bus import RedisBus
    from hubchat.channels.redis_servers import servers_at

    return RedisBus(servers_at(redis_url), log_id, node, traces)
