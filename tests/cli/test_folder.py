"""The data folder: whose it is, and what is said when it can't be used."""

import ctypes
import os
import stat
from pathlib import Path

import pytest

from hubchat.folder import FolderError, open_folder
from tests.cli.conftest import Call
from tests.program import Program, one_line

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1  # linux/prctl.h, linux/capability.h


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def as_anybody() -> None:
    """Takes from root what lets it write where a folder's mode forbids it; others have not got it."""
    if os.geteuid() == 0:
        assert ctypes.CDLL(None, use_errno=True).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE) == 0


@pytest.mark.usefixtures("as_before")
def test_it_is_made_for_its_user_alone_with_all_above_it(tmp_path: Path) -> None:
    open_folder(tmp_path / "new" / "data")
    assert mode(tmp_path / "new") == mode(tmp_path / "new" / "data") == 0o700
    (tmp_path / "new" / "data" / "file").touch()
    assert mode(tmp_path / "new" / "data" / "file") == 0o600


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize(("inside", "expected"), [((), 0o700), (("hubchat.db",), 0o700), (("letters",), 0o755)])
def test_one_that_is_there_is_closed_if_it_is_a_hubs(tmp_path: Path, inside: tuple[str, ...], expected: int) -> None:
    tmp_path.chmod(0o755)
    for name in inside:
        (tmp_path / name).touch()
    open_folder(tmp_path)
    assert mode(tmp_path) == expected


@pytest.mark.usefixtures("as_before")
def test_a_file_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(FolderError, match="is a file"):
        open_folder(tmp_path / "data")


@pytest.mark.parametrize("words", [["serve", "--port", "0"], ["user", "add", "ana"]])
def test_a_read_only_folder_is_told_in_one_line(tmp_path: Path, words: list[str]) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o500)
    done = Program(data).run(*words, before=as_anybody)
    assert done.returncode == 1
    assert one_line(done) == (
        f"hubchat: the data folder {data} can't be written (permission denied); "
        f"chmod 700 {data}, or name another one by --data or HUBCHAT_DATA"
    )


@pytest.mark.parametrize("inside", ["", "file", "file/data", "new/data"])
def test_it_is_tried_in_the_same_words_and_left_as_it_is(hubchat: Call, tmp_path: Path, inside: str) -> None:
    (tmp_path / "file").touch()
    data = str(tmp_path / inside if inside else Path("/proc/nope"))
    looked = hubchat("doctor", "--data", data)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    started = hubchat("user", "add", "ana", "--data", data)
    assert (looked.code, started.code) == ((0, 0) if inside == "new/data" else (1, 1))
    if started.code:
        assert started.out == ""
        (line,) = started.err.splitlines()
        said, todo = line.removeprefix("hubchat: ").split("; ")
        assert f"wrong data folder: {said}\n      {todo}\n" in looked.out


def test_a_read_only_database_is_told_in_one_line(tmp_path: Path) -> None:
    hubchat = Program(tmp_path / "data")
    hubchat.tell("user", "add", "ana")
    for path in hubchat.data.glob("hubchat.db*"):
        path.chmod(0o400)
    said, todo = "hubchat.db can't be opened or written", "give it to the user that runs the hub, to read and write"
    for words in (["user", "add", "ben"], ["serve", "--port", "0"]):
        done = hubchat.run(*words, before=as_anybody)
        assert (done.returncode, one_line(done)) == (1, f"hubchat: {said}; {todo}")
    assert f"wrong database: {said}\n      {todo}\n" in hubchat.run("doctor", before=as_anybody).stdout


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> int:
    """This process passes for root, among files of another user, whose number is given."""
    somebody = 65_534 if os.geteuid() == 0 else os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return somebody


def test_root_writes_into_no_hub_of_another_user(hubchat: Call, data: Path, tmp_path: Path, as_root: int) -> None:
    data.mkdir()
    os.chown(data, as_root, -1)
    commands = (["user", "add", "ana"], ["token", "ana"], ["backup", str(tmp_path / "file"), "--plain"])
    for file in (None, data / "hubchat.db"):
        if file is not None:
            file.touch()
            os.chown(file, as_root, -1)
        before = sorted(data.iterdir())
        for words in commands:
            told = hubchat(*words)
            assert (told.code, told.out, told.err.count("\n")) == (1, "", 1)
            assert told.err.startswith(f"hubchat: {file or data} belongs to the user ")
        assert sorted(data.iterdir()) == before
