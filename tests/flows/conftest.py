"""Stories of two or three members over real sockets, on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.serving import Served, serve


@pytest.fixture
async def hub(database_url: str, tmp_path: Path) -> AsyncIterator[Served]:
    """A running hub without members."""
    async with serve(database_url, tmp_path) as served:
        yield served
