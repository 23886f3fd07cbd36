"""One running node: opens and closes database, hub, log and presence, in an order that can be read."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from hubchat.channels.bus import SingleNode
from hubchat.channels.catchup import Catchup
from hubchat.channels.hub import Hub
from hubchat.channels.log import Log
from hubchat.channels.readings import Readings
from hubchat.channels.recent import Recent
from hubchat.channels.rights import Rights
from hubchat.passwords import Passwords
from hubchat.presence.audience import Audience
from hubchat.presence.tracker import Tracker
from hubchat.settings import Settings
from hubchat.storage.database import Database, new_id, open_database
from hubchat.storage.gathered import Gathered
from hubchat.storage.groups import purge
from hubchat.storage.noted import Noted
from hubchat.storage.schema import migrate, read_hub
from hubchat.storage.sessions import Caller, note_uses, read_callers
from hubchat.storage.standings import Seat, read_seats
from hubchat.throttle import Throttle

Key = tuple[Literal["session", "token"], str]


@dataclass
class Node:
    """What actions, the gateway and the HTTP interface work with. `log_id` names this incarnation of history."""

    id: int
    log_id: int
    settings: Settings
    database: Database
    hub: Hub
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


@asynccontextmanager
async def open_node(settings: Settings) -> AsyncIterator[Node]:
    """Opens a node on a migrated database; closes it in the opposite order, finishing what is under way.

    Raises Unavailable, SchemaNewer.
    """
    async with AsyncExitStack() as stack:
        database = open_database(settings.database_url, settings.data)
        stack.push_async_callback(database.close)
        await migrate(database)
        while await database.write(purge):  # of groups whose deletion a crash cut short
            pass
        log_id = await database.read(lambda connection: read_hub(connection, "log"))
        hub = Hub(database, SingleNode(), Recent(settings.recent_bytes))
        stack.push_async_callback(hub.close)
        rights = Rights(hub)
        stack.push_async_callback(rights.close)
        await rights.open()
        catchup = Catchup(hub)
        stack.push_async_callback(catchup.close)
        readings = Readings(database, hub)
        stack.push_async_callback(readings.close)
        log = Log(database, hub)
        stack.push_async_callback(log.close)
        tracker = Tracker(database, new_id())
        rights.on_standing = tracker.ask_again
        rights.on_deleted = tracker.ask_all_again
        stack.push_async_callback(tracker.close)
        await tracker.open()
        audience = Audience(hub)
        stack.push_async_callback(audience.close)
        await audience.open()
        uses = Noted(database, note_uses)
        stack.push_async_callback(uses.close)
        passwords = Passwords(settings)
        stack.callback(passwords.close)
        yield Node(
            id=tracker.node,
            log_id=int(log_id or 0),
            settings=settings,
            database=database,
            hub=hub,
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
        )
