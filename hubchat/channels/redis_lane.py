"""One Redis server of the bus: a connection that listens, one that publishes, and whether both do.

Connections are opened by hand and nothing is tried again behind our back, because whoever was cut off may have missed
something and has to say so.
"""

import asyncio
import contextlib
import logging
import math
import random
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import count
from time import monotonic
from typing import Any, Final, Protocol

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from hubchat.channels.redis_servers import SOCKET_S, Servers
from hubchat.faults import log_fault

log = logging.getLogger(__name__)

QUEUE_BYTES: Final = 8 << 20  # waiting to be published; beyond it the bus is not ok, and others look into SQL
BEAT_S: Final = 0.5
DRAIN_S: Final = 0.5  # how long an end waits for what is queued
SILENT_S: Final = 1.5  # without our own beat coming back: a server that hangs does not say so
WAIT_S: Final = (0.05, 1.0)  # before a server is tried again: it grows, with jitter
YIELD_EVERY: Final = 100  # messages heard in one go
AT_ONCE: Final = 200  # messages published in one write
TOPICS_AT_ONCE: Final = 1_000  # in one command


class Carrier(Protocol):
    """The bus, as far as a lane is concerned."""

    servers: Servers

    def own_topic(self, name: str) -> str:
        """A topic of this node's alone, carried by the server `name`."""

    def beat(self) -> bytes:
        """What a lane says to itself there."""

    def carried_by(self, name: str) -> set[str]:
        """The topics of this node that a server carries."""

    def heard(self, data: bytes) -> None:
        """What came in on a topic."""

    def carried(self, batch: Sequence[tuple[str, bytes]], began: float) -> None:
        """The server has taken these messages, and has been at it since `began` (s, monotonic)."""

    def lane_is_up(self, topics: Iterable[str]) -> None:
        """A lane carries these topics from now on; what was said there before, nobody knows."""

    def lane_is_down(self, unpublished: int) -> None:
        """So much was queued there and is not published. Topics may have moved to other servers."""

    def gapped(self, topics: Iterable[str]) -> None:
        """Something may have been missed on these topics."""

    def doubt(self, unpublished: int) -> None:
        """So many payloads were not published."""


class LostError(OSError):
    """Our own beat does not come back, or a topic was taken away."""


