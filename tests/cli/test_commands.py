"""What commands print, and how they say what can't be done."""

import gc
import io
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from hubchat import __version__
from tests.cli.conftest import Call


def asked(data: Path, query: str) -> list[tuple[object, ...]]:
    """Rows of the hub's database."""
    with sqlite3.connect(data / "hubchat.db") as connection:
        rows = connection.execute(query).fetchall()
    connection.close()
    return rows


def test_an_account_is_made_and_its_id_printed_alone(hubchat: Call, data: Path) -> None:
    told = hubchat("user", "add", "ana", "--email", "ana@example.org", "--role", "moderator", "--name", "Ana Sousa")
    assert (told.code, told.err) == (0, f"hubchat: no hub was in {data}; a new one is begun there, on SQLite\n")
    made = asked(
        data, "SELECT persona.id, name, role, email, trusted FROM persona JOIN account ON account.id = account_id"
    )
    assert made == [(int(told.out), "Ana Sousa", "moderator", "ana@example.org", 1)]


def test_a_password_is_read_from_standard_input_and_never_kept_as_it_is(hubchat: Call, data: Path) -> None:
    hubchat("user", "add", "ana", "--password-stdin", said="seven-otters\n")
    ((first,),) = asked(data, "SELECT secret FROM credential WHERE kind = 'password'")
    assert str(first).startswith("$argon2id$")
    assert hubchat("user", "password", "ana", said="eight-otters\n") == (0, "", "")
    ((second,),) = asked(data, "SELECT secret FROM credential WHERE kind = 'password'")
    assert second != first


def test_without_a_password_there_is_none(hubchat: Call, data: Path) -> None:
    hubchat("user", "add", "ana")
    assert asked(data, "SELECT count(*) FROM credential") == [(0,)]


def test_a_token_is_printed_alone_with_the_scopes_asked_for(hubchat: Call, data: Path) -> None:
    hubchat("user", "add", "ana")
    told = hubchat("token", "ana", "--name", "a script", "--scopes", "write,read")
    assert (told.code, told.err, len(told.out.split())) == (0, "", 1)
    assert told.out.startswith("hct_")
    assert asked(data, "SELECT name, scopes FROM token") == [("a script", "read write")]
    assert told.out.strip() not in str(asked(data, "SELECT * FROM token"))


NEED_A_HUB = [
    "user password ana",
    "user link ana",
    "token ana",
    "group add lobby --title Lobby --visibility open",
    "say lobby Hi --as ana",
    "reindex",
]


@pytest.mark.parametrize("words", NEED_A_HUB)
def test_a_command_where_no_hub_is_says_so_and_makes_none(hubchat: Call, data: Path, words: str) -> None:
    told = hubchat(*words.split(), said="seven-otters-in-the-rain\n")
    assert (told.code, told.out, told.err.count("\n")) == (1, "", 1)
    assert told.err.startswith(f"hubchat: there is no hub in {data}; name its folder by --data or HUBCHAT_DATA")
    assert not data.exists()
    hubchat("user", "add", "ana")
    assert "there is no hub" not in hubchat(*words.split(), said="seven-otters-in-the-rain\n").err


def test_only_the_first_account_begins_a_hub(hubchat: Call) -> None:
    assert "a new one is begun" in hubchat("user", "add", "ana").err
    assert hubchat("user", "add", "ben").err == ""


def test_a_group_is_made_and_its_id_printed_alone(hubchat: Call, data: Path) -> None:
    hubchat("user", "add", "ana")
    told = hubchat("group", "add", "lobby", "--title", "Lobby", "--visibility", "closed", "--owner", "ana")
    assert (told.code, told.err) == (0, "")
    assert asked(data, "SELECT slug, title, joining FROM channel WHERE id = " + told.out) == [
        ("lobby", "Lobby", "request")
    ]
    assert asked(data, "SELECT role FROM membership WHERE access_id = " + told.out) == [("owner",)]


def test_an_open_group_may_belong_to_nobody(hubchat: Call, data: Path) -> None:
    hubchat("user", "add", "ana")
    told = hubchat("group", "add", "lobby", "--title", "Lobby", "--visibility", "public")
    assert asked(data, "SELECT count(*) FROM membership WHERE access_id = " + told.out) == [(0,)]


