"""The documentation is held to the code: every verb, kind, reason and close code stands where it is looked for."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from hubchat import errors, wire
from hubchat.settings import Settings

DOCS = Path(__file__).resolve().parents[1] / "docs"
PROTOCOL = (DOCS / "protocol.md").read_text("utf-8")


@pytest.mark.parametrize("verb", wire.VERBS)
def test_every_verb_and_its_fields_are_in_the_protocol(verb: str) -> None:
    beside = {"unread": "read"}  # told in the row of another verb
    (row,) = re.findall(rf"^\| `{beside.get(verb, verb)}` \|.*$", PROTOCOL, re.MULTILINE)
    assert verb in row
    for field in fields(wire.VERBS[verb]):
        assert field.name == "id" or field.name in row, f"{verb}: {field.name}"


@pytest.mark.parametrize("kind", [*wire.SHOWN_KINDS, *wire.CHANGE_KINDS])
def test_every_kind_of_entry_is_in_the_protocol(kind: str) -> None:
    assert f"`{kind}`" in PROTOCOL


@pytest.mark.parametrize("reason", errors.REASONS)
def test_every_reason_is_in_the_protocol_with_its_code(reason: str) -> None:
    assert f"| `{reason}` | `{errors.REASONS[reason].code}` |" in PROTOCOL


@pytest.mark.parametrize("code", errors.STATUS)
def test_every_error_code_is_in_the_protocol(code: str) -> None:
    assert f"`{code}`" in PROTOCOL


CLOSES = [value for value in vars(errors).values() if isinstance(value, errors.Close)]


@pytest.mark.parametrize("close", CLOSES, ids=lambda close: close.reason)
def test_every_close_code_is_in_the_protocol(close: errors.Close) -> None:
    assert re.search(rf"^\|.*\b{close.code}\b", PROTOCOL, re.MULTILINE)


def test_the_limits_told_are_the_limits_held() -> None:
    for name, value in {
        "message_bytes": wire.TEXT_BYTES,
        "frame_bytes": wire.FRAME_BYTES,
        "subscriptions": wire.SUBSCRIPTIONS,
        "commands_per_10s": Settings.model_fields["commands_per_10s"].default,
        "open_commands": wire.OPEN_COMMANDS,
    }.items():
        assert f'"{name}": {value}' in PROTOCOL


def test_every_test_that_the_page_on_security_names_is_there() -> None:
    told = (DOCS / "security.md").read_text("utf-8")
    named = re.findall(r"`(tests/[\w/.]+)`", told)
    assert len(named) > 25
    for name in named:
        assert "def test_" in (DOCS.parent / name).read_text("utf-8"), name
    ways = re.findall(r"^\| .* \| .* \| (.*) \|$", told.partition("## Ways in")[2].partition("\n## ")[0], re.MULTILINE)
    assert all("`tests/" in way for way in ways[2:]), "each way in has its test"
