"""Background work is done beside a real node, on both databases."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.community import Community, open_community
from tests.servers import PostgresServer


@pytest.fixture(scope="session")
def shared_url(postgres: PostgresServer) -> Iterator[str]:
    """One PostgreSQL database for all these tests, which each leaves empty: a new one takes a second."""
    name = postgres.create_database()
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
async def hub(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Community]:
    """A hub without members, on each kind of database."""
    lite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'hub.db'}" if lite else request.getfixturevalue("shared_url")
    async with open_community(url, tmp_path) as community:
        yield community
        if not lite:
            await community.empty()
