"""Every kind of job, and what is done for it."""

from collections.abc import Mapping
from typing import Final

from hubchat.jobs import erasing, retention
from hubchat.jobs.queue import Kind

DAY_MS: Final = 86_400_000
KINDS: Final[Mapping[str, Kind]] = {
    "erase": Kind(erasing.erase),
    "retention": Kind(retention.expire, every_ms=DAY_MS),
}
