"""The test servers themselves: what other tests stand on."""

import sqlite3

from tests.servers import PostgresServer


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
