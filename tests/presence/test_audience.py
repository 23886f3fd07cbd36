"""Who counts as being in a room, and what nodes tell each other of it; over lines that are no sockets."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hubchat.presence import audience
from hubchat.storage.sessions import Caller
from tests.community import Community, open_community
from tests.lines import Gate, Line, Lines

OTHER = 77  # a node


@pytest.fixture
async def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Community]:
    """A hub that counts when told to."""
    monkeypatch.setattr(audience, "EVERY_S", 3_600.0)
    async with open_community(f"sqlite:///{tmp_path / 'hub.db'}", tmp_path) as community:
        yield community


@pytest.fixture
def said(hub: Community, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What this node tells others of who reads what."""
    told: list[dict[str, Any]] = []

    def tell(channel: int, signal: dict[str, Any]) -> None:
        if signal["signal"] == "audience":
            told.append({"channel": channel, **signal})

    monkeypatch.setattr(hub.node.hub.bus, "tell", tell)
    return told


@pytest.fixture
async def room(hub: Community) -> tuple[int, list[Caller]]:
    """A group with six members."""
    crowd = await hub.members(*(f"m{number}" for number in range(6)))
    return await hub.group(crowd[0], "closed", *crowd[1:]), crowd


def hear(hub: Community, channel: int, *accounts: int, asks: bool = False) -> None:
    """Another node says who reads a channel there."""
    signal = {"signal": "audience", "accounts": list(accounts), "guests": 0, "asks": asks}
    hub.node.hub.on_signal["audience"](OTHER, channel, signal)


def counts(line: Line) -> list[int]:
    return [message["count"] for message in line.heard if message.get("signal") == "audience"]


async def enter(lines: Lines, who: Caller, channel: int) -> Line:
    line = lines.open(who)
    assert "head" in await line.do("subscribe", channel=channel)
    return line


async def test_the_last_one_to_go_is_told_though_another_node_spoke_first(
    hub: Community, room: tuple[int, list[Caller]], said: list[dict[str, Any]]
) -> None:
    channel, (ana, *others) = room
    here = await enter(Lines(hub.node), ana, channel)
    hub.node.audience.tell()
    hear(hub, channel, *(who.account_id for who in others))
    here.session.closed()
    hub.node.audience.tell()
    assert [one["accounts"] for one in said] == [[ana.account_id], []]
    kept = hub.node.audience._elsewhere, hub.node.audience._told, hub.node.audience._said
    assert kept == ({}, {}, {})


async def test_who_asks_is_told_that_nobody_is_here_any_more(
    hub: Community, room: tuple[int, list[Caller]], said: list[dict[str, Any]]
) -> None:
    channel, (ana, ben, *_) = room
    here = await enter(Lines(hub.node), ana, channel)
    hub.node.audience.tell()
    here.session.closed()
    hub.node.audience.tell()
    said.clear()  # the others did not hear it
    hear(hub, channel, ben.account_id, asks=True)
    hub.node.audience.tell()
    assert [one["accounts"] for one in said] == [[]]
    assert (hub.node.audience._elsewhere, hub.node.audience._said) == ({}, {})


async def test_who_is_not_let_in_yet_is_not_counted_and_who_is_counts(
    hub: Community, room: tuple[int, list[Caller]], monkeypatch: pytest.MonkeyPatch, said: list[dict[str, Any]]
) -> None:
    channel, crowd = room
    lines = Lines(hub.node)
    inside = [await enter(lines, who, channel) for who in crowd[:4]]
    hub.node.audience.tell()
    asking = Gate(hub.node.seats.get)
    monkeypatch.setattr(hub.node.seats, "get", asking)
    newcomer = lines.open(crowd[4])
    asked = newcomer.send("subscribe", channel=channel)
    await asking.arrived.wait()
    hub.node.audience.tell()
    assert [len(one["accounts"]) for one in said] == [4], "who has no right yet is nobody here"
    assert counts(inside[0]) == []
    asking.open()
    assert "head" in await newcomer.reply(asked)
    hub.node.audience.tell()
    await inside[0].until(lambda: counts(inside[0]) == [5])


async def test_a_channel_that_came_again_is_counted_by_those_who_came_again(
    hub: Community, room: tuple[int, list[Caller]], said: list[dict[str, Any]]
) -> None:
    channel, (ana, *_) = room
    lines = Lines(hub.node)
    await enter(lines, ana, channel)
    hub.node.audience.tell()
    for _ in range(8):  # in a set, either of both may come first
        before = hub.node.hub.channels[channel]
        hub.node.hub.send_all_away()
        del hub.node.hub.channels[channel]  # as where history was replaced
        await enter(lines, ana, channel)
        assert before in hub.node.hub.moved
        hub.node.audience.tell()
    assert said[-1]["accounts"] == [ana.account_id]
    assert all(one["accounts"] for one in said), "she was never gone"


async def test_a_channel_that_can_not_be_counted_keeps_no_other_one_back(
    hub: Community,
    room: tuple[int, list[Caller]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    channel, (ana, *_) = room
    rooms = {channel, *[await hub.group(ana) for _ in range(4)]}
    lines = Lines(hub.node)
    for one in rooms:
        await enter(lines, ana, one)
    counted: list[int] = []

    def say(channel: int, _here: audience.Room) -> None:
        counted.append(channel)
        if len(counted) == 1:
            raise LookupError

    monkeypatch.setattr(hub.node.audience, "_say", say)
    hub.node.audience.tell()
    assert rooms <= {*counted}
    assert "LookupError" in caplog.text


async def test_who_left_while_the_bus_was_down_is_told_to_have_left_when_it_is_back(
    hub: Community, room: tuple[int, list[Caller]], said: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    channel, (ana, *_) = room
    here = await enter(Lines(hub.node), ana, channel)
    hub.node.audience.tell()
    with monkeypatch.context() as down:
        down.setattr(hub.node.hub.bus, "is_ok", False)
        here.session.closed()
        hub.node.audience.tell()
    said.clear()
    hub.node.hub.on_gap(None)
    hub.node.audience.tell()
    assert [(one["channel"], one["accounts"], one["asks"]) for one in said] == [(channel, [], False)]
    assert not hub.node.audience._said
