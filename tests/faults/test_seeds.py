"""What is promised holds while nodes, servers and lines fail; `make faults` does it for an hour."""

from pathlib import Path

import pytest

from tests.faults.nemesis import Rolling, WithoutRedis
from tests.faults.run import run

SEEDS = (1, 2)
SECONDS = 20.0
LOADED_S = (0.02, 0.1)  # between two messages of a member: some hundred a second of all
SHOWN = ("connections ", "HTTP requests ", "answers: ")
OWN_DOING = {"answers: channel_unknown", "answers: deleted"}  # of who was just removed, or reacts to what is gone


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_lost_doubled_leaked_or_out_of_order(seed: int, tmp_path: Path) -> None:
    verdict = await run(seed, tmp_path, seconds=SECONDS)
    assert verdict.violations == [], verdict.counted
    assert verdict.counted["acknowledged"] > 100, verdict.counted
    for what in ("deletions", "edits", "reactions", "removals", "removals judged for time", "times revoked", "faults"):
        assert verdict.counted[what], (what, verdict.counted, verdict.unjudged)


async def test_it_holds_between_workers_of_one_port_too(tmp_path: Path) -> None:
    verdict = await run(4, tmp_path, seconds=10.0, workers=True)
    assert verdict.violations == [], verdict.counted
    assert verdict.counted["acknowledged"] > 50, verdict.counted
    assert verdict.counted["faults"], verdict.counted


async def test_with_redis_killed_or_hanging_nobody_is_more_than_3_s_behind(tmp_path: Path) -> None:
    verdict = await run(3, tmp_path, seconds=1.0, trouble=WithoutRedis)
    assert verdict.violations == [], verdict.counted
    assert verdict.counted["deliveries while Redis alone was broken"] > 100, verdict.counted


async def test_a_rolling_restart_under_load_costs_members_a_new_connection_and_nothing_else(tmp_path: Path) -> None:
    verdict = await run(0, tmp_path, seconds=1.0, trouble=Rolling, pause_s=LOADED_S)
    assert verdict.violations == [], verdict.counted
    assert verdict.counted["nodes restarted"] >= 3, verdict.counted
    assert verdict.counted["acknowledged"] > 500, verdict.counted
    shown = {what for what in verdict.counted if what.startswith(SHOWN)}
    assert shown - OWN_DOING == {"connections ended by 1012"}, verdict.counted
