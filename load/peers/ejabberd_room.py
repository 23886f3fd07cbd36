"""ejabberd's rooms with their archive in PostgreSQL, Debian's: ejabberd/ejabberd.yml, started by us and thrown away."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from load.compiler import CannotMeasureError
from load.peers.settings import filled
from load.servers import Server, running
from tests.servers import PostgresServer, free_port

PACKAGES = ("ejabberd", "erlang-p1-pgsql")
SCHEMA = Path("/usr/share/ejabberd/sql/pg.sql")
# One scheduler of each kind, which sleeps when there is nothing to do: spinning would be counted as work.
EMULATOR = ["+S", "1:1", "+SDcpu", "1:1", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none", "+Q", "65536"]


def libraries() -> Path:
    """The folder of Erlang libraries that has ejabberd; raises CannotMeasureError where one is missing."""
    found = next(Path("/usr/lib").glob("*/ejabberd-*/ebin/ejabberd.app"), None)
    driver = next(Path("/usr/lib/erlang/lib").glob("p1_pgsql-*/ebin/p1_pgsql.app"), None)
    if not (found and driver and SCHEMA.exists() and shutil.which("erl")):
        raise CannotMeasureError(
            f"ejabberd with PostgreSQL is not installed (Debian: apt-get install {' '.join(PACKAGES)})"
        )
    return found.parents[2]


@contextmanager
def ejabberd() -> Iterator[Server]:
    """Without Erlang's distribution, so that it listens nowhere but on its port."""
    port = free_port()
    with (
        PostgresServer(durable=True) as database,
        tempfile.TemporaryDirectory(prefix="hubchat-load-") as folder,
    ):
        name = database.create_database()
        database.execute(SCHEMA.read_text(), name)
        home = Path(folder)
        values = {"PORT": str(port), "DATABASE_PORT": str(database.port), "DATABASE": name}
        environment = {
            "HOME": folder,
            "ERL_LIBS": str(libraries()),
            "ERL_CRASH_DUMP_SECONDS": "0",
            "EJABBERD_CONFIG_PATH": str(filled("ejabberd/ejabberd.yml", home, **values)),
            "EJABBERD_LOG_PATH": str(home / "ejabberd.log"),
        }
        command = [_erlang(), "-noinput", *EMULATOR, "-mnesia", "dir", f'"{folder}/mnesia"', "-s", "ejabberd"]
        with running(command, port, environment=environment, log=home / "log") as server:
            yield server


def _erlang() -> str:
    return shutil.which("erl") or "erl"
