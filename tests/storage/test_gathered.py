"""Reads that go together: who gets what, when some give up and some fail."""

import asyncio
from collections.abc import Iterable

import pytest
import sqlalchemy as sa

from hubchat.errors import HubError
from hubchat.storage import gathered
from hubchat.storage.gathered import Gathered
from tests.community import Community


class Squares:
    """What a read finds, and which keys each one was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.fails = False

    def __call__(self, _connection: sa.Connection, keys: Iterable[int]) -> dict[int, int]:
        self.asked.append(list(keys))
        if self.fails:
            raise HubError("database_unavailable")
        return {key: key * key for key in self.asked[-1] if key}


@pytest.fixture
def squares() -> Squares:
    return Squares()


async def test_what_is_asked_in_one_turn_is_read_at_once(hub: Community, squares: Squares) -> None:
    reads = Gathered(hub.node.database, squares)
    assert await asyncio.gather(*(reads.get(key) for key in (3, 4, 3, 0))) == [9, 16, 9, None]
    assert squares.asked == [[3, 4, 0]]


async def test_what_is_asked_while_a_read_is_under_way_is_read_after_it(hub: Community, squares: Squares) -> None:
    reads = Gathered(hub.node.database, squares)
    first = asyncio.create_task(reads.get(3))
    while not squares.asked:
        await asyncio.sleep(0)
    assert not first.done()
    assert [await first, await reads.get(3)] == [9, 9]
    assert squares.asked == [[3], [3]]


async def test_who_gives_up_takes_no_other_s_answer_away(hub: Community, squares: Squares) -> None:
    reads = Gathered(hub.node.database, squares)
    patient, hasty = (asyncio.create_task(reads.get(3)) for _ in range(2))
    await asyncio.sleep(0)
    hasty.cancel()
    assert await patient == 9
    assert hasty.cancelled()


async def test_a_read_that_fails_is_told_to_all_who_wait_and_the_next_one_is_another(
    hub: Community, squares: Squares
) -> None:
    reads = Gathered(hub.node.database, squares)
    squares.fails = True
    told = await asyncio.gather(*(reads.get(key) for key in (3, 4)), return_exceptions=True)
    assert [isinstance(one, HubError) and one.reason for one in told] == ["database_unavailable"] * 2
    squares.fails = False
    assert await reads.get(3) == 9


async def test_more_than_may_wait_are_told_to_come_later(
    hub: Community, squares: Squares, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathered, "WAITING", 2)
    reads = Gathered(hub.node.database, squares)
    told = await asyncio.gather(*(reads.get(key) for key in (1, 2, 3)), return_exceptions=True)
    assert told[:2] == [1, 4]
    assert isinstance(told[2], HubError)
    assert told[2].reason == "overloaded"
