"""An upgrade of several nodes: the next release migrates, and this one works on beside it until its turn comes.

The next release is this one with a migration more, which adds what releases add: a table, and columns that have a
default.
"""

import asyncio
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

import hubchat
from hubchat.storage.schema import HEAD
from tests.blackbox.client import Client
from tests.program import Program, one_line
from tests.redis_servers import RedisServer
from tests.servers import free_port

NEXT = "9999"
MIGRATION = f'''
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "{NEXT}", "{HEAD}", None, None


def upgrade() -> None:
    op.create_table("novelty", sa.Column("id", sa.BigInteger(), primary_key=True))
    for table in ("account", "persona", "channel", "entry", "membership", "reading", "node", "hub"):
        op.add_column(table, sa.Column("novelty", sa.Integer(), nullable=False, server_default="0"))
'''


@pytest.fixture(scope="module")
def next_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH."""
    folder = tmp_path_factory.mktemp("next")
    code = folder / "hubchat"
    shutil.copytree(Path(hubchat.__file__).parent, code, ignore=shutil.ignore_patterns("static", "*.pyc.*"))
    (code / "storage" / "migrations" / "versions" / f"v{NEXT}_novelty.py").write_text(MIGRATION)
    schema = code / "storage" / "schema.py"
    told = schema.read_text()
    for name, then in (("HEAD", f'"{NEXT}"'), ("SERVES", f'("{HEAD}", HEAD)')):
        told, count = re.subn(rf"^{name}: Final = .*?(?=  #|$)", f"{name}: Final = {then}", told, flags=re.MULTILINE)
        assert count == 1
    schema.write_text(told)
    return folder


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_both_releases_are_one_hub_and_the_former_one_may_be_started_again(
    database_url: str, redis: RedisServer, next_release: Path, tmp_path: Path
) -> None:
    settings = {"HUBCHAT_DATABASE_URL": database_url, "HUBCHAT_REDIS_URL": redis.url}
    former = Program(tmp_path / "data", settings)
    later = Program(tmp_path / "data", {**former.environment, "PYTHONPATH": str(next_release)})
    former.tell("user", "add", "ana")
    key = {"Authorization": f"Bearer {former.tell('token', 'ana')}"}
    room = int(former.tell("group", "add", "lobby", "--title", "L", "--visibility", "public", "--owner", "ana"))
    with former.serving() as old:
        assert _schema(former) == HEAD
        async with Client(old.url, key) as at_old:
            await at_old.subscribe(room)
            await at_old.send(room, "before")
            with later.serving() as new:
                assert _schema(later) == NEXT, "it migrated under the former one's feet"
                async with Client(new.url, key) as at_new:
                    await at_new.subscribe(room)
                    await asyncio.gather(*(one.send(room, "hello") for one in (at_old, at_new) * 10))
                    head = max(at_old.at[room], at_new.at[room])
                    for one in (at_old, at_new):
                        await one.until(lambda one=one: one.at[room] == head)  # type: ignore[misc]
                    group = httpx2.get(f"{old.url}/api/v1/groups/{room}", headers=key)
                    assert group.status_code == 200
                    with former.serving() as again:
                        async with Client(again.url, key) as at_again:
                            await at_again.subscribe(room)
                            await at_again.send(room, "again")
                            await at_new.until(lambda: at_new.at[room] == at_again.at[room])
                for running in (old, new, again):
                    assert "error" not in running.logged, running.logged
    assert "use the one that serves it" in one_line(former.run("backup", str(tmp_path / "copy"), "--plain"))
    later.tell("backup", str(tmp_path / "copy"), "--plain")


def _schema(program: Program) -> str:
    """As its doctor sees it."""
    said = program.run("doctor", "--port", str(free_port())).stdout
    return said.partition("schema ")[2].split()[0]
