"""The bus between nodes, over Redis pub/sub (DESIGN.md, "Between nodes"). What it carries are hints: SQL holds it all.

A lane is one server: one connection that listens, one that publishes, in order. Connections are opened by hand and
nothing is tried again behind our back, because whoever was cut off may have missed something and has to say so.
"""

import asyncio
import contextlib
import logging
import math
import random
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import count, groupby
from time import monotonic
from typing import Any, Final, NamedTuple

import msgpack
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import MovedError, RedisError

from hubchat.channels.bus import Hearer, Signal
from hubchat.channels.encoded import SHARED, Encoded
from hubchat.channels.payload import LOOK_INSIDE, SIGNAL, Payload, pack, unpack
from hubchat.channels.redis_servers import Servers
from hubchat.errors import HubError
from hubchat.faults import log_fault

log = logging.getLogger(__name__)

QUEUE_BYTES: Final = 8 << 20  # waiting to be published; beyond it the bus is not ok, and others look into SQL
INBOX_TOPICS: Final = 64  # for all inboxes together: a node follows them all, whoever is there
BEAT_S: Final = 0.5
OPEN_S: Final = 1.0  # how long a start waits for the bus
DRAIN_S: Final = 0.5  # how long an end waits for what is queued
SILENT_S: Final = 1.5  # without our own beat coming back: a server that hangs does not say so
DOUBT_S: Final = 5.0  # after something was not published: long enough that every node reads it in our row
WAIT_S: Final = (0.05, 1.0)  # before a server is tried again: it grows, with jitter
YIELD_EVERY: Final = 100  # messages heard in one go
AT_ONCE: Final = 200  # messages published in one write
TOPICS_AT_ONCE: Final = 1_000  # in one command


