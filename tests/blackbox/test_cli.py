"""The program's commands: what they print, how they end, and that they work beside a running hub."""

import re
import tempfile
from pathlib import Path

import pytest

from tests.blackbox.hub import PASSWORD, Hub, new_name
from tests.program import Program, one_line


def number(printed: str) -> int:
    """The whole of what was printed, which is a number."""
    assert re.fullmatch(r"[1-9]\d*", printed), printed
    assert int(printed) < 2**53
    return int(printed)


def add_member(hub: Hub, stem: str = "anna") -> str:
    handle = new_name(stem)
    number(hub.program.tell("user", "add", handle, "--email", f"{handle}@example.org", "--role", "member"))
    return handle


async def test_what_is_made_beside_the_hub_counts_there(hub: Hub) -> None:
    handle, slug = add_member(hub), new_name("group")
    group = number(
        hub.program.tell("group", "add", slug, "--title", "A group", "--visibility", "closed", "--owner", handle)
    )
    token = hub.program.tell("token", handle)
    assert re.fullmatch(r"\S+", token)
    person = await hub.bearer(token)
    assert (await person.get("me"))["handle"] == handle
    assert (await person.get(f"groups/{group}"))["role"] == "owner"
    line = await person.live(group)
    assert number(hub.program.tell("say", slug, "from the command line", "--as", handle)) == 1
    assert number(hub.program.tell("say", str(group), "-", "--as", handle, said="from standard input\n")) == 2
    await line.until_heard(2)
    assert [one["text"].strip() for one in line.heard] == ["from the command line", "from standard input"]


async def test_an_account_made_there_signs_in_with_its_password(hub: Hub) -> None:
    handle = new_name("anna")
    made = number(hub.program.tell("user", "add", handle, "--role", "admin", "--password-stdin", said=PASSWORD + "\n"))
    browser = await hub.browser()
    me = (await browser.post("session", {"login": handle, "password": PASSWORD}))["me"]
    assert (me["role"], me["id"]) == ("admin", made)
    other = "eleven-herons-by-the-lake"
    line = await browser.live()
    hub.program.tell("user", "password", handle, said=other + "\n")
    assert await line.until_ended() == 4001
    await browser.get("me", 401)
    await browser.post("session", {"login": handle, "password": other})


async def test_a_link_signs_in_once(hub: Hub) -> None:
    handle = add_member(hub)
    link = hub.program.tell("user", "link", handle, "--port", str(hub.running.port))
    assert link.startswith(hub.url)
    code = link.partition("#")[2]
    browser = await hub.browser()
    assert (await browser.post("session/link", {"code": code}))["me"]["handle"] == handle
    assert await (await hub.browser()).refused("POST", "session/link", 404, {"code": code}) == "link_ended"


async def test_a_token_has_the_scopes_that_it_was_given(hub: Hub) -> None:
    handle = add_member(hub)
    bot = await hub.bearer(hub.program.tell("token", handle, "--name", "reader", "--scopes", "read"))
    await bot.get("me")
    assert await bot.refused("POST", "groups", 403, {"title": "x", "visibility": "open"}) == "scope_missing"


@pytest.mark.parametrize(
    "arguments",
    [("token", "nobody-here"), ("user", "add", "A-B"), ("say", "no-such-group", "x", "--as", "nobody-here")],
)  # fmt: skip
def test_what_goes_wrong_is_one_line_and_exit_code_1(program: Program, arguments: tuple[str, ...]) -> None:
    done = program.run(*arguments)
    assert (done.returncode, bool(one_line(done))) == (1, True)


def test_what_is_taken_is_told(hub: Hub) -> None:
    handle = add_member(hub)
    done = hub.program.run("user", "add", handle)
    assert done.returncode == 1
    assert "taken" in one_line(done)


@pytest.mark.parametrize(
    "arguments",
    [("nothing",), ("token",), ("serve", "--port", "x"), ("group", "add", "slug", "--visibility", "hidden")],
)  # fmt: skip
def test_wrong_usage_is_exit_code_2(program: Program, arguments: tuple[str, ...]) -> None:
    done = program.run(*arguments)
    assert (done.returncode, done.stdout, bool(done.stderr)) == (2, "", True)


def test_every_command_takes_a_data_folder() -> None:
    with tempfile.TemporaryDirectory() as folder:
        elsewhere = Program(Path(folder) / "unused")
        data = str(Path(folder) / "data")
        number(elsewhere.tell("user", "add", "anna", "--data", data))
        number(
            elsewhere.tell(
                "group", "add", "lung", "--title", "Lung", "--visibility", "open", "--owner", "anna", "--data", data
            )
        )
        assert elsewhere.tell("token", "anna", "--data", data)
        assert number(elsewhere.tell("say", "lung", "hello", "--as", "anna", "--data", data)) == 1
        assert not (Path(folder) / "unused").exists()
        assert oct((Path(folder) / "data").stat().st_mode & 0o777) == "0o700"
