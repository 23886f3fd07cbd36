"""A hub goes into a file and comes out of it, by hand."""

import os
from pathlib import Path

import pyrage
import pytest

from tests.cli.conftest import Call
from tests.program import Program

KEY = pyrage.x25519.Identity.generate()


@pytest.fixture
def keyfile(tmp_path: Path) -> Path:
    path = tmp_path / "key.txt"
    path.write_text(f"# created: today\n# public key: {KEY.to_public()}\n{KEY}\n")
    return path


def test_a_backup_is_made_beside_a_hub_that_runs_and_restored_into_another_folder(
    tmp_path: Path, keyfile: Path
) -> None:
    old, new = Program(tmp_path / "old"), Program(tmp_path / "new")
    file = str(tmp_path / "hub.age")
    with old.serving():
        old.tell("user", "add", "ana")
        assert "1 members" in old.tell("backup", file, "--to", str(KEY.to_public()))
    assert "1 members" in new.tell("restore", file, "--identity", str(keyfile))
    with new.serving():
        assert new.tell("user", "link", "ana").startswith("http")


def test_a_folder_without_a_hub_stays_as_it_is(hubchat: Call, data: Path, tmp_path: Path) -> None:
    data.mkdir()
    told = hubchat("backup", str(tmp_path / "file"), "--plain")
    assert told.code == 1
    assert told.err.startswith(f"hubchat: there is no hub in {data}; ")
    assert list(data.iterdir()) == []


def test_clear_text_has_to_be_asked_for(hubchat: Call, tmp_path: Path) -> None:
    for words in ((), ("--plain", "--to", str(KEY.to_public()))):
        told = hubchat("backup", str(tmp_path / "file"), *words)
        assert (told.code, told.out) == (2, "")
        assert "--plain" in told.err
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(
    "key", ["", "age1nothing", "ssh-ed25519 AAAA", str(KEY)], ids=["none", "age", "ssh", "private"]
)
def test_what_is_no_public_key_is_told_and_not_printed(hubchat: Call, tmp_path: Path, key: str) -> None:
    hubchat("user", "add", "ana")
    told = hubchat("backup", str(tmp_path / "file"), "--to", key)
    assert (told.code, told.err) == (1, "hubchat: a public key looks like age1…; `age-keygen` makes one\n")


def test_a_hub_is_not_written_over(hubchat: Call, tmp_path: Path) -> None:
    hubchat("user", "add", "ana")
    file = str(tmp_path / "hub.backup")
    assert hubchat("backup", file, "--plain").code == 0
    told = hubchat("restore", file)
    assert (told.code, told.out) == (1, "")
    assert "into an empty one" in told.err
    assert "is there already" in hubchat("backup", file, "--plain").err


def test_a_backup_that_can_not_get_its_name_leaves_nothing_under_it(
    hubchat: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    hubchat("user", "add", "ana")
    folder = tmp_path / "stick"
    folder.mkdir()
    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", refuse)
        told = hubchat("backup", str(folder / "file"), "--plain")
    assert (told.code, told.out) == (1, "")
    assert "can't be written: input/output error" in told.err
    assert list(folder.iterdir()) == []
    assert hubchat("backup", str(folder / "file"), "--plain").code == 0


def test_files_that_are_not_what_they_should_be_are_told(
    hubchat: Call, data: Path, tmp_path: Path, keyfile: Path
) -> None:
    garbage, empty = tmp_path / "garbage", tmp_path / "empty"
    garbage.write_bytes(os.urandom(1_000))
    empty.touch()
    for words, said in (
        (("no-such-file",), "can't be read"),
        ((str(garbage),), "no whole backup"),
        ((str(empty),), "no whole backup"),
        ((str(garbage), "--identity", str(keyfile)), "no whole backup"),
        ((str(garbage), "--identity", "no-such-key"), "can't be read"),
        ((str(garbage), "--identity", str(empty)), "holds no private key"),
        ((str(garbage), "--identity", str(garbage)), "can't be read"),
    ):
        told = hubchat("restore", *words)
        assert (told.code, told.out) == (1, ""), words
        assert said in told.err, words
        assert told.err.count("\n") == 1
    assert hubchat("user", "add", "ana").code == 0, "nothing was left behind"
