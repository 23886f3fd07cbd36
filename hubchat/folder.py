"""The data folder: made for the hub's own user alone, and proven writable before anything is begun in it."""

import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from hubchat.errors import OperatorError

OURS: Final = ("hubchat.db", "hubchat.toml", "first-admin", "demo")
"""What tells that a folder was made for a hub, so that its mode is ours to set."""


class FolderError(OperatorError):
    """The data folder can't be used."""


def open_folder(folder: Path) -> None:
    """Makes the folder, with mode 0700, and tries to write to it. Raises FolderError.

    One that is there is closed to others if it is empty or a hub's: somebody may have named their home.
    """
    os.umask(0o077)  # from here on every file that this process makes is 0600
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_open_to_others(folder) and is_ours(folder):
            folder.chmod(0o700)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except FileExistsError:
        raise FolderError(f"the data folder {folder} is a file; name another one by --data or HUBCHAT_DATA") from None
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise FolderError(f"the data folder {folder} can't be written ({why}); name another by --data") from None


def is_ours(folder: Path) -> bool:
    """Whether nothing is in the folder but what a hub puts there, or it bears a hub's mark."""
    names = {path.name for path in folder.iterdir()}
    return not names or not names.isdisjoint(OURS)


def is_open_to_others(folder: Path) -> bool:
    return bool(stat.S_IMODE(folder.stat().st_mode) & 0o077)
