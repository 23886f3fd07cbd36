"""The other nodes of a hub: who lives, and who doubts the bus."""

import logging
from collections.abc import Callable
from time import monotonic
from typing import Final

from hubchat.channels.bus import Signal
from hubchat.channels.hub import Hub
from hubchat.errors import HubError
from hubchat.storage.database import Database
from hubchat.storage.nodes import Peer, beat, leave

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
GONE_MS: Final = 5_000  # without a beat in SQL, by the database's clock
UNHEARD_S: Final = 3.0  # without a word on the bus


class Peers:
    """This node's row, and what it knows of the others."""

    def __init__(self, database: Database, hub: Hub, node: int) -> None:
        self.database = database
        self.hub = hub
        self.node = node
        self.in_doubt = True
        self.on_come: list[Callable[[int], None]] = []
        self.on_gone: list[Callable[[int], None]] = []
        hub.on_signal["here"] = self._hear
        self._live: dict[int, float] = {}  # node → when it was last heard on the bus, or first seen in SQL
        self._looked_at = 0.0

    @property
    def count(self) -> int:
        """How many other nodes live."""
        return len(self._live)

    def _hear(self, node: int, _about: int, _signal: Signal) -> None:
        if node in self._live:
            self._live[node] = monotonic()

    async def look(self) -> None:
        """Says that this node lives, and reads who else does. At most once a second. Raises Unavailable."""
        now = monotonic()
        if now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        self.hub.bus.tell(0, {"signal": "here"})
        is_ok = self.hub.bus.is_ok
        peers = await self.database.write(lambda connection: beat(connection, self.node, is_ok))
        living = {peer.id: peer for peer in peers if peer.silent_ms < GONE_MS and peer.id != self.node}
        silent = {peer.id for peer in peers} - living.keys()
        for node in self._live.keys() - living.keys():
            log.log(logging.WARNING if node in silent else logging.INFO, "a node is gone", extra={"node": node})
            del self._live[node]
            self.hub.gapped(None)  # what it committed last it may have told nobody
            for told in self.on_gone:
                told(node)
        for node in living.keys() - self._live.keys():
            self._live[node] = now
            for told in self.on_come:
                told(node)
        self.in_doubt = any(self._doubts(peer, now) for peer in living.values())

    def _doubts(self, peer: Peer, now: float) -> bool:
        return not peer.is_bus_ok or now - self._live[peer.id] > UNHEARD_S

    async def close(self) -> None:
        """Takes this node's row back, so that nobody waits for it."""
        try:
            await self.database.write(lambda connection: leave(connection, self.node))
        except HubError as error:
            log.warning("this node could not say that it goes: %s", error.reason)
