"""What is told of the pauses of the event loop."""

import asyncio
import time

from hubchat.gateway.keeper import Keeper
from hubchat.gateway.pauses import WINDOW_S, Pauses


def test_the_longest_pause_is_told_for_one_window_at_least_and_two_at_most() -> None:
    pauses = Pauses()
    pauses.note(1_000.0, 0.25)
    pauses.note(1_000.1, 0.125)
    assert pauses.longest_s == 0.25
    pauses.note(1_000.0 + WINDOW_S, 0.5)
    assert pauses.longest_s == 0.5
    pauses.note(1_000.0 + 2 * WINDOW_S, 0.0)
    assert pauses.longest_s == 0.5
    pauses.note(1_000.0 + 3 * WINDOW_S, 0.0)
    assert pauses.longest_s == 0.0


def test_a_loop_that_never_waits_has_no_pause() -> None:
    pauses = Pauses()
    pauses.note(1.0, -0.001)
    assert pauses.longest_s == 0.0


async def test_whoever_holds_up_the_loop_is_seen() -> None:
    keeper = Keeper(round_s=0.05)
    keeper.open()
    try:
        await asyncio.sleep(0.01)
        time.sleep(0.3)  # noqa: ASYNC251  # what nobody should do
        await asyncio.sleep(0.01)
        assert keeper.pauses.longest_s > 0.25
    finally:
        keeper.close()
