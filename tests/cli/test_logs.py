"""What is logged, and what never is."""

import asyncio
import io
import json
import logging
from collections.abc import Callable

import pytest

from hubchat import logs

SECRET = "a-members-words"

pytestmark = pytest.mark.usefixtures("as_before")


def logged(level: str, form: str, act: Callable[[], None]) -> str:
    stream = io.StringIO()
    logs.set_up(level, "json" if form == "json" else "text", stream)
    act()
    return stream.getvalue()


def a_fault() -> None:
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("hubchat.anything").exception("something broke", extra={"channel": 7})


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_exception_is_its_type_and_place_and_never_its_words(form: str) -> None:
    told = logged("info", form, a_fault)
    assert SECRET not in told
    assert "something broke" in told
    assert "builtins.ValueError" in told
    assert "test_logs.py" in told
    assert "in a_fault" in told


def test_json_is_one_object_a_line() -> None:
    (line,) = logged("info", "json", a_fault).splitlines()
    told = json.loads(line)
    assert (told["level"], told["event"], told["channel"]) == ("error", "something broke", 7)
    assert told["timestamp"].endswith("Z")


def test_the_level_is_for_hubchat_and_others_only_warn() -> None:
    def speak() -> None:
        for name in ("hubchat.anything", "websockets.server"):
            logging.getLogger(name).debug("whispered by %s", name)
            logging.getLogger(name).warning("warned by %s", name)

    told = logged("debug", "json", speak)
    assert "whispered by hubchat.anything" in told
    assert "whispered by websockets.server" not in told
    assert "warned by websockets.server" in told
    assert "whispered" not in logged("info", "json", speak)


def test_a_task_that_nobody_waited_for_tells_no_words() -> None:
    async def forgotten() -> None:
        asyncio.get_running_loop().set_exception_handler(logs.log_loop_fault)

        async def fail() -> None:
            raise ValueError(SECRET)

        task = asyncio.create_task(fail(), name=SECRET)
        await asyncio.wait([task])
        del task

    told = logged("info", "text", lambda: asyncio.run(forgotten()))
    assert "Task exception was never retrieved" in told
    assert SECRET not in told
