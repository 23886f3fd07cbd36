"""What `hubchat doctor` asks a database: it changes nothing, and needs no table to be there."""

from pathlib import Path
from typing import Final, NamedTuple

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

NONE: Final = "none"


class Look(NamedTuple):
    """A database that answers: its time (ms), the schema it has, and whether this hubchat knows that one."""

    now_ms: int
    schema: str
    is_known: bool


def look(connection: sa.Connection) -> Look:
    """Raises nothing of its own; `schema` is `none` where no hub was started on it yet."""
    found = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory(str(Path(__file__).parent / "migrations")).walk_revisions()}
    return Look(_now_ms(connection), found or NONE, found is None or found in known)


def _now_ms(connection: sa.Connection) -> int:
    told = "extract(epoch FROM clock_timestamp()) * 1000"
    if connection.dialect.name == "sqlite":
        told = "(julianday('now') - 2440587.5) * 86400000"  # unixepoch('subsec') is from 2023 on (3.42)
    return int(connection.execute(sa.text(f"SELECT {told}")).scalar_one())
