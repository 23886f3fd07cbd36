"""`make faults SEEDS="1 2 3"`: long runs, an hour of them unless said, and a summary.

Every fourth seed has three workers of one parent in place of three nodes.
"""

import asyncio
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from tests.faults.nemesis import Nemesis
from tests.faults.run import Verdict, run

SECONDS: Final = 150.0
RUNS: Final = 20
SHOWN: Final = 20  # violations of a run
PEAKS: Final = frozenset({"ms that the harness stood still at most", "ms that these took at most"})
"""What is counted and does not add up over runs."""


def main() -> int:
    """Runs the seeds that are named, or new ones; 1 when a promise was broken in any."""
    seeds = [int(word) for word in sys.argv[1:]] or [random.randrange(1_000_000) for _ in range(RUNS)]
    broken = 0
    totals: Counter[str] = Counter()
    try:
        for seed in seeds:
            verdict = _judged(seed)
            broken += bool(verdict.violations)
            for what, count in verdict.counted.items():
                totals[what] = max(totals[what], count) if what in PEAKS else totals[what] + count
    finally:
        print(f"{len(seeds)} seeds, {broken} with violations; in all: {_told(totals)}", flush=True)
    return min(broken, 1)


def _judged(seed: int) -> Verdict:
    """Runs a seed, and prints what it found."""
    folder = Path(tempfile.mkdtemp(prefix="hubchat-faults-"))
    hostile = partial(Nemesis, is_long=True)
    try:
        verdict = asyncio.run(run(seed, folder, seconds=SECONDS, trouble=hostile, workers=seed % 4 == 0))
    except Exception as error:  # noqa: BLE001  # the edge of a run: shown, a violation, and the next one has its turn
        traceback.print_exc()
        verdict = Verdict([f"the run ended: {error!r}"], [], {})
    print(f"seed {seed}: {len(verdict.violations)} violations; {_told(verdict.counted)}", flush=True)
    for line in verdict.violations[:SHOWN]:
        print(f"  {line}", flush=True)
    for line in verdict.unjudged:
        print(f"  not judged for time: {line}", flush=True)
    if verdict.violations:
        print(f"  the nodes' logs are in {folder}", flush=True)
    else:
        shutil.rmtree(folder)
    return verdict


def _told(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counted.items())


if __name__ == "__main__":
    sys.exit(main())
