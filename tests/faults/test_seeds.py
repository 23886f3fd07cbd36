"""What is promised holds while nodes, servers and lines fail; `make faults` does it for an hour."""

from pathlib import Path

import pytest

from tests.faults.run import run

SEEDS = (1, 2, 3)
SECONDS = 25.0


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_lost_doubled_leaked_or_out_of_order(seed: int, tmp_path: Path) -> None:
    verdict = await run(seed, tmp_path, seconds=SECONDS)
    assert verdict.violations == [], verdict.counted
    assert verdict.counted["acknowledged"] > 100, verdict.counted
    assert verdict.counted["faults"] > 5, verdict.counted
