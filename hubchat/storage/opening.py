"""Which database an address names, opened."""

from pathlib import Path
from urllib.parse import urlsplit

from hubchat.folder import require_place
from hubchat.storage.database import Database
from hubchat.storage.postgres import PostgresDatabase
from hubchat.storage.sqlite import SqliteDatabase


def open_database(url: str | None, folder: Path, *, patient: bool = False) -> Database:
    """The database at `url`, or SQLite in `folder`. A patient one waits for locks, and for what takes minutes.

    Raises SettingsError for an address that can't be meant, FolderError for one where no file can be.
    """
    path = sqlite_path(url, folder)
    if path is None:
        return PostgresDatabase(url or "", patient=patient)
    if url is not None:  # else it is the data folder's, which is looked at by itself
        require_place(path)
    return SqliteDatabase(path)


def sqlite_path(url: str | None, folder: Path) -> Path | None:
    """The file that a database is; None where a server keeps it."""
    if url is None:
        return folder / "hubchat.db"
    return Path(url.split("///", 1)[1]) if urlsplit(url).scheme == "sqlite" else None
