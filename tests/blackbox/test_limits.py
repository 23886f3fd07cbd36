"""The limits that a hub has unless it is told otherwise, and what happens at them."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

import pytest
from websockets.exceptions import InvalidStatus

from tests.blackbox.client import Ended, Refused
from tests.blackbox.hub import Hub
from tests.blackbox.line import Line
from tests.blackbox.shapes import check_fault

SETTINGS = {"HUBCHAT_COMMANDS_PER_10S": "100", "HUBCHAT_CONNECTIONS_PER_MEMBER": "3"}


async def answers(line: Line, verb: str, times: int, **fields: object) -> list[str]:
    """The reasons of refusals, in order; empty where there is none."""
    told = [await line.tell(verb, **fields) for _ in range(times)]
    done = await asyncio.wait_for(asyncio.gather(*told, return_exceptions=True), 20)
    return [one.reason if isinstance(one, Refused) else "" for one in done]


async def refusal(again: Callable[[], Awaitable[object]]) -> Refused:
    """Does something again and again until it is refused."""
    while True:
        try:
            await again()
        except Refused as refused:
            return refused


async def test_who_commands_too_fast_is_told_when_to_go_on(hub: Hub) -> None:
    line = await (await hub.member()).live()
    begun = time.monotonic()
    said = await answers(line, "ping", 130)
    assert said[:100] == [""] * 100
    assert set(said[100:]) <= {"", "too_fast"}
    assert time.monotonic() - begun > 3 or "too_fast" in said
    refused = await refusal(lambda: line.do("ping"))
    assert refused.code == "rate_limited"
    await asyncio.sleep(refused.error["retry_after_ms"] / 1000)
    await line.do("ping")


async def test_subscribing_has_a_budget_of_its_own(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    line = await anna.live()
    said = await answers(line, "subscribe", 500, channel=group)
    assert said == [""] * 500

    async def many() -> None:
        await asyncio.gather(*[await line.tell("subscribe", channel=group) for _ in range(50)])

    refused = await refusal(many)
    assert refused.code == "rate_limited"
    assert 0 < refused.error["retry_after_ms"] <= 1000
    await line.do("ping")


async def test_a_command_that_was_slowed_down_is_not_carried_out(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    line = await anna.live()
    told = [await line.tell("send", channel=group, nonce=f"n{n}", text="hello") for n in range(130)]
    done = await asyncio.wait_for(asyncio.gather(*told, return_exceptions=True), 20)
    stored = sum(isinstance(one, dict) for one in done)
    assert 100 <= stored < 130
    assert (await anna.get(f"channels/{group}"))["head"] == stored


@pytest.mark.parametrize("kind", ["broken", "refused"])
async def test_who_goes_on_being_wrong_is_closed(hub: Hub, kind: str) -> None:
    line = await (await hub.browser()).live(resume=False)
    verb, fields = ("nothing", {}) if kind == "broken" else ("subscribe", {"channel": 1})
    assert "" not in await answers(line, verb, 90, **fields)
    await line.do("ping")
    with pytest.raises((Refused, Ended)):
        await asyncio.gather(*[await line.tell(verb, **fields) for _ in range(20)])
    assert await line.until_ended() == 4009
    bye = line.heard[-1]["bye"]
    assert bye["code"] == 4009
    assert bye["reconnect_in_ms"][0] >= 60_000


async def test_a_member_has_so_many_connections_and_the_others_go_on(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    lines = [await anna.live() for _ in range(3)]
    with pytest.raises(InvalidStatus) as refused:
        await anna.live()
    answer = refused.value.response
    assert answer.status_code == 429
    check_fault(
        answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, json.loads(answer.body)
    )
    for line in (*lines, await ben.live()):
        await line.do("ping")
