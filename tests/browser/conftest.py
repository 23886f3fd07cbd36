"""Real hubs, real Chromium: each person has a browser context of their own, and all of them are watched."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.people import PATIENCE_MS, People
from tests.program import Program, Running

ARGUMENTS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
UNLIMITED: Final = {
    "HUBCHAT_COMMANDS_PER_10S": "0",
    "HUBCHAT_CONNECTIONS_PER_ADDRESS": "0",
    "HUBCHAT_NEWCOMER_LIMITS": "false",
}


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The machine's own Chromium; HUBCHAT_TEST_CHROMIUM names another one."""
    path = os.environ.get("HUBCHAT_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    assert path, "no Chromium on this machine: `make chromium`"
    return {**browser_type_launch_args, "executable_path": path, "args": [*ARGUMENTS]}


@pytest.fixture(scope="session")
def base_url() -> None:
    """Each hub has its own; the plugin's fixture of this name makes pytest warn."""


@pytest.fixture(scope="session", autouse=True)
def patience() -> None:
    expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A hub for all tests: each makes people and groups of its own."""
    with Program(tmp_path_factory.mktemp("hub") / "data", UNLIMITED).serving() as running:
        yield running


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The demo community."""
    with Program(tmp_path_factory.mktemp("demo") / "data").serving("--demo") as running:
        yield running


@pytest.fixture
def people(new_context: Callable[..., BrowserContext]) -> Iterator[People]:
    here = People(new_context)
    yield here
    for watch in here.watches.values():
        watch.require_clean()
