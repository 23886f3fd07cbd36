"""Members at a real node on both databases, over lines that are no sockets: turns can be interleaved at will."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.community import Community, open_community
from tests.lines import Lines


@pytest.fixture
async def hub(database_url: str, tmp_path: Path) -> AsyncIterator[Community]:
    """A hub without members."""
    async with open_community(database_url, tmp_path) as community:
        yield community


@pytest.fixture
def lines(hub: Community) -> Lines:
    """Live connections to that hub."""
    return Lines(hub.node)
