"""Background work is done beside a real node, on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.community import Community, open_community


@pytest.fixture
async def hub(database_url: str, tmp_path: Path) -> AsyncIterator[Community]:
    """A hub without members."""
    async with open_community(database_url, tmp_path) as community:
        yield community
