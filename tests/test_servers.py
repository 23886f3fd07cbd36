"""The test servers themselves: what other tests stand on."""

import select
import sqlite3
import subprocess
from pathlib import Path

from tests.servers import PostgresServer, postgres_programs


def test_each_test_gets_an_empty_database_of_its_kind(database_url: str, postgres: PostgresServer) -> None:
    kind, _, place = database_url.partition("://")
    if kind == "sqlite":
        with sqlite3.connect(place.removeprefix("/")) as connection:
            tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        connection.close()
    else:
        count = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        tables = int(postgres.execute(count, place.rpartition("/")[2]))
    assert tables == 0


def test_a_copy_of_a_template_holds_what_the_template_held(postgres: PostgresServer) -> None:
    template = postgres.create_database()
    postgres.execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('här')", template)
    copy = postgres.create_database(template)
    assert postgres.execute("SELECT word FROM kept", copy) == "här"
    for name in (copy, template):
        postgres.drop_database(name)


def test_what_was_committed_outlives_a_crash_of_the_server() -> None:
    with PostgresServer() as server:
        name = server.create_database()
        server.execute("CREATE TABLE kept AS SELECT 7 AS number", name)
        server.crash()
        server.start()
        assert server.execute("SELECT number FROM kept", name) == "7"


def test_a_crash_leaves_no_process_of_the_server_that_could_still_write() -> None:
    with PostgresServer() as server:
        asking = "SELECT pid FROM pg_stat_activity UNION SELECT pg_backend_pid()"
        pids = [int(pid) for pid in server.execute(asking).split()]
        assert len(pids) > 2, "the server has processes beside its first"
        server.crash()
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists() and "Z" not in _state(pid)]


def test_a_server_that_hangs_says_nothing_to_whom_it_knew_either_and_goes_on_where_it_was() -> None:
    with PostgresServer() as server:
        command = [str(postgres_programs() / "psql"), "-XqAt", server.url("postgres")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as known:
            assert known.stdin is not None
            assert known.stdout is not None
            print("SELECT 1;", file=known.stdin, flush=True)
            assert known.stdout.readline() == "1\n"
            server.hang()
            print("SELECT 2;", file=known.stdin, flush=True)
            assert select.select([known.stdout], [], [], 0.5)[0] == []
            server.go_on()
            assert known.stdout.readline() == "2\n"
            known.stdin.close()


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