class RedisBus:
    """The bus of one node."""

    def __init__(self, servers: Servers, log_id: int, node: int) -> None:
        self.servers = servers
        self.log_id = log_id
        self.node = node
        self.topics: set[str] = set()
        self._hearer: Hearer
        self._lanes: dict[str, _Lane] = {}
        self._left: list[_Lane] = []  # to be closed
        self._doubted_at = -math.inf
        self._moved = asyncio.Event()
        self._came_up = asyncio.Event()
        self._finder: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ what the hub asks

    @property
    def is_ok(self) -> bool:
        up = bool(self._lanes) and all(lane.is_up for lane in self._lanes.values())
        return up and monotonic() - self._doubted_at > DOUBT_S

    async def open(self, hearer: Hearer) -> None:
        self._hearer = hearer
        self.topics = self._common_topics()
        self._finder = asyncio.create_task(self._find())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OPEN_S):
                await self._came_up.wait()

    async def follow(self, channel: int) -> None:
        topic = self._topic(channel)
        self.topics.add(topic)
        if (lane := self._lane(topic)) is not None:
            await lane.follow(topic)

    def leave(self, channel: int) -> None:
        topic = self._topic(channel)
        self.topics.discard(topic)
        if (lane := self._lane(topic)) is not None:
            lane.leave(topic)

    def publish(self, batch: Sequence[Encoded]) -> None:
        for _, run in groupby(batch, _run()):
            entries = list(run)
            first = entries[0]
            topic = self._inboxes(first.channel) if first.kind == "notice" else self._topic(first.channel)
            flags = 0 if all(one.is_plain for one in entries) else LOOK_INSIDE
            frames = [one.frame(SHARED) for one in entries]
            self._say(topic, Payload(self.log_id, self.node, first.channel, first.seq, flags, frames))

    def tell(self, channel: int, signal: Signal) -> None:
        self._say_once(self._topic(channel), channel, signal)

    def tell_account(self, account: int, signal: Signal) -> None:
        self._say_once(self._inboxes(account), account, signal)

    def turn_to(self, log_id: int) -> None:
        self.log_id = log_id
        self.topics = self._common_topics()
        self._left += self._lanes.values()
        self._lanes = {}
        self._moved.set()

    async def close(self) -> None:
        if self._finder is not None:
            self._finder.cancel()
            await asyncio.gather(self._finder, return_exceptions=True)
        await asyncio.gather(*(lane.drain() for lane in self._lanes.values()))
        await self._close_lanes()
        await self.servers.close()

    # ------------------------------------------------------------ topics

    def _topic(self, channel: int) -> str:
        """Of a channel; 0 is what concerns all nodes. No braces: a cluster spreads topics by their names."""
        return f"hc:{self.log_id}:c:{channel}"

    def _inboxes(self, channel: int) -> str:
        return f"hc:{self.log_id}:i:{channel % INBOX_TOPICS}"

    def _common_topics(self) -> set[str]:
        """What every node follows."""
        return {self._topic(0), *(self._inboxes(part) for part in range(INBOX_TOPICS))}

    def own_topic(self, name: str) -> str:
        """A topic of this node's alone, carried by the server `name`."""
        made = (f"hc:{self.log_id}:n:{self.node}:{part}" for part in count())
        return next(topic for topic in made if self.servers.of(topic) == name)

    # ------------------------------------------------------------ lanes

    async def _find(self) -> None:
        """Finds the servers, and finds them again when one says that topics have moved."""
        pause = _Pause()
        while True:
            self._moved.clear()
            try:
                names = await self.servers.find()
            except (RedisError, OSError) as error:
                log.warning("the bus can't be found", extra={"cause": type(error).__name__})
                await pause.longer()
                continue
            pause = _Pause()
            await self._close_lanes()
            self._lanes = {name: _Lane(self, name) for name in names}
            await self._moved.wait()
            await pause.longer()

    async def _close_lanes(self) -> None:
        left, self._left, self._lanes = [*self._left, *self._lanes.values()], [], {}
        await asyncio.gather(*(lane.close() for lane in left))

    def _lane(self, topic: str) -> "_Lane | None":
        return self._lanes.get(self.servers.of(topic)) if self._lanes else None

    def carried_by(self, name: str) -> set[str]:
        """The topics of this node that a server carries."""
        return {topic for topic in self.topics if self.servers.of(topic) == name}

    def moved(self) -> None:
        """Topics are carried by other servers now."""
        self._moved.set()

    # ------------------------------------------------------------ out

    def _say_once(self, topic: str, about: int, signal: Signal) -> None:
        self._say(topic, Payload(self.log_id, self.node, about, 0, SIGNAL, [msgpack.packb(signal)]))

    def _say(self, topic: str, payload: Payload) -> None:
        lane = self._lane(topic)
        if lane is None or not lane.is_up:
            return self.doubt()
        for part in pack(payload):
            lane.put(topic, part)

    def doubt(self) -> None:
        """Something was not published; until others have read that in our row, they do not rely on the bus."""
        self._doubted_at = monotonic()

    # ------------------------------------------------------------ in

    def heard(self, data: bytes) -> None:
        """What came in on a topic. What can't be read is a gap, which shows in the numbers of what follows."""
        try:
            payload = unpack(data)
            if payload.node == self.node or payload.log != self.log_id:
                return
            if payload.flags & SIGNAL:
                self._hearer.heard(payload.node, payload.channel, _signal(payload.frames[0]))
            else:
                is_plain = not payload.flags & LOOK_INSIDE
                numbered = enumerate(payload.frames, payload.first)
                batch = [Encoded.received(payload.channel, seq, frame, is_plain) for seq, frame in numbered]
                self._hearer.offer(batch)
        except (ValueError, TypeError, LookupError, HubError) as error:
            log.warning("something on the bus can't be read", extra={"cause": type(error).__name__})

    def lane_is_up(self, topics: Iterable[str]) -> None:
        """A lane carries these topics from now on; what was said there before, nobody knows."""
        if self.is_ok:
            self._came_up.set()
        self.gapped(topics if len(self._lanes) > 1 else None)

    def gapped(self, topics: Iterable[str] | None) -> None:
        """Something may have been missed: on these topics, or anywhere."""
        if topics is None:
            return self._hearer.gapped(None)
        parts = [topic.split(":") for topic in topics]
        if any(part[2] == "i" for part in parts):
            return self._hearer.gapped(None)
        self._hearer.gapped({int(part[3]) for part in parts if part[2] == "c"} - {0})


def _signal(data: bytes) -> Signal:
    """A signal as another node packed it. Raises ValueError, KeyError for anything else."""
    signal = msgpack.unpackb(data, strict_map_key=False)
    if not isinstance(signal["signal"], str):
        raise ValueError("of no kind")
    return signal  # type: ignore[no-any-return]  # msgpack has no types


class _Run(NamedTuple):
    channel: int
    nth: int


def _run() -> Any:
    """A key for `groupby`: entries of one channel, one seq after the other. Any: a function with a memory."""
    last: tuple[int, int] = (0, 0)
    nth = 0

    def key(encoded: Encoded) -> _Run:
        nonlocal last, nth
        if last != (encoded.channel, encoded.seq - 1):
            nth += 1
        last = (encoded.channel, encoded.seq)
        return _Run(encoded.channel, nth)

    return key


class _SilentError(OSError):
    """Our own beat does not come back."""


