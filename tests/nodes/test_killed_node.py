"""What a node that is killed leaves behind, as members of another one see it."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.blackbox.client import Client
from tests.program import Program
from tests.redis_servers import RedisServer
from tests.waiting import until

OFFLINE_S = 10.0


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_node_that_is_killed_takes_its_presences_with_it_within_10_s(
    database_url: str, redis: RedisServer, tmp_path: Path
) -> None:
    program = Program(tmp_path / "data", {"HUBCHAT_DATABASE_URL": database_url, "HUBCHAT_REDIS_URL": redis.url})
    keys = {}
    for handle in ("ana", "ben"):
        program.tell("user", "add", handle)
        keys[handle] = {"Authorization": f"Bearer {program.tell('token', handle)}"}
    room = int(program.tell("group", "add", "lobby", "--title", "L", "--visibility", "public", "--owner", "ana"))
    with program.serving() as one, program.serving() as two:
        async with httpx2.AsyncClient(headers=keys["ben"]) as http:
            (await http.post(f"{two.url}/api/v1/groups/{room}/join", json={})).raise_for_status()
        async with Client(two.url, keys["ben"]) as watcher, Client(one.url, keys["ana"], resume=False) as ana:
            who = ana.welcome["user"]["id"]

            def heard(state: str) -> bool:
                told = [frame["people"] for frame in watcher.heard if frame.get("signal") == "presence"]
                return {str(who): state} in told

            if who not in (await watcher.do("watch", people=[who]))["online"]:
                await until(lambda: heard("online"), OFFLINE_S)
            assert not heard("offline")
            one.process.kill()
            await until(lambda: heard("offline"), OFFLINE_S)