def test_a_message_is_sent_by_slug_and_by_id_and_from_standard_input(hubchat: Call, data: Path) -> None:
    hubchat("user", "add", "ana")
    group = hubchat("group", "add", "lobby", "--title", "Lobby", "--visibility", "open", "--owner", "ana").out.strip()
    assert hubchat("say", "lobby", "one", "--as", "ana") == (0, "1\n", "")
    assert hubchat("say", group, "two", "--as", "ana") == (0, "2\n", "")
    assert hubchat("say", "lobby", "-", "--as", "ana", said="three\nlines\n") == (0, "3\n", "")
    texts = asked(data, "SELECT text FROM entry WHERE kind = 'message' ORDER BY seq")
    assert texts == [("one",), ("two",), ("three\nlines",)]


def test_saying_something_needs_the_right_to(hubchat: Call) -> None:
    for handle in ("ana", "ben"):
        hubchat("user", "add", handle)
    hubchat("group", "add", "lobby", "--title", "Lobby", "--visibility", "open", "--owner", "ana")
    assert hubchat("say", "lobby", "hello", "--as", "ana").code == 0
    told = hubchat("say", "lobby", "hello", "--as", "ben")
    assert (told.code, told.out) == (1, "")
    assert "not_allowed" in told.err


def test_a_link_to_sign_in_leads_to_the_port_that_is_served(hubchat: Call) -> None:
    hubchat("user", "add", "ana")
    assert hubchat("user", "link", "ana").out.startswith("http://localhost:8000/sign-in#")
    assert hubchat("user", "link", "ana", "--port", "8001").out.startswith("http://localhost:8001/sign-in#")


REFUSED = [
    (1, "user add ana", "handle_taken"),
    (1, "user add Ana!", "handle"),
    (1, "user add ben --email nowhere", "email"),
    (1, "user password ben", "@ben"),
    (1, "user password ana", "password"),
    (2, "user link ana --port 99999", "--port"),
    (2, "user link ana --port 0", "--port"),
    (1, "user link nobody", "@nobody"),
    (1, "token nobody", "@nobody"),
    (1, "say lobby Hi --as ana", "channel_unknown"),
    (1, "group add a --title T --visibility public", "slug"),
    (1, "group add lobby --title T --visibility public --owner nobody", "@nobody"),
    (2, "group add lobby --title T --visibility closed", "--owner"),
    (2, "group add lobby --title T --visibility hidden", "visibility"),
    (2, "token ana --scopes everything", "--scopes"),
    (2, "user add ben --role queen", "role"),
    (2, "user add", "HANDLE"),
    (2, "usr add", "usr"),
    (2, "serve --port 99999", "port"),
    (1, "serve --workers 2", "HUBCHAT_REDIS_URL"),
    (1, "serve --demo --workers 2", "HUBCHAT_WORKERS"),
    (2, "serve --workers 0", "workers"),
]


@pytest.mark.parametrize(("code", "words", "named"), REFUSED)
def test_what_goes_wrong_is_one_line_on_standard_error(hubchat: Call, code: int, words: str, named: str) -> None:
    hubchat("user", "add", "ana")
    told = hubchat(*words.split())
    assert (told.code, told.out) == (code, "")
    assert told.err.startswith("hubchat: ")
    assert told.err.count("\n") == 1
    assert named in told.err


