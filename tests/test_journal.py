"""The erasure journal: on the disk before anybody is told, and of no words."""

import json
from pathlib import Path

import pytest

from hubchat.journal import Deleted, Erased, Expired, Journal, JournalError, Line

ANA = Erased(7, (8, 9), ("a1", "b2"), "erase", 1_000)
LINES: list[Line] = [ANA, Expired(5, 12, 2_000), Deleted(6, 3_000)]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "erasures.jsonl")


def test_what_was_written_is_read_in_its_order_by_its_owner_alone(journal: Journal) -> None:
    assert journal.read() == []
    journal.append(LINES[:1])
    journal.append(LINES[1:])
    assert journal.read() == LINES
    assert journal.path.stat().st_mode & 0o777 == 0o600


def test_what_is_there_is_not_written_twice(journal: Journal) -> None:
    journal.append(LINES[:2])
    journal.add_missing(LINES)
    journal.add_missing(LINES)
    assert journal.read() == LINES


@pytest.mark.parametrize("torn", [b'{"account": 3, "pers', b"{"])
def test_a_line_that_a_crash_cut_is_none_and_hinders_nothing(journal: Journal, torn: bytes) -> None:
    journal.append(LINES[:2])
    with journal.path.open("ab") as file:
        file.write(torn)
    assert journal.read() == LINES[:2]
    journal.append(LINES[2:])
    assert journal.read() == LINES
    journal.path.write_bytes(torn)
    journal.append(LINES)
    assert journal.read() == LINES


@pytest.mark.parametrize(
    "line",
    [
        "",
        "no json",
        "[]",
        "7",
        '{"channel": 5}',
        '{"channel": 5, "tail": -1, "at": 0}',
        '{"channel": 5, "tail": "x", "at": 0}',
        '{"channel": 5, "tail": 9007199254740992, "at": 0}',
        '{"group": 5, "at": 0, "word": "x"}',
        '{"group": true, "at": 0}',
        json.dumps({**ANA._asdict(), "messages": "keep"}),
        json.dumps({**ANA._asdict(), "personas": ["'; DROP TABLE persona"]}),
        json.dumps({**ANA._asdict(), "handles": [1]}),
        json.dumps({**ANA._asdict(), "personas": 3}),
        "x" * 10_000,
    ],
)
def test_a_line_that_is_none_of_ours_is_told_by_its_number(journal: Journal, line: str) -> None:
    journal.append(LINES[:1])
    with journal.path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(JournalError, match="line 2 of the erasure journal"):
        journal.read()


def test_a_journal_that_can_not_be_used_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="can't be written: no such file"):
        Journal(tmp_path / "nowhere" / "file").append(LINES)
    with pytest.raises(JournalError, match="can't be read: is a directory"):
        Journal(tmp_path).read()
    with pytest.raises(JournalError, match="is not there"):
        Journal(tmp_path / "file").read_there()
