"""The way of a message as spans: on the node that it was sent to, over the bus, and on the node that hands it out."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from hubchat import otlp
from hubchat.channels.items import Message
from hubchat.errors import OperatorError
from hubchat.traces import Place, Step
from tests.collector import Collector, Span
from tests.community import open_community
from tests.lines import WAIT_S, Lines
from tests.nodes.conftest import Here
from tests.redis_servers import RedisServer
from tests.servers import free_port
from tests.waiting import until

WORDS = "words-that-nobody-else-may-read"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as made:
        yield made


@asynccontextmanager
async def traced(database_url: str, folder: Path, collector: str, **given: Any) -> AsyncIterator[Here]:
    folder.mkdir()
    async with open_community(database_url, folder, traces=collector, **given) as hub:
        yield Here(hub, Lines(hub.node))


@asynccontextmanager
async def two_nodes(
    database_url: str, folder: Path, redis: RedisServer, collector: Collector, ratio: float
) -> AsyncIterator[tuple[Here, Here]]:
    """Two nodes that trace; once it is left, the collector has all of it."""
    given = {"redis_url": redis.url, "traces_ratio": ratio}
    async with (
        traced(database_url, folder / "one", collector.url, **given) as one,
        traced(database_url, folder / "two", collector.url, **given) as two,
    ):
        for here in (one, two):
            await until(lambda here=here: here.node.hub.bus.is_ok, WAIT_S)  # type: ignore[misc]
        yield one, two


def steps(spans: list[Span], node: int) -> list[str]:
    """What one node did, in the order of its ends."""
    return [span.name for span in sorted(spans, key=lambda span: span.ended_ns) if span.node == f"{node:x}"]


async def test_a_message_is_one_trace_with_all_its_steps_on_both_nodes(
    database_url: str, tmp_path: Path, redis: RedisServer, collector: Collector
) -> None:
    async with two_nodes(database_url, tmp_path, redis, collector, 1.0) as (one, two):
        ana, ben = await one.hub.members("ana-traced", "ben-traced")
        room = await one.hub.group(ana, "secret", ben)
        writer, near, far = one.lines.open(ana), one.lines.open(ben), two.lines.open(ben)
        for line in (near, far):
            head = (await line.do("subscribe", channel=room))["head"]
        seq = (await writer.do("send", channel=room, nonce="n", text=WORDS))["seq"]
        for line in (near, far):
            await line.until_seq(room, seq)
        assert seq == head + 1
        nodes = (one.node.id, two.node.id)
    trace = collector.trace_of("message")
    assert set(steps(trace, nodes[0])) == {"receive", "wait", "commit", "message", "publish", "fan-out"}
    assert steps(trace, nodes[1]) == ["hear", "fan-out"]
    (whole,) = [span for span in trace if span.name == "message"]
    assert {span.parent for span in trace if span is not whole} == {whole.id}
    assert len({span.id for span in trace}) == len(trace) == 8
    assert all(span.began_ns <= span.ended_ns for span in trace)
    by_name = {span.name: span for span in trace if span.node == f"{nodes[0]:x}"}
    assert whole.began_ns == by_name["receive"].began_ns
    assert by_name["receive"].ended_ns == by_name["wait"].began_ns
    assert by_name["wait"].ended_ns == by_name["commit"].began_ns
    assert by_name["commit"].ended_ns == whole.ended_ns
    assert by_name["fan-out"].told == {"hubchat.entries": 1, "hubchat.readers": 1}
    private = [
        WORDS, "ana", "ben", "A group",
        *(str(number) for number in (room, ana.account_id, ana.persona_id, ben.account_id, ben.persona_id)),
    ]  # fmt: skip
    for body in collector.bodies:
        assert not [word for word in private if word.lower().encode() in body.lower()]
        for number in (room, ana.account_id, ana.persona_id):
            assert number.to_bytes(8) not in body
            assert number.to_bytes(8, "little") not in body
    for span in collector.spans:
        assert set(span.told) <= {"hubchat.entries", "hubchat.items", "hubchat.readers"}
        assert all(type(value) is int for value in span.told.values())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_both_nodes_keep_the_same_share(
    database_url: str, tmp_path: Path, redis: RedisServer, collector: Collector
) -> None:
    async with two_nodes(database_url, tmp_path, redis, collector, 0.25) as (one, two):
        ana, ben = await one.hub.members("ana", "ben")
        room = await one.hub.group(ana, "closed", ben)
        reader = two.lines.open(ben)
        await reader.do("subscribe", channel=room)
        said = [await one.hub.say(ana, room) for _ in range(100)]
        await reader.until_seq(room, said[-1])
        ids = (one.node.id, two.node.id)
    messages = [spans for spans in collector.traces().values() if "message" in steps(spans, ids[0])]
    assert 20 <= len(messages) <= 30
    assert all(steps(spans, ids[1]) == ["hear", "fan-out"] for spans in messages)
    begun = {span.trace for span in collector.spans if not span.parent}
    assert {span.trace for span in collector.spans} == begun


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_shared_a_commit_is_linked_from_it(database_url: str, tmp_path: Path, collector: Collector) -> None:
    async with traced(database_url, tmp_path / "one", collector.url, traces_ratio=1) as one:
        ana = await one.hub.member("ana")
        room = await one.hub.group(ana)

        async def say(number: int) -> None:
            who = (ana.account_id, ana.persona_id, room)
            await one.node.log.append(lambda done: Message(*who, done, f"{number}"))

        await asyncio.gather(*(say(number) for number in range(50)))
    begun = {span.trace for span in collector.spans if span.name == "message"}
    assert len(begun) == 50
    batches = [span for span in collector.spans if span.name == "batch" and begun & set(span.links)]
    assert sum(len(begun & set(batch.links)) for batch in batches) >= 49  # the first one may have gone alone
    assert max(batch.told["hubchat.items"] for batch in batches) >= 49
    shared = [s for s in collector.spans if s.name == "commit" and s.trace in begun and s.links]
    assert {link for span in shared for link in span.links} == {batch.trace for batch in batches}


# ---------------------------------------------------------------- a collector that is not well


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("how", ["away", "hanging"])
async def test_a_collector_that_is_not_well_holds_nobody_up_and_what_it_misses_is_counted(
    database_url: str, tmp_path: Path, collector: Collector, how: str, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(otlp, "WAITING", 100)
    monkeypatch.setattr(otlp, "SEND_S", 0.5)
    collector.hangs = True
    url = f"http://user:a-password@127.0.0.1:{free_port()}" if how == "away" else collector.url
    async with traced(database_url, tmp_path / "one", url, traces_ratio=1) as one:
        ana = await one.hub.member("ana")
        room = await one.hub.group(ana)
        reader = one.lines.open(ana)
        await reader.do("subscribe", channel=room)
        said = [await one.hub.say(ana, room) for _ in range(100)]
        await reader.until_seq(room, said[-1])
        assert one.node.traces is not None
        assert one.node.traces.dropped > 0
        await until(lambda: "not taken" in caplog.text, WAIT_S)
        began = monotonic()
    assert monotonic() - began < 2 * otlp.CLOSE_S + 1
    assert caplog.text.count("not taken") == 1
    assert "a-password" not in caplog.text


async def test_a_collector_that_comes_back_is_sent_what_comes_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(otlp, "EVERY_S", 0.01)
    taken, sent = iter([False, True, True]), []

    def export(steps: list[Step]) -> bool:
        sent.append(steps)
        return next(taken)

    sender = otlp.Sender(export)
    for number in range(3):
        sender.add(Step("message", Place(1, 1), None, 0.0, 0.0, {}))
        await until(lambda number=number: len(sent) == number + 1, WAIT_S)  # type: ignore[misc]
    sender.close()
    assert sender.dropped == 1
    assert [record.message for record in caplog.records if record.name == "hubchat.otlp"] == [
        "traces are not taken where HUBCHAT_TRACES says; they are dropped, and all else goes on",
        "traces are taken again",
    ]


# ---------------------------------------------------------------- without


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_without_what_makes_them_the_start_says_what_to_install(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None
    )  # as if it were not installed
    with pytest.raises(OperatorError, match=r"pip install 'hubchat\[traces\]'"):
        async with traced(database_url, tmp_path / "one", "http://127.0.0.1:4318"):
            pytest.fail("it started")


def test_a_hub_without_traces_does_not_even_load_what_sends_them() -> None:
    code = "import sys, hubchat.starting; sys.exit('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("url", "posted"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
        ("https://collector.example.org/otlp/traces", "https://collector.example.org/otlp/traces"),
    ],
)
def test_traces_go_to_the_collectors_usual_path_or_to_the_one_that_is_named(url: str, posted: str) -> None:
    assert otlp.endpoint_of(url) == posted
