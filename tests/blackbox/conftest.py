"""A real `hubchat serve` for each module, on the database that it names, and the people in it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from tests.blackbox.hub import Hub
from tests.program import Program, Running

UNLIMITED = {"HUBCHAT_COMMANDS_PER_10S": "0", "HUBCHAT_NEWCOMER_LIMITS": "false"}


@pytest.fixture(scope="module")
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The program with the module's SETTINGS.

    A module runs on PostgreSQL too by `pytestmark = ON_BOTH` of `hub`.
    """
    settings = {**UNLIMITED, **getattr(request.module, "SETTINGS", {})}
    data = tmp_path_factory.mktemp("hub") / "data"
    if getattr(request, "param", "sqlite") == "sqlite":
        yield Program(data, settings)
        return
    server = request.getfixturevalue("postgres")
    name = server.create_database()
    yield Program(data, {"HUBCHAT_DATABASE_URL": server.url(name), **settings})
    server.drop_database(name)


@pytest.fixture(scope="module")
def running(program: Program) -> Iterator[Running]:
    with program.serving() as running:
        yield running


@pytest.fixture
async def hub(program: Program, running: Running) -> AsyncIterator[Hub]:
    async with AsyncExitStack() as stack:
        yield Hub(program, running, stack)
