"""docs/operating.md tells every setting and every command, as they are."""

import re
from pathlib import Path

import pytest

from hubchat.settings import Settings
from tests.cli.conftest import Call

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operating.md").read_text("utf-8")
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
        "reindex",
        "jobs",
        "export",
        "user erase",
    ],
)
def test_every_command_is_there_with_its_options(hubchat: Call, words: str) -> None:
    (row,) = (line for line in TEXT.splitlines() if line.startswith(f"| `hubchat {words}"))
    options = set(re.findall(r"--[a-z][a-z-]+", hubchat(*words.split(), "--help").out)) - {"--help", "--data"}
    assert options == set(re.findall(r"--[a-z][a-z-]+", row))


def test_no_command_is_left_out(hubchat: Call) -> None:
    names = {
        "serve",
        "user",
        "token",
        "group",
        "say",
        "doctor",
        "demo-reset",
        "backup",
        "restore",
        "jobs",
        "export",
        "reindex",
    }
    listed = hubchat("--help").out.partition("Commands")[2]
    assert set(re.findall(r"^│ ([a-z-]+)  ", listed, re.MULTILINE)) == names


def test_every_file_and_heading_that_it_names_is_there() -> None:
    files = {f"docs/{name}" for name in re.findall(r"\]\(([^)#:]+)\)", TEXT)}
    files |= set(re.findall(r"docs/examples/[\w.-]+", TEXT))
    assert len(files) > 10
    for name in files:
        assert (ROOT / name).is_file(), name
    headings = {one.lower().replace(" ", "-") for one in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([a-z-]+)\)", TEXT)) <= headings


def test_every_command_that_it_shows_is_one_with_those_options(hubchat: Call) -> None:
    lines = re.findall(
        r"^    .*?\bhubchat ((?:serve|user|token|group|say|doctor|backup|restore|jobs|export|reindex)\b[^#\n&]*)",
        TEXT,
        re.MULTILINE,
    )
    assert len(lines) > 8
    for line in lines:
        words = [line.split()[0], *re.findall(r"^user (\w+)", line)]
        assert set(re.findall(r"--[a-z-]+", line)) <= set(re.findall(r"--[a-z-]+", hubchat(*words, "--help").out)), line
