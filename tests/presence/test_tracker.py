"""Who is told that others come and go; over lines that are no sockets."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hubchat.actions import groups, me
from hubchat.actions.me import MeChange
from hubchat.storage.database import Unavailable
from hubchat.storage.sessions import Caller
from tests.community import Community, open_community
from tests.lines import Line, Lines


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
    assert not hub.node.tracker._active


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