class Lane:
    """One server. It is up once it has acknowledged the topics it was asked for first, and carried our own beat."""

    def __init__(self, bus: Carrier, name: str) -> None:
        self.bus = bus
        self.name = name
        self.is_up = False
        self._is_told = False  # that it is down
        self._is_closing = False
        self._beat_topic = bus.own_topic(name)
        self._beaten_at = 0.0
        self._wanted: set[str] = set()
        self._acked: set[str] = set()
        self._awaited: set[str] = set()  # topics of the beginning that are not acknowledged yet
        self._asked: dict[str, bool] = {}  # (un)subscriptions of this turn
        self._change = asyncio.Event()
        self._followers: dict[str, asyncio.Future[None]] = {}
        self._queue: deque[tuple[str, bytes]] = deque()
        self._queued_bytes = 0
        self._under_way = 0  # payloads that are being published
        self._filled = asyncio.Event()
        self._sent = asyncio.Event()  # nothing waits, nor is under way
        self._sent.set()
        verbs = ("SSUBSCRIBE", "SUNSUBSCRIBE", "SPUBLISH") if bus.servers.sharded else _PLAIN
        self._subscribe, self._unsubscribe, self._publish = verbs
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        self._is_closing = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    # ------------------------------------------------------------ what the bus asks

    async def follow(self, topic: str) -> None:
        """Returns once the server has acknowledged it, or is known to be down."""
        self._wanted.add(topic)
        if topic in self._acked:
            return
        if topic not in self._followers:
            self._ask(topic, True)
        if not self.is_up:
            return
        if topic not in self._followers:
            self._followers[topic] = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._followers[topic])

    def leave(self, topic: str) -> None:
        self._wanted.discard(topic)
        self._acked.discard(topic)
        follower = self._followers.pop(topic, None)
        if follower is not None and not follower.done():
            follower.set_result(None)
        self._ask(topic, False)

    def _ask(self, topic: str, wanted: bool) -> None:
        self._asked[topic] = wanted
        self._change.set()

    def put(self, topic: str, data: bytes) -> None:
        """Queues a message behind the others."""
        if self._queued_bytes + len(data) > QUEUE_BYTES:
            return self.bus.doubt(1)
        self._queue.append((topic, data))
        self._queued_bytes += len(data)
        self._sent.clear()
        self._filled.set()

    async def drain(self) -> None:
        """Waits a moment until what is queued is published."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S if self.is_up else 0):
                await self._sent.wait()

    # ------------------------------------------------------------ up and down

    async def _run(self) -> None:
        pause = Pause()
        try:
            while True:
                try:
                    async with asyncio.TaskGroup() as group:
                        listening = self.bus.servers.connection(self.name)
                        group.create_task(self._listen(listening, group))
                        group.create_task(self._send())
                        group.create_task(self._beat())
                except* (RedisError, OSError) as lost:
                    cause: BaseException = lost.exceptions[0]
                except* Exception as strange:  # noqa: BLE001  # the edge of a task: logged, and it goes on
                    cause = strange.exceptions[0]
                    log_fault(log, cause, "the bus:")
                if self.is_up:
                    pause = Pause()
                self._down(cause)
                if self._is_closing:  # a group whose task failed at the same time keeps the cancellation to itself
                    return
                await pause.longer()
        finally:
            self._down(None)

    def _down(self, cause: BaseException | None) -> None:
        if cause is not None and not self._is_told:
            log.warning("the bus is down; what others say is looked for in SQL", extra={"cause": type(cause).__name__})
            self._is_told = True
        unpublished = sum(topic != self._beat_topic for topic, _ in self._queue) + self._under_way
        self.is_up = False
        self._under_way = 0
        self._queue.clear()
        self._queued_bytes = 0
        self._filled.clear()
        followers, self._followers = self._followers, {}
        for future in followers.values():
            if not future.done():
                future.set_result(None)
        self.bus.lane_is_down(unpublished)

    def _look(self) -> None:
        """Whether it is up now; then nobody knows what was said while it was not."""
        if not self.is_up and self._beaten_at and not self._awaited:
            self.is_up, self._is_told = True, False
            log.info("the bus is up")
            self.bus.lane_is_up(self._wanted)

    async def _beat(self) -> None:
        began = monotonic()
        while True:
            self.put(self._beat_topic, self.bus.beat())
            await asyncio.sleep(BEAT_S)
            if monotonic() - max(began, self._beaten_at) > SILENT_S:
                raise LostError

    # ------------------------------------------------------------ listening

    async def _listen(self, connection: AbstractConnection, group: asyncio.TaskGroup) -> None:
        try:
            self._beaten_at = 0.0
            self._acked.clear()
            self._asked.clear()
            async with asyncio.timeout(SOCKET_S):
                await connection.connect()
            self._wanted = self.bus.carried_by(self.name) | {self._beat_topic}
            self._awaited = set(self._wanted)
            await self._send_topics(connection, self._subscribe, self._awaited)
            group.create_task(self._send_changes(connection))
            for heard in count(1):
                self._hear(await connection.read_response(timeout=math.inf, disconnect_on_error=False))
                if heard % YIELD_EVERY == 0:
                    await asyncio.sleep(0)
        finally:
            await _hang_up(connection)

    def _hear(self, message: Any) -> None:
        kind, topic, data = message[0], message[1].decode(), message[2]
        if kind in (b"message", b"smessage"):
            if topic == self._beat_topic:
                self._beaten_at = monotonic()
                self._look()
            else:
                self.bus.heard(data)
        elif kind in (b"subscribe", b"ssubscribe"):
            self._acknowledge(topic)
        elif kind == b"sunsubscribe" and topic in self._wanted:
            raise LostError  # its slot was given to another server

    def _acknowledge(self, topic: str) -> None:
        follower = self._followers.pop(topic, None)
        if topic in self._acked or (self.is_up and follower is None):
            self.bus.gapped([topic])  # it was not followed for a moment, or nobody waited until it was
        if topic in self._wanted:
            self._acked.add(topic)
        if follower is not None and not follower.done():
            follower.set_result(None)
        self._awaited.discard(topic)
        self._look()

    async def _send_changes(self, connection: AbstractConnection) -> None:
        while True:
            await self._change.wait()
            self._change.clear()
            asked, self._asked = self._asked, {}
            for verb, wanted in ((self._unsubscribe, False), (self._subscribe, True)):
                if topics := {topic for topic, want in asked.items() if want is wanted}:
                    await self._send_topics(connection, verb, topics)

    async def _send_topics(self, connection: AbstractConnection, verb: str, topics: Iterable[str]) -> None:
        """A cluster wants topics of one slot in a command, so each has its own there; all go in one write."""
        ordered = sorted(topics)
        size = 1 if self.bus.servers.sharded else TOPICS_AT_ONCE
        commands = [(verb, *ordered[at : at + size]) for at in range(0, len(ordered), size)]
        if commands:
            async with asyncio.timeout(SOCKET_S):
                await _write(connection, connection.pack_commands(commands))

    # ------------------------------------------------------------ publishing

    async def _send(self) -> None:
        connection = self.bus.servers.connection(self.name)
        try:
            async with asyncio.timeout(SOCKET_S):
                await connection.connect()
            while True:
                await self._filled.wait()
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), AT_ONCE))]
                self._queued_bytes -= sum(len(data) for _, data in batch)
                if not self._queue:
                    self._filled.clear()
                packed = connection.pack_commands([(self._publish, topic, data) for topic, data in batch])
                self._under_way = sum(topic != self._beat_topic for topic, _ in batch)
                began = monotonic()
                async with asyncio.timeout(SOCKET_S):
                    await _write(connection, packed)
                    for _ in batch:
                        await connection.read_response()
                self._under_way = 0
                self.bus.carried(batch, began)
                if not self._queue:
                    self._sent.set()
        finally:
            await _hang_up(connection)


_PLAIN: Final = ("SUBSCRIBE", "UNSUBSCRIBE", "PUBLISH")


async def _write(connection: AbstractConnection, commands: Sequence[bytes]) -> None:
    """Sends commands that are packed already."""
    try:
        await connection.send_packed_command(commands, check_health=False)
    except RuntimeError as closed:  # what uvloop calls a line that was lost a moment ago
        raise LostError from closed


async def _hang_up(connection: AbstractConnection) -> None:
    """An end of TLS takes two; a server that does not answer is left after a second."""
    with contextlib.suppress(RedisError, OSError):
        await connection.disconnect()


class Pause:
    """How long to wait before a server is tried again."""

    def __init__(self) -> None:
        self._next_s = WAIT_S[0]

    async def longer(self) -> None:
        await asyncio.sleep(self._next_s * random.uniform(0.5, 1.0))  # spread, not secrecy
        self._next_s = min(2 * self._next_s, WAIT_S[1])
