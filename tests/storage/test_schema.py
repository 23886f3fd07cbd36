"""The schema is brought up to date once, whoever starts at the same time, and a newer one is left alone."""

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlmodel import SQLModel

from hubchat.storage import tables
from hubchat.storage.copies import SchemaOther, begin_copy
from hubchat.storage.looks import look
from hubchat.storage.migrating import REVISIONS
from hubchat.storage.opening import open_database
from hubchat.storage.schema import HEAD, SchemaNewer, is_current, migrate, read_hub, write_hub


def test_the_newest_revision_is_the_one_that_starts_look_for() -> None:
    assert ScriptDirectory(REVISIONS).get_current_head() == HEAD


async def test_nodes_that_start_together_migrate_once(database_url: str, tmp_path: Path) -> None:
    nodes = [open_database(database_url, tmp_path) for _ in range(4)]
    assert not await nodes[0].read(is_current)
    await asyncio.gather(*(migrate(node) for node in nodes))
    logs = {await node.read(lambda connection: read_hub(connection, "log")) for node in nodes}
    assert len(logs) == 1
    assert all([await node.read(is_current) for node in nodes])
    for node in nodes:
        await node.close()


@pytest.mark.filterwarnings("ignore:.*expression-based index")  # persona_likeness, which neither can reflect
async def test_what_the_migrations_make_is_what_the_tables_say(database_url: str, tmp_path: Path) -> None:
    database = open_database(database_url, tmp_path)
    await migrate(database)
    beside = {f"entry_{part}" for part in range(16)}  # and the index of texts, which is made by hand

    def compare(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_name": lambda name, kind, _: (
                    not (kind == "table" and (name in beside or (name or "").startswith("fulltext")))
                )
            },
        )
        return list(compare_metadata(context, SQLModel.metadata))

    assert await database.read(compare) == []
    assert tables.EntryRow.__tablename__ == "entry"
    await database.close()


async def test_a_newer_schema_that_serves_this_release_is_worked_on(database_url: str, tmp_path: Path) -> None:
    database = open_database(database_url, tmp_path)
    await migrate(database)
    newer = sa.text("UPDATE alembic_version SET version_num = '9999'")
    await database.write(lambda connection: connection.execute(newer).rowcount)
    await database.write(lambda connection: write_hub(connection, "serves", f"{HEAD} 9999"))
    await migrate(database)
    assert (await database.read(look)).is_known
    with pytest.raises(SchemaOther, match="9999"):
        await database.read(begin_copy)
    await database.close()


async def test_a_newer_schema_is_refused_and_left_as_it_is(database_url: str, tmp_path: Path) -> None:
    database = open_database(database_url, tmp_path)
    await migrate(database)
    newer = sa.text("UPDATE alembic_version SET version_num = '9999'")
    await database.write(lambda connection: connection.execute(newer).rowcount)
    await database.write(lambda connection: write_hub(connection, "serves", "9998 9999"))
    with pytest.raises(SchemaNewer, match="9999"):
        await migrate(database)
    at = sa.text("SELECT version_num FROM alembic_version")
    assert await database.read(lambda connection: connection.execute(at).scalar()) == "9999"
    await database.close()
