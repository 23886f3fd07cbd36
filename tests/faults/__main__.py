"""`make faults SEEDS="1 2 3"`: long runs, an hour of them unless said, and a summary.

Every fourth seed has three workers of one parent in place of three nodes.
"""

import asyncio
import random
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

from tests.faults.nemesis import Nemesis
from tests.faults.run import run

SECONDS: Final = 150.0
RUNS: Final = 20


def main() -> int:
    """Runs the seeds that are named, or new ones; 1 when a promise was broken in any."""
    seeds = [int(word) for word in sys.argv[1:]] or [random.randrange(1_000_000) for _ in range(RUNS)]
    broken = 0
    for seed in seeds:
        folder = Path(tempfile.mkdtemp(prefix="hubchat-faults-"))
        hostile = partial(Nemesis, is_long=True)
        verdict = asyncio.run(run(seed, folder, seconds=SECONDS, trouble=hostile, workers=seed % 4 == 0))
        told = ", ".join(f"{count:,} {what}" for what, count in verdict.counted.items())
        print(f"seed {seed}: {len(verdict.violations)} violations; {told}", flush=True)
        for line in verdict.violations[:20]:
            print(f"  {line}", flush=True)
        if verdict.violations:
            broken += 1
            print(f"  the nodes' logs are in {folder}", flush=True)
        else:
            shutil.rmtree(folder)
    print(f"{len(seeds)} seeds, {broken} with violations")
    return min(broken, 1)


if __name__ == "__main__":
    sys.exit(main())
