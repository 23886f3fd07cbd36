"""Pip and Olive: they talk while somebody is here, and keep their last lines."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from hubchat import settings
from hubchat.actions import groups, members
from hubchat.actions.accounts import create
from hubchat.actions.groups import NewGroup
from hubchat.actions.operator import act_as, say
from hubchat.demo import bots
from hubchat.demo.bots import Table, sit_down, talking
from hubchat.demo.story import read_small_talk
from hubchat.node import Node, open_node
from hubchat.storage.entries import read_range
from hubchat.storage.sessions import Caller
from hubchat.wire import Entry

HOUR_S = 3_600.0
SAID = [line for exchange in read_small_talk() for line in exchange]


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two talk fast."""
    monkeypatch.setattr(bots, "LOOK_S", 0.01)
    monkeypatch.setattr(bots, "ANSWER_S", (0.0, 0.0))
    monkeypatch.setattr(bots, "PAUSE_S", (0.01, 0.01))


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    """A hub with a kitchen table, the two at it, and Ana, whose table it is."""
    async with open_node(settings.load(data=tmp_path)) as node:
        for handle in ("ana", "pip", "olive"):
            await create(node, handle, handle.title(), bot=handle != "ana")
        table = await groups.create(node, await act_as(node, "ana"), NewGroup("Table", "public", bots.TABLE))
        for handle in ("pip", "olive"):
            await members.join(node, await act_as(node, handle), table)
        yield node


async def lines(table: Table) -> list[Entry]:
    """The messages at the table that have words."""
    found = await table.node.database.read(lambda connection: read_range(connection, table.channel, 1, 10_000, 10_000))
    return [entry for entry in found if entry.kind == "message" and not entry.deleted]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():
            await asyncio.sleep(0.02)


async def test_they_are_silent_until_somebody_comes_and_when_nobody_is_left(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = False
    monkeypatch.setattr(Table, "has_company", lambda _: company)
    table = await sit_down(node)

    async def many(count: int) -> bool:
        return len(await lines(table)) >= count

    async with talking(node):
        await asyncio.sleep(0.2)
        assert await lines(table) == []
        company = True
        await until(lambda: many(4))
        company = False
        await asyncio.sleep(0.3)
        said = len(await lines(table))
        await asyncio.sleep(0.3)
        assert len(await lines(table)) == said
    await asyncio.sleep(0.1)
    assert len(await lines(table)) == said


async def test_what_they_say_is_a_line_and_its_answer(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Table, "has_company", lambda _: True)
    table = await sit_down(node)

    async def some() -> bool:
        return len(await lines(table)) >= 6

    async with talking(node):
        await until(some)
    said = await lines(table)
    assert {entry.text for entry in said} <= set(SAID)
    assert [entry.author for entry in said[:4]] == [table.pip.persona_id, table.olive.persona_id] * 2


class Clock:
    """A clock that the two sleep by: what is planned happens when they have slept so long."""

    def __init__(self, until_s: float) -> None:
        self.now_s = 0.0
        self.until_s = until_s
        self.plan: dict[float, Callable[[], Awaitable[object]]] = {}

    async def sleep(self, delay_s: float) -> None:
        self.now_s += delay_s
        for at_s in sorted(at_s for at_s in self.plan if at_s <= self.now_s):
            await self.plan.pop(at_s)()
        if self.now_s >= self.until_s:
            raise TimeoutError


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch, hurry: None) -> None:
    """The two have all the time that they have elsewhere."""
    monkeypatch.setattr(bots, "LOOK_S", 1.0)
    monkeypatch.setattr(bots, "ANSWER_S", (3.0, 7.0))
    monkeypatch.setattr(bots, "PAUSE_S", (15.0, 40.0))


async def listen(table: Table, clock: Clock) -> list[float]:
    """Lets them talk until the clock has run down; when each of their lines was said, s."""
    said, say = [], table.say

    async def note(who: Caller, text: str) -> None:
        said.append(clock.now_s)
        await say(who, text)

    table.say = note  # type: ignore[method-assign]
    with pytest.raises(TimeoutError):
        await table.talk(clock.sleep)
    return said


@pytest.mark.usefixtures("patient")
async def test_a_page_left_open_for_two_days_has_a_room_that_can_be_read(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Table, "has_company", lambda _: True)
    table, clock = await sit_down(node), Clock(48 * HOUR_S)
    said = await listen(table, clock)
    assert len([at_s for at_s in said if at_s < 600]) >= 8, "lively while one looks"
    assert len([at_s for at_s in said if at_s < 24 * HOUR_S]) <= 80, "and not much more than a page a day"
    assert said[-1] > 46 * HOUR_S, "but never silent for good"
    entries = await table.node.database.read(
        lambda connection: read_range(connection, table.channel, 1, 10_000, 10_000)
    )
    assert [entry for entry in entries if entry.deleted] == []


