"""What a bus between nodes promises, on a real server; a cluster too, where topics live on several."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

import pytest
from redis.asyncio.connection import AbstractConnection
from redis.crc import key_slot

from hubchat.channels import redis_bus, redis_lane
from hubchat.channels.bus import Signal
from hubchat.channels.encoded import SHARED, Encoded
from hubchat.channels.redis_bus import RedisBus
from hubchat.channels.redis_servers import servers_at
from hubchat.framing import wire_class
from hubchat.settings import SettingsError
from hubchat.wire import Entry
from tests.lines import WAIT_S
from tests.redis_servers import GuardedRedis, RedisCluster, RedisServer, TlsRedisServer, WatchedRedis

LOG = 77


class Ear:
    """A hearer that remembers."""

    def __init__(self) -> None:
        self.entries: list[Encoded] = []
        self.gaps: list[Collection[int] | None] = []
        self.signals: list[tuple[int, int, Signal]] = []
        self._news = asyncio.Event()

    def offer(self, batch: Sequence[Encoded]) -> None:
        self.entries += batch
        self._news.set()

    def gapped(self, channels: Collection[int] | None) -> None:
        self.gaps.append(channels)
        self._news.set()

    def heard(self, node: int, channel: int, signal: Signal) -> None:
        self.signals.append((node, channel, signal))
        self._news.set()

    def seqs(self, channel: int) -> list[int]:
        return [encoded.seq for encoded in self.entries if encoded.channel == channel]

    async def until(self, found: Callable[[], Any]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not found():
                self._news.clear()
                await self._news.wait()


Redis: TypeAlias = RedisServer | WatchedRedis | GuardedRedis | RedisCluster

KINDS: dict[str, Callable[[], Redis]] = {
    "one": RedisServer,
    "password": lambda: RedisServer(password="two words/@:"),
    "tls": TlsRedisServer,
    "sentinel": WatchedRedis,
    "sentinel with tls and password": GuardedRedis,
    "cluster": RedisCluster,
}
if system := shutil.which("redis-server"):  # beside Valkey, where the machine has it
    KINDS |= {
        "redis": partial(RedisServer, program=Path(system)),
        "redis cluster": partial(RedisCluster, program=Path(system)),
    }


@pytest.fixture(params=KINDS)
def redis(request: pytest.FixtureRequest) -> Iterator[Redis]:
    with KINDS[request.param]() as running:
        yield running


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@asynccontextmanager
async def nodes(url: str, number: int = 2, log_id: int = LOG) -> AsyncIterator[list[tuple[RedisBus, Ear]]]:
    """Buses that are up, with who listens to each."""
    async with AsyncExitStack() as stack:
        made = [(RedisBus(servers_at(url), log_id, one + 1), Ear()) for one in range(number)]
        for bus, ear in made:
            await bus.open(ear)
            stack.push_async_callback(bus.close)
        for bus, _ in made:
            await until_up(bus)
        yield made


async def until_up(bus: RedisBus, *, up: bool = True) -> None:
    async with asyncio.timeout(WAIT_S):
        while bus.is_ok is not up:
            await asyncio.sleep(0.01)


def said(channel: int, seq: int, text: str = "hello") -> Encoded:
    return Encoded(Entry(channel, seq, "message", 9, 1_000 + seq, text, nonce=f"n{seq}"))


async def test_who_follows_a_channel_hears_it_in_order_and_the_others_do_not(redis: RedisServer) -> None:
    channels = range(1, 40)  # on every primary of a cluster
    async with nodes(redis.url, 3) as [(one, own), (two, ear), (_, other)]:
        for channel in channels:
            await two.follow(channel)
        for seq in range(1, 6):
            one.publish([said(channel, seq) for channel in channels])
        await ear.until(lambda: len(ear.entries) == 5 * len(channels))
        assert all(ear.seqs(channel) == [1, 2, 3, 4, 5] for channel in channels)
        assert own.entries == other.entries == []


async def test_bytes_are_those_that_readers_get_and_other_forms_are_made_from_them(redis: RedisServer) -> None:
    json = wire_class("json", 0)
    message = said(5, 1)
    message.entry.data = {"reply_to": 3, "mentions": [9]}
    async with nodes(redis.url) as [(one, _), (two, ear)]:
        await two.follow(5)
        one.publish([message])
        await ear.until(lambda: ear.entries)
        [heard] = ear.entries
        assert heard.frame(SHARED) == message.frame(SHARED)
        assert heard.frame(json) == message.frame(json)
        assert heard.entry == message.entry


async def test_what_changes_something_is_looked_into(server: RedisServer) -> None:
    async with nodes(server.url) as [(one, _), (two, ear)]:
        await two.follow(5)
        changes = [
            Encoded(Entry(5, 2, "edit", 9, 1, "other words", target=1)),
            Encoded(Entry(5, 3, "delete", 9, 1, target=1)),
            Encoded(Entry(5, 4, "reaction", 9, 1, target=1, data={"emoji": "❤", "on": True})),
        ]
        one.publish([said(5, 1), *changes])
        await ear.until(lambda: len(ear.entries) == 4)
        assert [(heard.kind, heard.target) for heard in ear.entries] == [
            ("message", None), ("edit", 1), ("delete", 1), ("reaction", 1),
        ]  # fmt: skip
        assert [heard.entry for heard in ear.entries[1:]] == [change.entry for change in changes]


async def test_inboxes_are_heard_by_every_node_without_following(redis: RedisServer) -> None:
    async with nodes(redis.url) as [(one, _), (_, ear)]:
        notices = [Encoded(Entry(inbox, 1, "notice", 9, 1, data={"reason": "mention"})) for inbox in range(100, 300)]
        one.publish(notices)
        await ear.until(lambda: len(ear.entries) == 200)
        assert {heard.channel for heard in ear.entries} == set(range(100, 300))


async def test_signals_reach_followers_and_those_about_a_node_reach_all(redis: RedisServer) -> None:
    async with nodes(redis.url, 3) as [(one, own), (two, ear), (_, other)]:
        await two.follow(5)
        one.tell(5, {"signal": "typing", "person": 9})
        one.tell(0, {"signal": "here"})
        await ear.until(lambda: len(ear.signals) == 2)
        await other.until(lambda: other.signals)
        assert sorted(ear.signals, key=lambda heard: heard[1]) == [
            (1, 0, {"signal": "here"}), (1, 5, {"signal": "typing", "person": 9}),
        ]  # fmt: skip
        assert other.signals == [(1, 0, {"signal": "here"})]
        assert own.signals == []


async def test_what_is_left_is_heard_no_more_and_followed_again_is_heard(redis: RedisServer) -> None:
    async with nodes(redis.url) as [(one, _), (two, ear)]:
        await two.follow(5)
        two.leave(5)
        await asyncio.sleep(0.2)
        one.publish([said(5, 1)])
        await two.follow(5)
        one.publish([said(5, 2)])
        await ear.until(lambda: ear.entries)
        assert ear.seqs(5) == [2]


async def test_a_batch_too_large_for_one_payload_arrives_whole(server: RedisServer) -> None:
    async with nodes(server.url) as [(one, _), (two, ear)]:
        await two.follow(5)
        batch = [said(5, seq, "x" * 16_000) for seq in range(1, 60)]
        one.publish(batch)
        await ear.until(lambda: len(ear.entries) == 59)
        assert ear.seqs(5) == list(range(1, 60))
        assert ear.entries[-1].entry == batch[-1].entry


async def test_hubs_that_share_a_server_hear_nothing_of_each_other(server: RedisServer) -> None:
    async with nodes(server.url) as [(two, ear), _], nodes(server.url, 1, log_id=LOG + 1) as [(other, _)]:
        await two.follow(5)
        other.publish([said(5, 1)])
        other.tell(0, {"signal": "here"})
        await asyncio.sleep(0.2)
        assert ear.entries == []
        assert ear.signals == []


# ---------------------------------------------------------------- losing it


async def test_a_server_that_dies_is_noticed_and_every_channel_counts_as_gapped_when_it_is_back(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_bus, "DOUBT_S", 0.2)
    async with nodes(server.url) as [(one, _), (two, ear)]:
        await two.follow(5)
        before = len(ear.gaps)
        server.kill()
        await until_up(two, up=False)
        one.publish([said(5, 1)])  # nobody hears it, and nobody waits for it
        async with asyncio.timeout(0.5):
            await two.follow(6)
        server.start()
        await until_up(one)
        await until_up(two)
        assert ear.gaps[before:] == [None]
        one.publish([said(5, 2), said(6, 1)])
        await ear.until(lambda: len(ear.entries) == 2)
        assert ear.seqs(5) == [2]


async def test_a_server_that_hangs_is_noticed(server: RedisServer) -> None:
    async with nodes(server.url, 1) as [(bus, _)]:
        server.hang()
        async with asyncio.timeout(redis_lane.SILENT_S + redis_lane.BEAT_S + 1):
            await until_up(bus, up=False)
        following = asyncio.create_task(bus.follow(5))
        await asyncio.wait_for(following, 0.5)


async def test_followers_that_wait_when_the_server_goes_are_let_go(server: RedisServer) -> None:
    async with nodes(server.url, 1) as [(bus, _)]:
        server.hang()
        await asyncio.wait_for(bus.follow(5), redis_lane.SILENT_S + redis_lane.BEAT_S + 1)
        assert not bus.is_ok


async def test_a_connection_that_the_server_cuts_counts_as_a_gap(server: RedisServer) -> None:
    async with nodes(server.url, 1) as [(_, ear)]:
        before = len(ear.gaps)
        server.say("CLIENT", "KILL", "TYPE", "pubsub")
        await ear.until(lambda: len(ear.gaps) > before)
        assert ear.gaps[before:] == [None]


async def test_what_is_followed_while_the_server_comes_back_does_not_keep_it_down(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_bus, "DOUBT_S", 0.2)
    async with nodes(server.url) as [(one, _), (two, ear)]:
        server.kill()
        await until_up(two, up=False)
        server.start()
        channels = count(10)
        async with asyncio.timeout(WAIT_S):
            while not two.is_ok:
                await two.follow(next(channels))
                await asyncio.sleep(0)
        await until_up(one)
        followed = range(10, next(channels))
        one.publish([said(channel, 1) for channel in followed])
        await ear.until(lambda: len(ear.entries) == len(followed))


async def test_a_bus_can_be_closed_in_the_moment_in_which_its_server_dies(server: RedisServer) -> None:
    for turns in range(12):
        bus = RedisBus(servers_at(server.url), LOG, 1)
        await bus.open(Ear())
        server.say("CLIENT", "KILL", "TYPE", "normal")
        server.say("CLIENT", "KILL", "TYPE", "pubsub")
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.wait_for(bus.close(), WAIT_S)


async def test_a_slot_that_moves_to_another_server_takes_its_channels_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_bus, "DOUBT_S", 0.2)
    slot = key_slot(f"hc:{LOG}:c:5".encode())
    with RedisCluster() as cluster:
        async with nodes(cluster.url) as [(one, _), (two, ear)]:
            await two.follow(5)
            gaps = len(ear.gaps)
            to = next(server for server in cluster.servers if server is not cluster.owner(slot))
            cluster.give(slot, to)
            await ear.until(lambda: len(ear.gaps) > gaps)
            await until_up(two)
            one.publish([said(5, 1)])  # which still goes where the slot was, is refused there, and says so
            await until_up(one, up=False)
            await until_up(one)
            one.publish([said(5, 2)])
            await ear.until(lambda: ear.seqs(5) == [2])


async def test_a_primary_that_dies_takes_only_its_own_channels_and_brings_them_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_bus, "DOUBT_S", 0.2)
    with RedisCluster() as cluster:
        for server in cluster.servers:
            server.say("CONFIG", "SET", "cluster-require-full-coverage", "no")
        lost = cluster.owner(key_slot(f"hc:{LOG}:c:5".encode()))
        kept = next(n for n in count(6) if cluster.owner(key_slot(f"hc:{LOG}:c:{n}".encode())) is not lost)
        async with nodes(cluster.url) as [(one, _), (two, ear)]:
            for channel in (5, kept):
                await two.follow(channel)
            lost.kill()
            await until_up(one, up=False)
            await until_up(two, up=False)
            one.publish([said(5, 1), said(kept, 1)])
            await ear.until(lambda: ear.seqs(kept) == [1])
            lost.start()
            await until_up(one)
            await until_up(two)
            one.publish([said(5, 2)])
            await ear.until(lambda: ear.seqs(5) == [2])


async def test_a_cluster_that_comes_after_the_hub_is_found() -> None:
    cluster = RedisCluster()
    bus, ear = RedisBus(servers_at(cluster.url), LOG, 1), Ear()
    await bus.open(ear)
    try:
        assert not bus.is_ok
        with cluster:
            await until_up(bus)
    finally:
        await bus.close()


async def test_the_second_sentinel_is_asked_when_the_first_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, WatchedRedis() as redis:
        port = silent.getsockname()[1]
        async with nodes(redis.url.replace("://", f"://127.0.0.1:{port},"), 1) as [(bus, _)]:
            assert bus.is_ok


async def test_a_line_that_uvloop_calls_closed_is_a_lost_one(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def closed(*_: object, **__: object) -> None:
        raise RuntimeError("unable to perform operation; the handler is closed")

    async with nodes(server.url, 1) as [(bus, _)]:
        with monkeypatch.context() as lost:
            lost.setattr(AbstractConnection, "send_packed_command", closed)
            await until_up(bus, up=False)
        await until_up(bus)
    told = [record for record in caplog.records if record.name == redis_lane.__name__]
    assert [one.message for one in told] == ["the bus is down; what others say is looked for in SQL"]


async def test_what_was_not_published_is_counted_and_nothing_else(server: RedisServer) -> None:
    async with nodes(server.url, 1) as [(bus, _)]:
        server.kill()
        await until_up(bus, up=False)
        known = bus.unpublished
        await asyncio.sleep(1.0)  # some tries to come up again
        assert bus.unpublished == known
        bus.publish([said(5, 1), said(6, 1)])
        assert bus.unpublished == known + 2


async def test_sentinels_next_primary_is_found_and_what_was_said_meanwhile_is_a_gap() -> None:
    with WatchedRedis() as redis:
        async with nodes(redis.url) as [(one, _), (two, ear)]:
            await two.follow(5)
            redis.primary.kill()
            await until_up(two, up=False)
            one.publish([said(5, 1)])  # to nobody
            ear.gaps.clear()
            await until_up(one)
            await until_up(two)
            assert ear.gaps
            one.publish([said(5, 2)])
            await ear.until(lambda: ear.seqs(5) == [2])


async def test_a_server_whose_certificate_nobody_knows_is_not_spoken_to() -> None:
    with TlsRedisServer() as server:
        bus, ear = RedisBus(servers_at(server.distrusted_url), LOG, 1), Ear()
        await bus.open(ear)
        try:
            assert not bus.is_ok
        finally:
            await bus.close()


async def test_a_sentinel_that_nobody_knows_or_that_knows_us_not_is_not_believed() -> None:
    with GuardedRedis() as redis:
        known = f"sentinel_password={quote(redis.password)}"
        for query in (known, redis.trust, f"{redis.trust}&sentinel_password=wrong"):
            bus, ear = RedisBus(servers_at(f"{redis.address}?{query}"), LOG, 1), Ear()
            await bus.open(ear)
            assert not bus.is_ok, query
            await bus.close()


async def test_a_user_of_sentinels_own_is_named_beside_its_password() -> None:
    with GuardedRedis() as redis:
        redis.sentinel.say("ACL", "SETUSER", "hub", "on", ">a word", "+@all", "allchannels")
        named = f"{redis.trust}&sentinel_username=hub&sentinel_password=a%20word"
        async with nodes(f"{redis.address}?{named}", 1) as [(bus, _)]:
            assert bus.is_ok


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:port", "redis://127.0.0.1:99999", "redis://127.0.0.1?colour=blue",
        "redis://127.0.0.1/main", "rediss://127.0.0.1:6379/1/2",
        "redis+sentinel://127.0.0.1:26379", "redis+sentinel://127.0.0.1/main/db", "redis+sentinel://:26379/main",
        "redis+sentinel://127.0.0.1/main?colour=blue", "redis+sentinel://127.0.0.1/main?ssl_ca_certs=ca.pem",
        "redis+cluster://127.0.0.1?sentinel_password=a-secret-word", "redis+cluster://127.0.0.1:6379/1",
        "redis+cluster://a-secret-word@:6379", "redis+cluster://",
    ],
)  # fmt: skip
def test_an_address_that_means_no_server_is_told_by_the_settings_name_and_shape(url: str) -> None:
    with pytest.raises(SettingsError, match=r"HUBCHAT_REDIS_URL: want redis://HOST:PORT\[/NUMBER\]") as told:
        servers_at(url)
    assert "a-secret-word" not in str(told.value)


@pytest.mark.parametrize("url", ["redis://127.0.0.1/1", "rediss://127.0.0.1:6379/", "redis://127.0.0.1?db=1"])
def test_a_database_is_a_number_or_none(url: str) -> None:
    assert servers_at(url).names == ["redis"]


async def test_a_socket_carries_as_a_port_does(tmp_path: Path) -> None:
    path = tmp_path / "redis"
    with RedisServer("--unixsocket", str(path)):
        async with nodes(f"unix://{path}") as [(one, _), (two, ear)]:
            await two.follow(5)
            one.publish([said(5, 1)])
            await ear.until(lambda: ear.entries)
            assert ear.seqs(5) == [1]


async def test_more_than_the_queue_holds_is_dropped_and_says_so(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_lane, "QUEUE_BYTES", 100_000)
    async with nodes(server.url, 1) as [(bus, _)]:
        bus.publish([said(5, seq, "x" * 1_000) for seq in range(1, 1_000)])
        assert not bus.is_ok


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x02" + bytes(80), bytes(200), b"\x01\x01" + b"\xff" * 60])
async def test_what_is_no_payload_is_passed_over(server: RedisServer, data: bytes) -> None:
    async with nodes(server.url) as [(one, _), (two, ear)]:
        await two.follow(5)
        server.publish(f"hc:{LOG}:c:5", data)
        one.publish([said(5, 1)])
        await ear.until(lambda: ear.entries)
        assert ear.seqs(5) == [1]


async def test_a_password_is_asked_for_and_a_wrong_one_lets_nobody_in() -> None:
    with RedisServer(password="a secret of the operator's") as server:
        async with nodes(server.url.replace(" ", "%20")) as [(one, _), (two, ear)]:
            await two.follow(5)
            one.publish([said(5, 1)])
            await ear.until(lambda: ear.entries)
        bus, ear = RedisBus(servers_at(f"redis://:wrong@127.0.0.1:{server.port}"), LOG, 1), Ear()
        await bus.open(ear)
        await asyncio.sleep(0.5)
        assert not bus.is_ok
        await bus.close()


async def test_another_history_has_other_topics(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_bus, "DOUBT_S", 0.2)
    async with nodes(server.url) as [(one, _), (two, ear)]:
        await two.follow(5)
        two.turn_to(LOG + 1)
        await two.follow(6)
        one.publish([said(5, 1)])
        one.turn_to(LOG + 1)
        await until_up(one)
        await until_up(two)
        one.publish([said(5, 2), said(6, 1)])
        await ear.until(lambda: ear.entries)
        assert ear.seqs(5) == []
        assert ear.seqs(6) == [1]
