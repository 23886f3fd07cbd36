"""What a node has done since its start, for whoever watches it: sums alone, of nobody and no channel (law 8)."""

from dataclasses import dataclass, field
from typing import Final

from prometheus_client import Histogram

COMMIT_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
BATCH: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def _commit_s() -> Histogram:
    return Histogram("hubchat_commit_seconds", "a group commit, from its start", buckets=COMMIT_S, registry=None)


def _index_s() -> Histogram:
    return Histogram("hubchat_search_batch_seconds", "a step of the index of texts", buckets=COMMIT_S, registry=None)


def _commit_items() -> Histogram:
    return Histogram("hubchat_commit_items", "messages and changes that shared a commit", buckets=BATCH, registry=None)


@dataclass(slots=True)
class Counts:
    """`deliveries` counts each entry once a reader, `writes` what they went out in; `refused_…` what was not taken
    because a queue was full, `index_behind` entries that the index of texts has not seen."""

    deliveries: int = 0
    writes: int = 0
    gaps: int = 0
    repairs: int = 0
    refused_log: int = 0
    refused_held: int = 0
    index_behind: int = 0
    commit_s: Histogram = field(default_factory=_commit_s)
    commit_items: Histogram = field(default_factory=_commit_items)
    index_s: Histogram = field(default_factory=_index_s)