@pytest.mark.usefixtures("patient")
async def test_what_they_take_back_lies_before_all_that_they_keep(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Table, "has_company", lambda _: True)
    monkeypatch.setattr(bots, "KEPT", 20)
    table = await sit_down(node)
    said = await listen(table, Clock(24 * HOUR_S))
    entries = await table.node.database.read(
        lambda connection: read_range(connection, table.channel, 1, 10_000, 10_000)
    )
    messages = [entry for entry in entries if entry.kind == "message"]
    assert [bool(entry.deleted) for entry in messages] == [True] * (len(said) - 20) + [False] * 20


@pytest.mark.usefixtures("patient")
async def test_they_take_up_the_talk_when_somebody_says_something(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Table, "has_company", lambda _: True)
    table, clock = await sit_down(node), Clock(11 * HOUR_S)
    heads = itertools.count(1)
    head = 0
    monkeypatch.setattr(Table, "state", property(lambda _: (head, 1)))

    async def speak() -> None:
        nonlocal head
        head = next(heads)

    clock.plan = {10 * HOUR_S: speak}
    said = await listen(table, clock)
    assert len([at_s for at_s in said if 9 * HOUR_S < at_s < 10 * HOUR_S]) <= 2
    assert len([at_s for at_s in said if 10 * HOUR_S < at_s < 10 * HOUR_S + 600]) >= 8


@pytest.mark.usefixtures("patient")
async def test_they_take_up_the_talk_when_somebody_comes_and_are_silent_alone(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = 1
    monkeypatch.setattr(Table, "state", property(lambda _: (7, readers)))
    monkeypatch.setattr(Table, "has_company", lambda _: readers > 0)
    table, clock = await sit_down(node), Clock(30 * HOUR_S)

    def become(count: int) -> Callable[[], Awaitable[object]]:
        async def become() -> None:
            nonlocal readers
            readers = count

        return become

    clock.plan = {10 * HOUR_S: become(2), 11 * HOUR_S: become(0), 29 * HOUR_S: become(1)}
    said = await listen(table, clock)
    assert len([at_s for at_s in said if 10 * HOUR_S < at_s < 10 * HOUR_S + 600]) >= 8
    assert [at_s for at_s in said if 11 * HOUR_S + 60 < at_s < 29 * HOUR_S] == []
    assert len([at_s for at_s in said if 29 * HOUR_S < at_s < 29 * HOUR_S + 600]) >= 8


async def test_a_connected_member_is_company_and_an_empty_hub_is_none(node: Node) -> None:
    table = await sit_down(node)
    assert not table.has_company()
    node.hub.accounts[7] = (object(),)  # type: ignore[assignment]  # any reader will do
    assert table.has_company()
    node.hub.accounts.clear()


async def test_they_keep_their_last_lines_and_leave_others_alone(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bots, "KEPT", 4)
    table = await sit_down(node)
    await say(node, await act_as(node, "ana"), bots.TABLE, "Good morning")
    for number in range(7):
        await table.say((table.pip, table.olive)[number % 2], f"line {number}")
    assert [entry.text for entry in await lines(table)] == ["Good morning", "line 3", "line 4", "line 5", "line 6"]


async def test_after_a_restart_they_remember_what_is_theirs(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bots, "KEPT", 4)
    monkeypatch.setattr(bots, "PAGE", 2)
    before = await sit_down(node)
    for number in range(6):
        await before.say((before.pip, before.olive)[number % 2], f"line {number}")
        await say(node, await act_as(node, "ana"), bots.TABLE, f"yes {number}")
    after = await sit_down(node)
    assert after.lines == before.lines
    await after.say(after.pip, "line 6")
    texts = [entry.text for entry in await lines(after)]
    assert [text for text in texts if text and text.startswith("line")] == ["line 3", "line 4", "line 5", "line 6"]
    assert len([text for text in texts if text and text.startswith("yes")]) == 6


async def test_a_closed_table_silences_them_and_nothing_else(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Table, "has_company", lambda _: True)
    monkeypatch.setattr(bots, "TROUBLE_S", 0.05)
    ana = await act_as(node, "ana")
    table = await sit_down(node)
    await groups.change(node, ana, table.channel, groups.GroupChange(state="archived"))
    async with talking(node):
        await asyncio.sleep(0.2)
        assert await lines(table) == []
        await groups.change(node, ana, table.channel, groups.GroupChange(state="open"))

        async def some() -> bool:
            return len(await lines(table)) >= 2

        await until(some)