class _Lane:
    """One server. It is up once it has acknowledged every topic and carried our own beat."""

    def __init__(self, bus: RedisBus, name: str) -> None:
        self.bus = bus
        self.name = name
        self.is_up = False
        self._is_told = False  # that it is down
        self._is_closing = False
        self._beat_topic = bus.own_topic(name)
        self._beaten_at = 0.0
        self._wanted: set[str] = set()
        self._acked: set[str] = set()
        self._asked: dict[str, bool] = {}  # (un)subscriptions of this turn
        self._change = asyncio.Event()
        self._followers: dict[str, asyncio.Future[None]] = {}
        self._queue: deque[tuple[str, bytes]] = deque()
        self._queued_bytes = 0
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
        if not self.is_up or topic in self._acked:
            return
        if topic not in self._followers:
            self._followers[topic] = asyncio.get_running_loop().create_future()
            self._ask(topic, True)
        await asyncio.shield(self._followers[topic])

    def leave(self, topic: str) -> None:
        self._wanted.discard(topic)
        self._acked.discard(topic)
        self._ask(topic, False)

    def _ask(self, topic: str, wanted: bool) -> None:
        self._asked[topic] = wanted
        self._change.set()

    def put(self, topic: str, data: bytes) -> None:
        """Queues a message behind the others."""
        if self._queued_bytes + len(data) > QUEUE_BYTES:
            return self.bus.doubt()
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
        pause = _Pause()
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
                    pause = _Pause()
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
        self.is_up = False
        self.bus.doubt()
        self._queue.clear()
        self._queued_bytes = 0
        followers, self._followers = self._followers, {}
        for future in followers.values():
            if not future.done():
                future.set_result(None)
        if isinstance(cause, MovedError):
            self.bus.moved()

    def _look(self) -> None:
        """Whether it is up now; then nobody knows what was said while it was not."""
        if not self.is_up and self._beaten_at and self._wanted <= self._acked:
            self.is_up, self._is_told = True, False
            log.info("the bus is up")
            self.bus.lane_is_up(self._wanted)

    async def _beat(self) -> None:
        began = monotonic()
        while True:
            said = Payload(self.bus.log_id, self.bus.node, 0, 0, SIGNAL, [])
            for part in pack(said):
                self.put(self._beat_topic, part)
            await asyncio.sleep(BEAT_S)
            if monotonic() - max(began, self._beaten_at) > SILENT_S:
                raise _SilentError

    # ------------------------------------------------------------ listening

    async def _listen(self, connection: AbstractConnection, group: asyncio.TaskGroup) -> None:
        try:
            self._beaten_at = 0.0
            self._acked.clear()
            self._asked.clear()
            await connection.connect()
            self._wanted = self.bus.carried_by(self.name) | {self._beat_topic}
            await self._send_topics(connection, self._subscribe, self._wanted)
            group.create_task(self._send_changes(connection))
            for heard in count(1):
                self._hear(await connection.read_response(timeout=math.inf, disconnect_on_error=False))
                if heard % YIELD_EVERY == 0:
                    await asyncio.sleep(0)
        finally:
            await connection.disconnect(nowait=True)

    def _hear(self, message: Any) -> None:
        kind, topic, data = message[0], message[1].decode(), message[2]
        if kind in (b"message", b"smessage"):
            if topic == self._beat_topic:
                self._beaten_at = monotonic()
                self._look()
            else:
                self.bus.heard(data)
        elif kind in (b"subscribe", b"ssubscribe"):
            if topic in self._acked:
                self.bus.gapped([topic])  # it was not followed for a moment
            elif topic in self._wanted:
                self._acked.add(topic)
                self._look()
            if (follower := self._followers.pop(topic, None)) is not None and not follower.done():
                follower.set_result(None)
        elif kind == b"sunsubscribe" and topic in self._wanted:
            raise MovedError("0 unknown:0")  # its slot was given to another server

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
            await connection.send_packed_command(connection.pack_commands(commands), check_health=False)

    # ------------------------------------------------------------ publishing

    async def _send(self) -> None:
        connection = self.bus.servers.connection(self.name)
        try:
            await connection.connect()
            while True:
                await self._filled.wait()
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), AT_ONCE))]
                self._queued_bytes -= sum(len(data) for _, data in batch)
                if not self._queue:
                    self._filled.clear()
                packed = connection.pack_commands([(self._publish, topic, data) for topic, data in batch])
                await connection.send_packed_command(packed, check_health=False)
                for _ in batch:
                    await connection.read_response()
                if not self._queue:
                    self._sent.set()
        finally:
            await connection.disconnect(nowait=True)


_PLAIN: Final = ("SUBSCRIBE", "UNSUBSCRIBE", "PUBLISH")


class _Pause:
    """How long to wait before a server is tried again."""

    def __init__(self) -> None:
        self._next_s = WAIT_S[0]

    async def longer(self) -> None:
        await asyncio.sleep(self._next_s * random.uniform(0.5, 1.0))  # spread, not secrecy
        self._next_s = min(2 * self._next_s, WAIT_S[1])
