"""Verbs are tried on a real node, on both databases, without sockets."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.community import Community, open_community


@pytest.fixture(params=["sqlite", "postgresql"])
async def hub(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Community]:
    """A hub without members, on each kind of database."""
    lite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'hub.db'}" if lite else request.getfixturevalue("shared_url")
    async with open_community(url, tmp_path) as community:
        yield community
        if not lite:
            await community.empty()
