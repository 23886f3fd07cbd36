"""docs/operating.md tells every setting and every command, as they are."""

import re
from pathlib import Path

import pytest

from hubchat.settings import Settings
from tests.cli.conftest import Call

TEXT = (Path(__file__).parents[2] / "docs" / "operating.md").read_text("utf-8")
ROWS = dict(re.findall(r"^\| `(HUBCHAT_[A-Z0-9_]+)` \| (\S+) \|", TEXT, re.MULTILINE))


def shown(default: object) -> str:
    if default is None or default == "":
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_every_setting_is_there_with_its_default_and_no_other() -> None:
    expected = {f"HUBCHAT_{name.upper()}": shown(field.default) for name, field in Settings.model_fields.items()}
    assert expected == ROWS


@pytest.mark.parametrize(
    "words",
    [
        "serve",
        "user add",
        "user password",
        "user link",
        "token",
        "group add",
        "say",
        "doctor",
        "demo-reset",
        "backup",
        "restore",
    ],
)
def test_every_command_is_there_with_its_options(hubchat: Call, words: str) -> None:
    (row,) = (line for line in TEXT.splitlines() if line.startswith(f"| `hubchat {words}"))
    options = set(re.findall(r"--[a-z][a-z-]+", hubchat(*words.split(), "--help").out)) - {"--help", "--data"}
    assert options == set(re.findall(r"--[a-z][a-z-]+", row))


def test_no_command_is_left_out(hubchat: Call) -> None:
    names = {"serve", "user", "token", "group", "say", "doctor", "demo-reset", "backup", "restore"}
    listed = hubchat("--help").out.partition("Commands")[2]
    assert set(re.findall(r"^│ ([a-z-]+)  ", listed, re.MULTILINE)) == names
