"""What a node looks at in SQL beside what it is told: the access channel, heads, the other nodes.

So commands beside the server are heard, a bus that lost something is made good for, and a node that was asleep or cut
off hands out nothing that it should not.
"""

import asyncio
import logging
from functools import partial
from time import monotonic
from typing import Final

from hubchat.channels.encoded import Encoded
from hubchat.channels.house import KEY
from hubchat.channels.hub import Hub
from hubchat.channels.live import Live
from hubchat.channels.peers import Peers
from hubchat.storage.channels import ACCESS, read_heads
from hubchat.storage.database import Connection, new_id, now_ms
from hubchat.storage.entries import read_range
from hubchat.storage.schema import read_hub, write_hub
from hubchat.storage.tidying import forget_served
from hubchat.wire import Entry

log = logging.getLogger(__name__)

WATCH_S: Final = 0.5
TRUSTING_S: Final = 15.0  # between comparisons of heads while the bus carries everything, as far as anybody knows
DOUBTING_S: Final = 2.0  # while some other node says, or shows, that it does not
SWEEP_S: Final = 10.0
TIDY_S: Final = 3_600.0
AGAIN_S: Final = 60.0  # after what could not be tidied, as beside a backup
MISSED: Final = 500


class Watch:
    """Looks every 500 ms; how often it compares heads depends on the bus."""

    def __init__(self, hub: Hub, peers: Peers | None) -> None:
        self.hub = hub
        self.peers = peers
        self._seen: int | None = None  # writes of others, on SQLite
        self._written = True  # since heads were last compared
        self._compared_at = 0.0
        self._is_blind = False
        self._task: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._is_mute = False

    async def open(self) -> None:
        """Takes where the access channel stands, and begins to watch."""
        live = self.hub.channels[ACCESS] = Live(ACCESS)
        await self.hub.open(live, ACCESS)
        self.hub.freshen(monotonic())
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        tasks = [task for task in (self._task, self._beating) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        swept_at = tidied_at = monotonic()
        while True:
            try:
                await self._round()
                self._is_blind = False
                if monotonic() - swept_at > SWEEP_S:
                    swept_at = monotonic()
                    self.hub.sweep()
                if monotonic() - tidied_at > TIDY_S:
                    is_tidy = await self._tidy()
                    tidied_at = monotonic() - (0 if is_tidy else TIDY_S - AGAIN_S)
            except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
                self._seen = None
                if not self._is_blind:  # once a trouble, however long it lasts
                    log.warning("the watch can't look into SQL", extra={"cause": type(error).__name__})
                self._is_blind = True
            await asyncio.sleep(WATCH_S)

    async def _round(self) -> None:
        asked_at = monotonic()
        writes = await self.hub.database.foreign_writes()
        wrote = writes is None or writes != self._seen
        await self.look(asked_at, everything=wrote)
        self._seen = writes
        await self.hub.repairs.compare_doubted()
        if self.hub.repairs.is_replaced:
            await self.hub.start_anew(await self.hub.database.write(partial(_renamed, self.hub.log_id)))
        if self.peers is not None and self._beating is None:
            self._beating = asyncio.create_task(self._beat(self.peers))

    async def _beat(self, peers: Peers) -> None:
        """Apart from the rounds: a database that can't be written, or is slow to, keeps nobody from reading."""
        try:
            await peers.look()
            self._is_mute = False
        except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
            if not self._is_mute:  # once a trouble, however long it lasts
                log.warning("this node can't say that it lives", extra={"cause": type(error).__name__})
            self._is_mute = True
        finally:
            self._beating = None

    async def look(self, asked_at: float, *, everything: bool) -> None:
        """Reads what the access channel says if something was written; compares heads when that is due, or when this
        node was stale."""
        if everything:
            self._written = True
            await self._read_access()
        was_stale = self.hub.freshen(asked_at)
        if was_stale or (self._written and monotonic() - self._compared_at >= self._pause_s()):
            self._compared_at, self._written = monotonic(), False
            await self.hub.repairs.compare()

    def _pause_s(self) -> float:
        """How long heads may go without being compared."""
        if self.peers is None or not self.hub.bus.is_ok:
            return 0.0
        return DOUBTING_S if self.peers.in_doubt else TRUSTING_S

    async def _read_access(self) -> None:
        live = self.hub.channels[ACCESS]
        while True:
            first = live.next
            log_id, head, missed, house = await self.hub.database.read(partial(_read_on, first=first))
            if log_id != self.hub.log_id:
                return await self.hub.start_anew(log_id)
            self.hub.on_house(house)
            if head >= first and (not missed or missed[0].seq > first):  # what is between is not kept any more
                live.at = missed[0].seq - 1 if missed else head
                self.hub.send_all_away()  # nobody knows who lost a right meanwhile: everyone comes again, and is asked
            self.hub.offer([Encoded(entry) for entry in missed])
            if len(missed) < MISSED:
                return

    async def _tidy(self) -> bool:
        await self.hub.database.write(lambda connection: forget_served(connection, now_ms()))
        return await self.hub.database.tidy()


def _read_on(connection: Connection, first: int) -> tuple[int, int, list[Entry], str | None]:
    """Which history this is, the head of its access channel, its entries from `first` on, the house's settings."""
    head = read_heads(connection, [ACCESS]).get(ACCESS, 0)
    missed = read_range(connection, ACCESS, first, first + MISSED - 1, MISSED) if head >= first else []
    return int(read_hub(connection, "log") or 0), head, missed, read_hub(connection, KEY)


def _renamed(log_id: int, connection: Connection) -> int:
    """Gives a history that is not what it was a new name, unless somebody did; which it has then."""
    now = int(read_hub(connection, "log") or 0)
    if now == log_id:
        write_hub(connection, "log", str(now := new_id()))
    return now
