"""What the demo refuses to stand on; each refusal is one line, and leaves what it found as it was."""

import sqlite3
from pathlib import Path

import pytest

from hubchat import settings
from hubchat.demo.ground import NotTheDemos, demo_settings, open_demo, open_ground
from hubchat.node import open_node
from hubchat.settings import Settings
from tests.program import Program, one_line
from tests.servers import PostgresServer


def chosen(data: Path, **given: object) -> Settings:
    return settings.load(data=data, **given)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "hub.example.org", "localhost.example.org", ""])
def test_a_host_other_than_loopback_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(NotTheDemos, match="loopback"):
        demo_settings(chosen(tmp_path, host=host))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_loopback_is_taken(tmp_path: Path, host: str) -> None:
    assert demo_settings(chosen(tmp_path, host=host)).data == tmp_path / "demo"


@pytest.mark.parametrize("url", ["https://hub.example.org", "http://192.0.2.7:8000", "http://localhost.example.org"])
def test_an_address_that_is_not_local_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(NotTheDemos, match="HUBCHAT_URL"):
        demo_settings(chosen(tmp_path, url=url))


@pytest.mark.parametrize("url", ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"])
def test_a_local_address_is_taken(tmp_path: Path, url: str) -> None:
    assert demo_settings(chosen(tmp_path, url=url)).url == url


@pytest.mark.usefixtures("as_before")
def test_a_folder_that_it_did_not_make_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "letters").write_text("mine")
    with pytest.raises(NotTheDemos, match="did not make"):
        open_ground(tmp_path / "demo")
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["letters"]


@pytest.mark.usefixtures("as_before")
def test_an_empty_folder_and_its_own_are_taken(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    open_ground(tmp_path / "demo")
    (tmp_path / "demo" / "hubchat.db").touch()
    open_ground(tmp_path / "demo")


@pytest.mark.usefixtures("as_before")
async def test_a_database_of_a_real_hub_is_refused(tmp_path: Path, database_url: str) -> None:
    async with open_node(chosen(tmp_path, database_url=database_url)) as node:
        log_id = node.hub.log_id
    found = demo_settings(chosen(tmp_path, database_url=database_url))
    open_ground(found.data)
    with pytest.raises(NotTheDemos, match="did not make this database"):
        async with open_demo(found):
            raise AssertionError("it was taken")
    async with open_node(chosen(tmp_path, database_url=database_url)) as node:
        assert node.hub.log_id == log_id


@pytest.mark.usefixtures("as_before")
async def test_a_database_with_anybodys_tables_is_refused(tmp_path: Path, postgres: PostgresServer) -> None:
    name = postgres.create_database()
    postgres.execute("CREATE TABLE letters (text text)", name)
    found = demo_settings(chosen(tmp_path, database_url=postgres.url(name)))
    open_ground(found.data)
    with pytest.raises(NotTheDemos, match="did not make this database"):
        async with open_demo(found):
            raise AssertionError("it was taken")
    assert postgres.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", name) == "letters"


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        (["--host", "0.0.0.0"], {}),
        ([], {"HUBCHAT_URL": "https://hub.example.org"}),
        (["--database-url", "sqlite:///{data}/theirs.db"], {}),
    ],
)
def test_the_program_refuses_in_one_line(tmp_path: Path, words: list[str], environment: dict[str, str]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with sqlite3.connect(data / "theirs.db") as connection:
        connection.execute("CREATE TABLE letters (text)")
    connection.close()
    hubchat = Program(data, environment)
    done = hubchat.run("serve", "--demo", "--port", "0", *(word.format(data=data) for word in words))
    assert done.returncode == 1
    assert "demo" in one_line(done)


def test_the_program_refuses_a_folder_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "data" / "demo").mkdir(parents=True)
    (tmp_path / "data" / "demo" / "letters").touch()
    done = Program(tmp_path / "data").run("serve", "--demo", "--port", "0")
    assert done.returncode == 1
    assert "the demo did not make" in one_line(done)


def test_a_running_demo_is_not_forgotten_and_a_stopped_one_is(tmp_path: Path) -> None:
    hubchat = Program(tmp_path / "data")
    with hubchat.serving("--demo") as running:
        done = hubchat.run("demo-reset")
        assert done.returncode == 1
        assert f"kill {running.process.pid}" in one_line(done)
        assert (tmp_path / "data" / "demo" / "hubchat.db").exists()
        assert running.stop() == 0
    assert hubchat.tell("demo-reset") == "The demo community is gone; the next start begins it anew."
    assert list((tmp_path / "data").iterdir()) == []
    assert hubchat.tell("demo-reset") == "There is no demo community."


def test_what_the_demo_did_not_make_is_not_forgotten(tmp_path: Path) -> None:
    (tmp_path / "data" / "demo").mkdir(parents=True)
    (tmp_path / "data" / "demo" / "letters").touch()
    done = Program(tmp_path / "data").run("demo-reset")
    assert done.returncode == 1
    assert "the demo did not make" in one_line(done)
    assert (tmp_path / "data" / "demo" / "letters").exists()