def test_an_empty_message_is_refused(hubchat: Call) -> None:
    hubchat("user", "add", "ana")
    assert "text_empty" in hubchat("say", "lobby", "  ", "--as", "ana").err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HUBCHAT_PORT", "a-secret-word"),
        ("HUBCHAT_DATABASE_URL", "mysql://hub:a-secret-word@nowhere/hub"),
        ("HUBCHAT_URL", "https://hub.example.org/a-secret-word"),
        ("HUBCHAT_SIGNUP", "a-secret-word"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not(
    hubchat: Call, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    for words in (["serve"], ["user", "add", "ana"]):
        told = hubchat(*words)
        assert (told.code, told.out, told.err.count("\n")) == (1, "", 1)
        assert name in told.err
        assert "a-secret-word" not in told.err


def test_a_hub_has_a_name(hubchat: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for empty in ("", "  "):
        monkeypatch.setenv("HUBCHAT_NAME", empty)
        told = hubchat("user", "add", "ana")
        assert (told.code, told.out) == (1, "")
        assert told.err.startswith("hubchat: HUBCHAT_NAME: want a name"), told.err


def test_a_fault_of_ours_tells_where_and_no_words(hubchat: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("a-secret-word")

    monkeypatch.setattr("hubchat.actions.accounts.create", broken)
    told = hubchat("user", "add", "ana")
    assert told.code == 1
    assert "our fault: builtins.ValueError" in told.err
    assert "a-secret-word" not in told.err


def test_a_password_is_judged_as_members_are(hubchat: Call, data: Path) -> None:
    for easy in ("x", "ana-ana-ana", "password1"):
        told = hubchat("user", "add", "ana", "--email", "sousa@example.org", "--password-stdin", said=f"{easy}\n")
        assert (told.code, "easily guessed" in told.err) == (1, True)
    hubchat("user", "add", "ana", "--email", "sousa@example.org")
    for easy in ("x", "ana-ana-ana", "sousasousa"):
        told = hubchat("user", "password", "ana", said=f"{easy}\n")
        assert (told.code, "easily guessed" in told.err) == (1, True)
        assert told.err == "hubchat: this password is easily guessed (password_weak)\n"
    assert asked(data, "SELECT count(*) FROM credential") == [(0,)]
    assert hubchat("user", "password", "ana", said="seven-otters-in-the-rain\n").code == 0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_no_password_is_asked_for_a_handle_that_is_nobodys(hubchat: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    hubchat("user", "add", "ana")
    prompted: list[str] = []

    def prompt(words: str, **_: object) -> str:
        prompted.append(words)
        return "seven-otters-in-the-rain"

    monkeypatch.setattr(typer, "prompt", prompt)
    monkeypatch.setattr(io, "StringIO", Terminal)  # what the fixture gives as standard input
    assert "@ben" in hubchat("user", "password", "ben").err
    assert prompted == []
    assert hubchat("user", "password", "ana").code == 0
    assert prompted == ["New password"]


def test_an_address_that_another_account_has_too_is_told(hubchat: Call) -> None:
    assert "e-mail" not in hubchat("user", "add", "ana", "--email", "us@example.org").err
    told = hubchat("user", "add", "ben", "--email", "Us@example.org")
    assert (told.code, told.out.strip().isdigit()) == (0, True)
    assert told.err == "hubchat: another account has this e-mail address too\n"


def test_the_version_is_told(hubchat: Call) -> None:
    assert hubchat("--version") == (0, f"hubchat {__version__}\n", "")


@pytest.mark.parametrize("words", [[], ["user"], ["group"]])
def test_a_command_that_needs_another_word_shows_which(hubchat: Call, words: list[str]) -> None:
    told = hubchat(*words)
    assert (told.code, told.err) == (2, "")
    assert "Commands" in told.out


@pytest.mark.parametrize("words", [[], ["serve"], ["user"], ["user", "add"], ["token"], ["group", "add"], ["say"]])
def test_every_command_explains_itself(hubchat: Call, words: list[str]) -> None:
    told = hubchat(*words, "--help")
    assert (told.code, told.err) == (0, "")
    assert "Usage:" in told.out
    assert "bool" not in told.out


def test_help_is_there_before_anything_heavy_is_loaded() -> None:
    script = (
        "import sys, hubchat.cli; sys.exit(not sys.modules.keys().isdisjoint({'sqlalchemy', 'pydantic', 'uvicorn'}))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0


def test_what_a_hub_of_one_node_can_do_without_is_not_loaded(hubchat: Call, data: Path) -> None:
    hubchat("user", "add", "ana")  # Alembic makes the database
    script = """
import atexit, sys
from hubchat import cli
sys.argv = ["hubchat", "user", "add", "ben"]
atexit.register(lambda: print(*sorted({"alembic", "hubchat.demo", "redis", "uvicorn"} & sys.modules.keys())))
cli.main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[1:] == [""]


def test_a_served_hub_collects_garbage_though_the_command_line_begins_without() -> None:
    script = "import gc, hubchat.server; gc.disable(); hubchat.server.settle_memory(); assert gc.isenabled()"
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0


def test_a_command_leaves_the_collector_as_it_was(hubchat: Call) -> None:
    hubchat("user", "add", "A-B")
    assert gc.isenabled()


def test_the_index_is_emptied_beside_a_hub_and_the_doctor_says_how_much_is_to_be_read(hubchat: Call) -> None:
    hubchat("user", "add", "ana")
    hubchat("group", "add", "lobby", "--title", "Lobby", "--visibility", "open", "--owner", "ana")
    for _ in range(2):
        hubchat("say", "lobby", "something", "--as", "ana")
    assert "search has 2 entries to read yet" in hubchat("doctor").out
    told = hubchat("reindex")
    assert (told.code, told.err) == (0, "")
    assert told.out == "2 entries are read anew by the hub that runs, within a minute, or by the next one\n"
