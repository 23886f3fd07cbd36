"""The data folder: made for the hub's own user alone, and proven writable before anything is begun in it."""

import errno
import fcntl
import os
import pwd
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hubchat.errors import OperatorError

PID: Final = "hubchat.pid"  # held by the hub whose database is here
OURS: Final = ("hubchat.db", "hubchat.toml", "first-admin", "demo")
"""What tells that a folder was made for a hub, so that its mode is ours to set."""


class FolderError(OperatorError):
    """The data folder can't be used: what is seen, and what to do."""

    def __init__(self, said: str, todo: str) -> None:
        super().__init__(f"{said}; {todo}")
        self.said = said
        self.todo = todo


class Held(FolderError):
    """A hub runs there already."""

    def __init__(self, folder: Path, process: str) -> None:
        super().__init__(
            f"a hub runs on the data folder {folder} already (process {process})",
            f"stop it first: Ctrl-C where it runs, or kill {process}",
        )


def open_folder(folder: Path) -> None:
    """Makes the folder, with mode 0700, and tries to write to it. Raises FolderError.

    One that is there is closed to others if it is empty or a hub's: somebody may have named their home.
    """
    os.umask(0o077)  # from here on every file that this process makes is 0600
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_open_to_others(folder) and is_ours(folder):
            folder.chmod(0o700)
        _try_writing(folder)
    except OSError as error:
        raise _refused(folder, error) from None


def try_folder(folder: Path) -> None:
    """Raises FolderError where `open_folder` would, and changes nothing."""
    try:
        if os.path.lexists(folder) and not folder.is_dir():
            raise FileExistsError
        _try_writing(next(path for path in (folder, *folder.absolute().parents) if path.exists()))
    except OSError as error:
        raise _refused(folder, error) from None


def require_place(file: Path) -> None:
    """Raises FolderError where a database that HUBCHAT_DATABASE_URL names can't be made or written."""
    folder = file.parent
    try:
        _try_writing(folder)
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        if error.errno == errno.ENOSPC:
            todo = "make room on its disk"
        elif error.errno == errno.ENOENT:
            todo = "make it, or name another file in HUBCHAT_DATABASE_URL"
        else:
            todo = "give it to the user that runs the hub, or name another file in HUBCHAT_DATABASE_URL"
        raise FolderError(f"the database's folder {folder} can't be written ({why})", todo) from None


def require_ours(file: Path) -> None:
    """Raises FolderError where root would write beside a hub that another user runs.

    Nothing would hinder it; and what root makes there, SQLite's log among it, the hub can't open afterwards.
    """
    if os.geteuid() != 0:
        return
    found = next((path for path in (file, file.parent) if path.exists()), None)
    if found is None or (owner := found.stat().st_uid) == 0:
        return
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = str(owner)
    raise FolderError(
        f"{found} belongs to the user {name}, and this runs as root",
        f'run it as {name}, with the settings of the hub there (docs/operating.md, "Under systemd")',
    )


def _try_writing(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder):  # has no name where the system can do without
        pass


def _refused(folder: Path, error: OSError) -> FolderError:
    another = "name another one by --data or HUBCHAT_DATA"
    if isinstance(error, FileExistsError):
        return FolderError(f"the data folder {folder} is a file", another)
    why = (error.strerror or type(error).__name__).lower()
    said = f"the data folder {folder} can't be written ({why})"
    if error.errno == errno.ENOSPC:
        return FolderError(said, "make room on its disk")
    if error.errno == errno.EACCES and os.access(folder, os.F_OK):
        is_mine = folder.stat().st_uid == os.geteuid()
        mend = f"chmod 700 {folder}" if is_mine else "give it to the user that runs the hub (chown)"
        return FolderError(said, f"{mend}, or {another}")
    return FolderError(said, another)


@contextmanager
def hold(file: Path) -> Iterator[None]:
    """Lets one process at a time have what `file` stands for. Raises Held, OSError.

    The lock ends with the process, however it ends, and so holds nobody up after a crash. The file stays: it says
    which process has, or had, the lock.
    """
    with file.open("a+") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.seek(0)
            raise Held(file.parent, held.read().strip()) from None
        held.truncate(0)
        held.write(f"{os.getpid()}\n")
        held.flush()
        yield


def is_ours(folder: Path) -> bool:
    """Whether nothing is in the folder but what a hub puts there, or it bears a hub's mark."""
    names = {path.name for path in folder.iterdir()}
    return not names or not names.isdisjoint(OURS)


def is_open_to_others(folder: Path) -> bool:
    return bool(stat.S_IMODE(folder.stat().st_mode) & 0o077)
