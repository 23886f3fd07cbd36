"""Pip and Olive: they talk while somebody is here, and keep their last lines."""

import asyncio
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
from hubchat.wire import Entry

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


async def test_a_connected_member_is_company_and_an_empty_hub_is_none(node: Node) -> None:
    table = await sit_down(node)
    assert not table.has_company()
    node.hub.accounts[7].add(object())  # type: ignore[arg-type]  # any reader will do
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
