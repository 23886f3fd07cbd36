"""Erasing by hand: with the journal an older copy brings nobody back, and no kill in the middle leaves half."""

import json
import signal
import sqlite3
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from tests.program import HUBCHAT, Program, wait_until

MARK = "zqmarked-words"
MESSAGES = 2_000


@pytest.fixture
def lived_in(hubchat: Call) -> Call:
    """A hub with Ana, Ben, and what Ana said."""
    for handle in ("ana", "ben"):
        assert hubchat("user", "add", handle).code == 0
    hubchat("group", "add", "lobby", "--title", "Lobby", "--visibility", "open", "--owner", "ana")
    assert hubchat("say", "lobby", MARK, "--as", "ana").code == 0
    return hubchat


def move_away(data: Path, to: Path) -> None:
    to.mkdir()
    for path in data.glob("hubchat.db*"):
        path.rename(to / path.name)


def texts(data: Path) -> list[str]:
    with sqlite3.connect(data / "hubchat.db") as database:
        return [text for (text,) in database.execute("SELECT text FROM entry WHERE text IS NOT NULL")]


def test_who_was_erased_stays_erased_when_an_older_copy_is_put_back(lived_in: Call, data: Path, tmp_path: Path) -> None:
    copy = str(tmp_path / "copy")
    assert lived_in("backup", copy, "--plain").code == 0
    lived_in("user", "add", "cem")  # who comes and goes after the copy
    told = lived_in("user", "erase", "ana")
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith("messages 1, former_texts 0, reactions 0, groups 1,")
    assert lived_in("user", "erase", "cem", "--keep-messages").code == 0
    journal = data / "erasures.jsonl"
    assert len(journal.read_text().splitlines()) == 2
    assert MARK not in journal.read_text()
    assert "ana" not in journal.read_text()
    move_away(data, tmp_path / "before")
    told = lived_in("restore", copy)
    assert (told.code, told.out.splitlines()[1]) == (0, f"2 erasures that {journal} knows of were done again")
    assert MARK not in texts(data)
    assert not any(MARK.encode() in path.read_bytes() for path in data.iterdir())
    for handle in ("ana", "cem"):
        told = lived_in("user", "add", handle)
        assert (told.code, told.err) == (1, "hubchat: this handle is taken (handle_taken)\n"), "nor is it given out"
    assert lived_in("user", "link", "ana").code == 1
    assert lived_in("user", "link", "ben").code == 0


def test_the_journal_of_another_node_is_named_and_kept(lived_in: Call, data: Path, tmp_path: Path) -> None:
    copy, other = str(tmp_path / "copy"), tmp_path / "other.jsonl"
    assert lived_in("backup", copy, "--plain").code == 0
    lived_in("user", "erase", "ana")
    (data / "erasures.jsonl").rename(other)
    move_away(data, tmp_path / "before")
    assert "is not there" in lived_in("restore", copy, "--erasures", str(tmp_path / "none")).err
    broken = tmp_path / "broken"
    broken.write_text("{}\n")
    assert "line 1 of the erasure journal" in lived_in("restore", copy, "--erasures", str(broken)).err
    assert not (data / "hubchat.db").exists(), "nothing is begun with a journal that can't be read"
    assert lived_in("restore", copy, "--erasures", str(other)).code == 0
    assert MARK not in texts(data)
    assert (data / "erasures.jsonl").read_text() == other.read_text()


def test_an_export_by_hand_is_for_its_owner_and_takes_no_place(lived_in: Call, tmp_path: Path) -> None:
    file = tmp_path / "ana.zip"
    assert lived_in("export", "ana", str(file)).code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(file) as packed:
        (message,) = json.loads(packed.read("messages.json"))["messages"]
    assert message["text"] == MARK
    for words, said in (
        (("ana", str(file)), "is there already"),
        (("nobody", str(tmp_path / "x")), "no member @nobody"),
        (("ana", str(tmp_path / "no" / "x")), "no such file"),
    ):
        told = lived_in("export", *words)
        assert (told.code, told.out) == (1, "")
        assert said in told.err
    assert not (tmp_path / "x").exists()
    for handle in ("nobody", "'; DROP TABLE account"):
        assert "there is no member" in lived_in("user", "erase", handle).err


def test_a_notice_that_can_not_be_read_keeps_nobody_waiting(hubchat: Call, data: Path) -> None:
    data.mkdir()
    (data / "rules.md").write_bytes(b"\xff")
    told = hubchat("serve", "--port", "0")
    assert (told.code, told.err) == (1, f"hubchat: {data / 'rules.md'} is not UTF-8\n")


def test_an_erasure_that_is_killed_in_the_middle_is_carried_on_by_whoever_works(
    lived_in: Call, data: Path, tmp_path: Path
) -> None:
    program = Program(data)
    with sqlite3.connect(data / "hubchat.db", isolation_level=None) as database:
        found = database.execute("SELECT channel_id, author_id, seq FROM entry WHERE text IS NOT NULL")
        (room, ana, head) = found.fetchone()
        database.execute("BEGIN")
        rows = [(room, head + number, ana, f"{MARK} {number}") for number in range(1, MESSAGES)]
        database.executemany(
            "INSERT INTO entry (channel_id, seq, kind, author_id, at, text) VALUES (?, ?, 'message', ?, 1, ?)", rows
        )
        database.execute("UPDATE channel SET head = ? WHERE id = ?", (head + MESSAGES - 1, room))
        database.execute("COMMIT")

        def left() -> int:
            (count,) = database.execute("SELECT count(*) FROM entry WHERE text IS NOT NULL").fetchone()
            return int(count)

        killed = subprocess.Popen([HUBCHAT, "user", "erase", "ana"], env=program.environment)
        wait_until(lambda: left() < MESSAGES - 100, "it has begun")
        killed.send_signal(signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
        assert 0 < left() < MESSAGES, "it was in the middle"
        out = tmp_path / "out"
        with out.open("wb") as told:
            working = subprocess.Popen([HUBCHAT, "jobs"], env=program.environment, stdout=told)
        done = "SELECT count(*) FROM erasure WHERE done_at IS NOT NULL"
        wait_until(lambda: database.execute(done).fetchone() == (1,), "it is carried on")
        working.send_signal(signal.SIGTERM)
        assert working.wait(20) == 0
        assert out.read_text() == "hubchat does background work (Ctrl-C stops it)\n"
        assert left() == 0
        (deleted, targets) = database.execute(
            "SELECT count(*), count(DISTINCT target_seq) FROM entry WHERE kind = 'delete'"
        ).fetchone()
        assert deleted == targets == MESSAGES, "each was told once"
