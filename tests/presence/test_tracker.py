"""Who is told that others come and go; over lines that are no sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hubchat.actions import groups, me
from hubchat.actions.me import MeChange
from hubchat.presence import tracker
from hubchat.storage.database import Unavailable
from hubchat.storage.presence import read_visible
from hubchat.storage.sessions import Caller
from tests.community import Community, open_community
from tests.lines import Gate, Line, Lines


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Community]:
    """A hub without members. What is asked of the database here is tried on both kinds in tests/storage."""
    async with open_community(f"sqlite:///{tmp_path / 'hub.db'}", tmp_path) as community:
        yield community


@pytest.fixture
async def pair(hub: Community) -> tuple[Caller, Caller]:
    """Two who see each other."""
    ana, ben = await hub.members("ana", "ben")
    await hub.group(ana, "closed", ben)
    return ana, ben


def told(line: Line, who: Caller) -> list[str]:
    """What a connection was told of somebody, in order."""
    signals = [message["people"] for message in line.heard if message.get("signal") == "presence"]
    return [people[str(who.persona_id)] for people in signals if str(who.persona_id) in people]


async def test_who_comes_and_goes_is_told_to_who_watches(hub: Community, pair: tuple[Caller, Caller]) -> None:
    ana, ben = pair
    lines = Lines(hub.node)
    watching = lines.open(ana)
    assert await watching.do("watch", people=[ben.persona_id]) == {"online": []}
    here = lines.open(ben)
    await watching.until(lambda: told(watching, ben) == ["online"])
    await here.do("idle", on=True)
    await watching.until(lambda: told(watching, ben) == ["online", "away"])
    here.session.closed()
    await watching.until(lambda: told(watching, ben) == ["online", "away", "offline"])


async def test_who_was_seen_for_less_than_a_batch_is_told_to_have_gone(
    hub: Community, pair: tuple[Caller, Caller]
) -> None:
    ana, ben = pair
    lines = Lines(hub.node)
    here = lines.open(ben)
    watching = lines.open(ana)
    assert await watching.do("watch", people=[ben.persona_id]) == {"online": [ben.persona_id]}
    here.session.closed()
    await watching.until(lambda: told(watching, ben)[-1:] == ["offline"])


async def test_who_lagged_is_told_of_those_who_went_meanwhile(hub: Community, pair: tuple[Caller, Caller]) -> None:
    ana, ben = pair
    lines = Lines(hub.node)
    here = lines.open(ben)
    watching = lines.open(ana)
    await watching.do("watch", people=[ben.persona_id])
    watching.choke()
    here.session.closed()
    await asyncio.sleep(1.5)  # a batch that it is not told of
    assert told(watching, ben)[-1:] != ["offline"]
    watching.release()
    await watching.until(lambda: told(watching, ben)[-1:] == ["offline"])


async def test_a_new_list_replaces_the_last_one(hub: Community, pair: tuple[Caller, Caller]) -> None:
    ana, ben = pair
    lines = Lines(hub.node)
    watching = lines.open(ana)
    await watching.do("watch", people=[ben.persona_id])
    await watching.do("watch", people=[])
    lines.open(ben)
    await asyncio.sleep(1.5)
    assert told(watching, ben) == []
    watching.session.closed()
    assert not hub.node.tracker._seen_by


async def test_a_connection_that_is_gone_makes_nobody_be_here(hub: Community, pair: tuple[Caller, Caller]) -> None:
    ana, _ = pair
    line = Lines(hub.node).open(ana)
    line.session.closed()
    hub.node.tracker.set_idle(line.session, True)  # a command that was still under way
    assert not hub.node.tracker._devices
    assert not hub.node.tracker._idle


async def test_who_shares_no_group_any_more_is_told_to_have_gone(hub: Community) -> None:
    ana, ben = await hub.members("ana", "ben")
    room = await hub.group(ana, "closed", ben)
    lines = Lines(hub.node)
    here = lines.open(ben)
    watching = lines.open(ana)
    assert await watching.do("watch", people=[ben.persona_id]) == {"online": [ben.persona_id]}
    await groups.delete(hub.node, ana, room)
    await watching.until(lambda: told(watching, ben)[-1:] == ["offline"])
    assert here.closed_with is None, "he is still here, for others"
    assert await watching.do("watch", people=[ben.persona_id]) == {"online": []}


async def test_who_shows_no_presence_is_not_heard_to_type_though_signed_in_before(hub: Community) -> None:
    ana, ben, zoe = await hub.members("ana", "ben", "zoe")
    earlier, room = await hub.group(ana, "closed", ben, zoe), await hub.group(ana, "closed", ben, zoe)
    lines = Lines(hub.node)
    typing, listening, other = lines.open(ana), lines.open(ben), lines.open(zoe)
    for channel in (earlier, room):
        await listening.do("subscribe", channel=channel)
    await typing.do("typing", channel=earlier)
    await me.change_me(hub.node, ana, MeChange(presence="nobody"))
    await typing.do("typing", channel=room)
    await other.do("typing", channel=room)

    def typed() -> list[tuple[int, int]]:
        return [(m["channel"], m["person"]) for m in listening.heard if m.get("signal") == "typing"]

    assert await listening.until(lambda: len(typed()) > 1 and typed()) == [
        (earlier, ana.persona_id),
        (room, zoe.persona_id),
    ]


async def test_who_comes_is_told_though_nobody_can_ask_who_sees_whom(
    hub: Community, pair: tuple[Caller, Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = pair
    lines = Lines(hub.node)
    watching = lines.open(ana)
    assert await watching.do("watch", people=[ben.persona_id]) == {"online": []}

    async def unavailable() -> None:
        raise Unavailable

    monkeypatch.setattr(hub.node.tracker, "_ask", unavailable)
    hub.node.tracker.ask_again(ana.account_id)
    lines.open(ben)
    await watching.until(lambda: told(watching, ben) == ["online"])


async def test_who_hides_while_it_is_asked_who_sees_them_is_hidden_all_the_same(
    hub: Community, pair: tuple[Caller, Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = pair
    lines = Lines(hub.node)
    lines.open(ben)
    watching = lines.open(ana)
    assert await watching.do("watch", people=[ben.persona_id]) == {"online": [ben.persona_id]}
    late = Gate(hub.node.tracker.database.read, answer_late=True)
    with monkeypatch.context() as patch:
        patch.setattr(hub.node.tracker, "database", _Reading(hub.node.tracker.database.read, late))
        hub.node.tracker.ask_again(ben.account_id)
        await late.arrived.wait()  # with an answer that is about to be an old one
    await me.change_me(hub.node, ben, MeChange(presence="nobody"))
    late.open()
    await watching.until(lambda: told(watching, ben)[-1:] == ["offline"])


async def test_who_comes_is_told_while_the_database_thinks_about_who_sees_whom(
    hub: Community, pair: tuple[Caller, Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = pair
    lines = Lines(hub.node)
    watching = lines.open(ana)
    assert await watching.do("watch", people=[ben.persona_id]) == {"online": []}
    endless = Gate(hub.node.tracker.database.read)
    monkeypatch.setattr(hub.node.tracker, "database", _Reading(endless, endless))
    hub.node.tracker.ask_again(ana.account_id)
    await endless.arrived.wait()
    lines.open(ben)
    await watching.until(lambda: told(watching, ben) == ["online"])


async def test_when_a_group_is_gone_rights_are_asked_in_parts_and_what_was_answered_is_not_asked_again(
    hub: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[set[tuple[int, int]]] = []

    def read(connection: sa.Connection, pairs: Collection[tuple[int, int]]) -> dict[int, dict[int, int]]:
        asked.append(set(pairs))
        if len(asked) == 2:
            raise Unavailable
        return read_visible(connection, pairs)

    ana, *others = crowd = await hub.members("ana", "ben", "cleo", "dora", "emil")
    room = await hub.group(ana, "closed", *others)
    lines = Lines(hub.node)
    watching = [lines.open(who) for who in crowd]
    people = [who.persona_id for who in crowd]
    for line in watching:
        await line.do("watch", people=people)
    monkeypatch.setattr(tracker, "PAIRS", 2)
    monkeypatch.setattr(tracker, "read_visible", read)
    await groups.delete(hub.node, ana, room)
    for line in watching:
        await line.until(lambda line=line: told(line, others[1])[-1:] == ["offline"])  # type: ignore[misc]
    assert max(map(len, asked)) <= 5, "one watcher's at a time"
    answered = asked[:1] + asked[2:]
    assert sum(map(len, answered)) == len(set().union(*answered)) == 25


async def test_one_persons_change_asks_about_that_person_alone(hub: Community, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[tuple[int, int]] = set()

    def read(connection: sa.Connection, pairs: Collection[tuple[int, int]]) -> dict[int, dict[int, int]]:
        asked.update(pairs)
        return read_visible(connection, pairs)

    ana, ben, cleo = await hub.members("ana", "ben", "cleo")
    await hub.group(ana, "closed", ben, cleo)
    lines = Lines(hub.node)
    watching, *_ = lines.open(ana), lines.open(ben), lines.open(cleo)
    await watching.do("watch", people=[ben.persona_id, cleo.persona_id])
    await hub.node.tracker.close()  # from here on it asks when told to
    await hub.node.tracker._ask()
    monkeypatch.setattr(tracker, "read_visible", read)
    await me.change_me(hub.node, ben, MeChange(presence="nobody"))
    await hub.node.tracker._ask()
    await watching.until(lambda: told(watching, ben)[-1:] == ["offline"])
    assert asked == {(ana.account_id, ben.persona_id)}
    assert told(watching, cleo)[-1:] != ["offline"]


class _Reading:
    """A database that is read the first time in one way, then in another."""

    def __init__(self, first: Callable[..., Any], then: Callable[..., Any]) -> None:
        self._ways = [then, first]

    async def read(self, work: Callable[..., Any]) -> Any:
        return await (self._ways.pop() if len(self._ways) > 1 else self._ways[0])(work)
