"""What operators are told of a database: how it is, without changing it, and why it can't be had.

`look` needs no table to be there.
"""

from pathlib import Path
from typing import Final, NamedTuple

import sqlalchemy as sa

from hubchat.errors import HubError
from hubchat.storage.database import CLOCK_MS, Unavailable
from hubchat.storage.indexing import read_behind
from hubchat.storage.postgres import ENCODING, FORBIDDEN, NO_TLS, TLS_BROKEN, UNTRUSTED
from hubchat.storage.schema import is_current

NONE: Final = "none"


ADVICE: Final = (
    (
        "SQLITE_NOTADB",
        "hubchat.db is damaged, or something else",
        "move it away, or put a copy of the hub's in its place",
    ),
    ("SQLITE_CORRUPT", "hubchat.db is damaged", "stop the hub, and put a copy in its place"),
    ("SQLITE_BUSY", "another program holds hubchat.db", "end that: a backup, or an sqlite3 shell in a transaction"),
    ("SQLITE_FULL", "the disk is full", "make room"),
    ("SQLITE_", "hubchat.db can't be opened or written", "give it to the user that runs the hub, to read and write"),
    (
        "28",
        "PostgreSQL does not let this user in",
        "see the user and password in HUBCHAT_DATABASE_URL, and pg_hba.conf",
    ),
    ("3D", "PostgreSQL has no such database", "make it (createdb), or see its name in HUBCHAT_DATABASE_URL"),
    (FORBIDDEN, "this user may not write in the database", "make the user its owner: ALTER DATABASE ... OWNER TO ..."),
    (
        "25",
        "PostgreSQL is read-only",
        "name the server that is written to in HUBCHAT_DATABASE_URL, or see default_transaction_read_only",
    ),
    (
        ENCODING,
        "the database's encoding is not UTF8, so it can't keep what members write",
        "make another: createdb --encoding UTF8 --template template0",
    ),
    ("53", "PostgreSQL has no room, or no connection left", "see its disk, its memory and max_connections"),
    (
        NO_TLS,
        "PostgreSQL speaks no TLS, which sslmode in HUBCHAT_DATABASE_URL asks for",
        "switch it on there (ssl = on), or leave sslmode out where the line is safe",
    ),
    (
        UNTRUSTED,
        "PostgreSQL's certificate is none that sslrootcert vouches for, or is another host's",
        "see sslrootcert and the host in HUBCHAT_DATABASE_URL",
    ),
    (TLS_BROKEN, "PostgreSQL and this hub find no TLS that suits both", "see its log, and sslcert and sslkey"),
    ("", "the database can't be reached", "see that it runs, and the host and port in HUBCHAT_DATABASE_URL"),
)
"""How a cause begins, what it means, what to do; the first that fits."""


class Look(NamedTuple):
    """A database that answers: its time (ms), the schema it has, and whether this hubchat can work on that one;
    how many entries the index of texts has not seen; and whether it can't be written to."""

    now_ms: int
    schema: str
    is_known: bool
    unindexed: int = 0
    is_read_only: bool = False


def explain(error: HubError) -> tuple[str, str]:
    """What is wrong with a database that can't be had, and what to do."""
    found = error.cause if isinstance(error, Unavailable) else ""
    return next((said, todo) for cause, said, todo in ADVICE if found.startswith(cause))


def look(connection: sa.Connection) -> Look:
    """Raises nothing of its own; `schema` is `none` where no hub was started on it yet."""
    from alembic.migration import MigrationContext  # as in schema.py: a start can do without Alembic
    from alembic.script import ScriptDirectory

    found = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory(str(Path(__file__).parent / "migrations")).walk_revisions()}
    is_known = found is None or found in known or is_current(connection)
    now = connection.execute(sa.text(f"SELECT {CLOCK_MS[connection.dialect.name]}")).scalar_one()
    behind = read_behind(connection) if sa.inspect(connection).has_table("fulltext_at") else {}
    return Look(now, found or NONE, is_known, sum(behind.values()), _is_read_only(connection))


def _is_read_only(connection: sa.Connection) -> bool:
    """Whether PostgreSQL is a standby, or set so. Of SQLite the file's rights tell."""
    if connection.dialect.name != "postgresql":
        return False
    return bool(connection.execute(sa.text("SHOW transaction_read_only")).scalar_one() == "on")
