"""What operators watch: who may see it, and that it says nothing of anybody."""

from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hubchat.channels import redis_bus
from hubchat.settings import SettingsError, load
from tests.flows.live import live
from tests.lines import WAIT_S
from tests.redis_servers import RedisServer
from tests.serving import Served, serve
from tests.waiting import until

TOKEN = "a-token-that-nobody-guesses"


async def _metrics(hub: Served, **headers: str) -> httpx2.Response:
    program = await hub.client()
    return await program.get(f"{hub.url}/metrics", headers=headers)


async def _values(hub: Served) -> dict[str, float]:
    answer = await _metrics(hub)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answer.text)
    return {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}


async def test_a_message_shows_in_the_sums_and_nowhere_else(tmp_path: Path) -> None:
    async with serve(None, tmp_path) as hub:
        browser = await hub.member("ana")
        form = {"slug": "quiet-words", "title": "Quiet", "visibility": "public"}
        group = (await browser.post("groups", json=form)).json()
        before = await _values(hub)
        await browser.post(f"channels/{group['id']}/messages", json={"text": "something private"})
        after = await _values(hub)
        said = (await _metrics(hub)).text
    assert after["hubchat_commit_items_count"] == before["hubchat_commit_items_count"] + 1
    assert after["hubchat_commit_seconds_sum"] > before["hubchat_commit_seconds_sum"]
    assert after["hubchat_bus_up"] == 1
    assert after["process_open_fds"] > 0
    for word in ("ana", "quiet-words", "private", str(group["id"])):
        assert word not in said


async def test_connections_and_deliveries_are_counted(hub: Served) -> None:
    ana, ben = await hub.community.members("ana", "ben")
    room = await hub.community.group(ana, "public", ben)
    quiet = await _values(hub)
    async with live(hub.node, hub.port, ben) as at_ben, live(hub.node, hub.port, ana) as at_ana:
        await at_ben.do("subscribe", channel=room)
        before = await _values(hub)
        seq = (await at_ana.do("send", channel=room, nonce="n", text="hello"))["seq"]
        await at_ben.entry(room, seq=seq)
        after = await _values(hub)
        hub.node.hub.recent.clear()
        await at_ben.do("subscribe", channel=room, after=seq - 1)
        await until(lambda: hub.node.catchup.replayed > after["hubchat_replayed_total"], WAIT_S)
        read = await _values(hub)
    assert (before["hubchat_connections"], before["hubchat_channels"]) == (2, 2)  # the room, and who lost rights
    assert after["hubchat_deliveries_total"] == before["hubchat_deliveries_total"] + 1
    assert before["hubchat_reads_total"] >= quiet["hubchat_reads_total"] + 2  # who came in, and a right to read
    assert read["hubchat_replay_reads_total"] == after["hubchat_replay_reads_total"] + 1
    assert after["hubchat_writes_total"] > before["hubchat_writes_total"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.7"},
        {"Forwarded": "for=203.0.113.7"},
        {"Via": "1.1 proxy"},
        {"X-Real-IP": "203.0.113.7"},
        {"Host": "hub.example.org"},
    ],
)
async def test_what_comes_through_a_proxy_on_this_machine_is_no_operator(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    async with serve(None, tmp_path) as hub:
        answer = await _metrics(hub, **headers)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (404, "path_unknown")


async def test_where_a_token_is_set_it_is_needed_even_on_this_machine(tmp_path: Path) -> None:
    async with serve(None, tmp_path, metrics_token=TOKEN) as hub:
        right = await _metrics(hub, Authorization=f"Bearer {TOKEN}", Host="hub.example.org")
        wrong = [
            await _metrics(hub, **headers)
            for headers in ({}, {"Authorization": "Bearer another-one-than-that"}, {"Authorization": f"Basic {TOKEN}"})
        ]
    assert right.status_code == 200
    assert {answer.status_code for answer in wrong} == {404}


def test_a_token_that_is_soon_guessed_is_refused() -> None:
    with pytest.raises(SettingsError, match="HUBCHAT_METRICS_TOKEN"):
        load(metrics_token="short")


async def test_a_node_among_others_says_whether_it_relies_on_the_bus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_bus, "DOUBT_S", 0.0)
    with RedisServer() as redis:
        async with serve(None, tmp_path, redis_url=redis.url) as hub:
            program = await hub.client()
            for state, up in (("up", 1), ("down", 0)):
                await until(lambda up=up: hub.node.hub.bus.is_ok == bool(up), WAIT_S)  # type: ignore[misc]
                ready = await program.get(f"{hub.url}/readyz")
                assert (ready.status_code, ready.json()) == (200, {"ok": True, "bus": state})
                assert (await _values(hub))["hubchat_bus_up"] == up
                redis.kill()
