"""The bus between nodes, over Redis pub/sub. What it carries are hints: SQL holds it all.

Topics are spread over lanes, one for each server. Whatever a lane may have missed counts as gapped; what it could not
publish makes this node doubt the bus, which others read in its row and look into SQL.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from time import monotonic
from typing import Final

import msgpack
from redis.exceptions import RedisError

from hubchat.channels.bus import Hearer, Signal
from hubchat.channels.encoded import SHARED, Encoded
from hubchat.channels.payload import LOOK_INSIDE, SIGNAL, Payload, pack, places, unpack
from hubchat.channels.redis_lane import Lane, Pause
from hubchat.channels.redis_servers import Servers
from hubchat.faults import log_fault
from hubchat.traces import Traces

log = logging.getLogger(__name__)

INBOX_TOPICS: Final = 64  # for all inboxes together: a node follows them all, whoever is there
OPEN_S: Final = 1.0  # how long a start waits for the bus
DOUBT_S: Final = 5.0  # after something was not published: long enough that every node reads it in our row


class RedisBus:
    """The bus of one node."""

    def __init__(self, servers: Servers, log_id: int, node: int, traces: Traces | None = None) -> None:
        self.servers = servers
        self.traces = traces
        self.log_id = log_id
        self.node = node
        self.topics: set[str] = set()
        self._hearer: Hearer
        self._lanes: dict[str, Lane] = {}
        self._left: list[Lane] = []  # to be closed
        self._doubted_at = -math.inf
        self.unpublished = 0
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
        for entries in _runs(batch):
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

    def beat(self) -> bytes:
        """What a lane says to itself there."""
        [said] = pack(Payload(self.log_id, self.node, 0, 0, SIGNAL, []))
        return said

    # ------------------------------------------------------------ lanes

    async def _find(self) -> None:
        """Finds the servers, and looks again when one is down: others may carry its topics by then."""
        pause = Pause()
        while True:
            self._moved.clear()
            try:
                is_other = await self.servers.find()
            except (RedisError, OSError) as error:
                log.warning("the bus can't be found", extra={"cause": type(error).__name__})
                await pause.longer()
                continue
            except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
                log_fault(log, error, "the bus can't be found:")
                await pause.longer()
                continue
            if is_other or not self._lanes:
                await self._close_lanes()
                self._lanes = {name: Lane(self, name) for name in self.servers.names}
                pause = Pause()
            await self._moved.wait()
            await pause.longer()

    async def _close_lanes(self) -> None:
        left, self._left, self._lanes = [*self._left, *self._lanes.values()], [], {}
        await asyncio.gather(*(lane.close() for lane in left))

    def _lane(self, topic: str) -> "Lane | None":
        return self._lanes.get(self.servers.of(topic)) if self._lanes else None

    def carried_by(self, name: str) -> set[str]:
        """The topics of this node that a server carries."""
        return {topic for topic in self.topics if self.servers.of(topic) == name}

    # ------------------------------------------------------------ out

    def _say_once(self, topic: str, about: int, signal: Signal) -> None:
        self._say(topic, Payload(self.log_id, self.node, about, 0, SIGNAL, [msgpack.packb(signal)]))

    def _say(self, topic: str, payload: Payload) -> None:
        lane = self._lane(topic)
        if lane is None or not lane.is_up:
            return self.doubt(1)
        for part in pack(payload):
            lane.put(topic, part)

    def carried(self, batch: Sequence[tuple[str, bytes]], began: float) -> None:
        if self.traces is not None:
            for _, data in batch:
                self.traces.carried(*places(data), began)

    def doubt(self, unpublished: int) -> None:
        """So many payloads were not published; until others have read that in our row, they do not rely on the bus."""
        self._doubted_at = monotonic()
        self.unpublished += unpublished

    # ------------------------------------------------------------ in

    def heard(self, data: bytes) -> None:
        """What came in on a topic. What can't be read is a gap, which shows in the numbers of what follows."""
        began = monotonic() if self.traces is not None else 0.0
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
                if self.traces is not None:
                    self.traces.heard(batch, began)
        except Exception as error:  # noqa: BLE001  # the edge: another node's words, perhaps of another release
            log_fault(log, error, "something on the bus can't be read:")

    def lane_is_down(self, unpublished: int) -> None:
        """So much was queued there and is not published. Topics may have moved to other servers."""
        self.doubt(unpublished)
        if self.servers.sharded:
            self._moved.set()

    def lane_is_up(self, topics: Iterable[str]) -> None:
        """A lane carries these topics from now on; what was said there before, nobody knows."""
        if self.is_ok:
            self._came_up.set()
        self.gapped(topics)

    def gapped(self, topics: Iterable[str]) -> None:
        """Something may have been missed on these topics; those of inboxes and of all nodes concern every channel."""
        parts = [topic.split(":") for topic in topics]
        is_shared = any(kind == "i" or number == "0" for _, _, kind, number, *_ in parts)
        self._hearer.gapped(None if is_shared else {int(number) for _, _, kind, number, *_ in parts if kind == "c"})


def _signal(data: bytes) -> Signal:
    """A signal as another node packed it. Raises ValueError, KeyError for anything else."""
    signal = msgpack.unpackb(data, strict_map_key=False)
    if not isinstance(signal["signal"], str):
        raise ValueError("of no kind")
    return signal  # type: ignore[no-any-return]  # msgpack has no types


def _runs(batch: Sequence[Encoded]) -> Iterator[list[Encoded]]:
    """What can go in one payload: entries of one channel, one seq after the other."""
    run: list[Encoded] = []
    for encoded in batch:
        if run and (encoded.channel, encoded.seq) != (run[-1].channel, run[-1].seq + 1):
            yield run
            run = []
        run.append(encoded)
    if run:
        yield run
