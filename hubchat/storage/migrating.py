"""Runs Alembic's revisions, and makes what every hub has. Loaded only where something is missing."""

import secrets
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from hubchat.access import INTERNAL
from hubchat.storage.channels import ACCESS, insert_channel, read_channel
from hubchat.storage.schema import SERVES, SchemaNewer, write_hub
from hubchat.storage.tables import Hub

REVISIONS: Final = str(Path(__file__).parent / "migrations")


def upgrade(connection: sa.Connection) -> None:
    """Migrates, and makes what every hub has."""
    _require_known(MigrationContext.configure(connection).get_current_revision(), "the database")
    make(connection, "head")
    begin(connection)
    write_hub(connection, "serves", " ".join(SERVES))


def make(connection: sa.Connection, revision: str) -> None:
    """Brings the schema to a revision, and nothing more. Raises SchemaNewer for one that is not known here."""
    if revision != "head":
        _require_known(revision, "the copy")
    config = Config()
    config.set_main_option("script_location", REVISIONS)
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def begin(connection: sa.Connection) -> None:
    """Makes what every hub has, where it is missing: the id of its history and the access channel."""
    if read_channel(connection, ACCESS) is None:
        insert_channel(connection, id=ACCESS, kind="access", presets=INTERNAL, title="")
        connection.execute(sa.insert(Hub), {"key": "log", "value": str(1 + secrets.randbelow(2**53 - 1))})


def _require_known(revision: str | None, what: str) -> None:
    known = {script.revision for script in ScriptDirectory(REVISIONS).walk_revisions()}
    if revision is not None and revision not in known:
        raise SchemaNewer(f"{what} has schema {revision}, which is newer than this hubchat: install the newer one")
