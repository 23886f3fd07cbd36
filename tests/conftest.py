"""What every test may use: empty databases of both kinds, and the real files from outside."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import PostgresServer

TESTS = Path(__file__).resolve().parent
CORPUS = TESTS.parents[1] / "shared" / "data"
LONG = (
    "faults/test_seeds.py",
    "flows/test_serve.py",
    "channels/test_rules.py",
    "blackbox/test_cli.py",
    "flows/test_workers.py",
    "nodes/test_upgrade.py",
    "flows/test_crash.py",
    "blackbox/test_patience.py",
    "blackbox/test_restarting.py",
)
"""Files of half a minute and more, the longest first: one begun last would be waited for alone."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this machine or this run has nothing for, so that a run without them is green."""
    absent = {name for name in ("conformance", "pictures") if name not in config.getoption("markexpr")}
    if not CORPUS.is_dir():
        absent.add("corpus")
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        (left_out if any(map(item.get_closest_marker, absent)) else kept).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = sorted(kept, key=_turn)


def _turn(item: pytest.Item) -> int:
    file = item.path.relative_to(TESTS).as_posix()
    return LONG.index(file) if file in LONG else len(LONG)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real files from outside; a test that asks for it carries the marker `corpus`."""
    return CORPUS


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One running PostgreSQL for all tests of this process."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def shared_url(postgres: PostgresServer) -> Iterator[str]:
    """One PostgreSQL database for tests that each leave it empty: a new one takes a second."""
    name = postgres.create_database()
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a new, empty database, as HUBCHAT_DATABASE_URL takes it; once of each kind.

    A test of one kind alone says `@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)`.
    """
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'hub.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.create_database()
    yield server.url(name)
    server.drop_database(name)
