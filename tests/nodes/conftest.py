"""Two nodes of one hub, on both databases, with a real Redis between them."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from hubchat.channels import redis_bus
from hubchat.node import Node
from tests.community import Community, open_community
from tests.lines import WAIT_S, Lines
from tests.redis_servers import RedisServer
from tests.waiting import until


class Here(NamedTuple):
    """One node: its verbs and its connections."""

    hub: Community
    lines: Lines

    @property
    def node(self) -> Node:
        return self.hub.node


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
async def nodes(
    database_url: str,
    tmp_path: Path,
    redis: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> AsyncIterator[tuple[Here, Here]]:
    """Two nodes that know of each other, rely on the bus, and have no fault to log."""
    monkeypatch.setattr(redis_bus, "DOUBT_S", 1.5)
    async with AsyncExitStack() as stack:
        made = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            community = open_community(database_url, tmp_path / name, redis_url=redis.url)
            hub = await stack.enter_async_context(community)
            made.append(Here(hub, Lines(hub.node)))
        for here in made:
            await until(lambda here=here: here.node.hub.bus.is_ok, WAIT_S)  # type: ignore[misc]
        yield made[0], made[1]
    faults = [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert not faults, "what SQL makes good for hides it"
