"""From the start of the process to `/readyz`: on an empty data folder, and on one that is in use."""

import tempfile
import time
from pathlib import Path

from load.hub import Homes, Hub
from load.plan import Note, Plan, Reading


def starts(plan: Plan, note: Note, _homes: Homes) -> None:
    """The first start makes the database."""
    for turn in range(plan.starts):
        with tempfile.TemporaryDirectory(prefix="hubchat-load-") as folder:
            hub = Hub(Path(folder))
            for kind in ("first_s", "again_s"):
                began_s = time.perf_counter()
                with hub.node():
                    took_s = time.perf_counter() - began_s
                note(Reading("starts", "hubchat", turn, values={kind: took_s}))
