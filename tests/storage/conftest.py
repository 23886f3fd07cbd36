"""Queries are tried on a migrated database of each kind, with members made by the same verbs as everywhere."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.community import Community, open_community


@pytest.fixture
async def hub(database_url: str, tmp_path: Path) -> AsyncIterator[Community]:
    """A hub without members."""
    async with open_community(database_url, tmp_path) as community:
        yield community
