"""Who is told that others come and go; over lines that are no sockets."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

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
