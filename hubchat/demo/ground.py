"""Where the demo stands: loopback alone, in a folder and a database that it made itself; and how it is begun.

It is begun once. What was left half made, since the process was ended meanwhile, is emptied and begun anew.
"""

import asyncio
import fcntl
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from hubchat.addresses import is_loopback
from hubchat.demo.bots import talking
from hubchat.demo.making import tell
from hubchat.demo.story import read_story
from hubchat.errors import OperatorError
from hubchat.folder import PID, hold, open_folder
from hubchat.node import Node, open_node
from hubchat.settings import Settings
from hubchat.storage import demo
from hubchat.storage.database import now_ms
from hubchat.storage.opening import open_database

FOLDER: Final = "demo"
MARK: Final = "made-by-the-demo"
MARK_TEXT: Final = "The demo community lives here. The whole folder may be deleted: `make demo-reset`.\n"
AGAIN_S: Final = 0.05  # between looks at whether another process has finished making it


class NotTheDemos(OperatorError):
    """The demo does not start here."""


def demo_settings(given: Settings) -> Settings:
    """The settings of the demo: its folder is DATA/demo. Raises NotTheDemos where it would be open to others."""
    if not is_loopback(given.host):
        raise NotTheDemos(
            "the demo listens on loopback alone, since everybody signs in without a password: drop --host"
        )
    if given.url is not None and not is_loopback(urlsplit(given.url).hostname or ""):
        raise NotTheDemos("HUBCHAT_URL is not local, and the demo signs everybody in without a password: unset it")
    return given.model_copy(update={"demo": True, "data": given.data / FOLDER})


def open_ground(folder: Path) -> None:
    """Makes the demo's folder. Raises NotTheDemos where one is there that holds something else; FolderError."""
    mark = folder / MARK
    if folder.is_dir() and not mark.exists() and any(folder.iterdir()):
        raise NotTheDemos(f"the demo did not make {folder}: move it away, or name another data folder by --data")
    open_folder(folder)
    mark.write_text(MARK_TEXT, "utf-8")


def forget_demo(data: Path) -> bool:
    """Deletes the demo's folder in `data`; False where there is none. Raises NotTheDemos, and Held while it runs."""
    folder = data / FOLDER
    if not folder.exists():
        return False
    if not (folder / MARK).exists():
        raise NotTheDemos(f"the demo did not make {folder}: look what it is, and delete it yourself")
    with hold(folder / PID):
        shutil.rmtree(folder)
    return True


@asynccontextmanager
async def open_demo(settings: Settings) -> AsyncIterator[Node]:
    """A node with the community on it and its programs talking. Raises as `open_node` does, and NotTheDemos."""
    lock = await _lock(settings.data / MARK)
    with lock:
        is_whole = await _claim(settings)
        async with open_node(settings) as node:
            if not is_whole:
                await tell(node, read_story(now_ms()))
                await node.log.write(lambda tx: demo.finish(tx.connection))
            lock.close()
            async with talking(node):
                yield node


async def _claim(settings: Settings) -> bool:
    """Makes the database the demo's; whether the community is there. Raises NotTheDemos, Unavailable."""
    database = open_database(settings.database_url, settings.data)
    try:
        state = await database.read(demo.read_state)
        if state == "foreign":
            raise NotTheDemos("the demo did not make this database: unset HUBCHAT_DATABASE_URL, or name an empty one")
        if state != "whole":
            await database.write(demo.begin)
        return state == "whole"
    finally:
        await database.close()


async def _lock(mark: Path) -> IO[str]:
    """Holds the mark, so that of two that start at once the second finds the community made."""
    file = mark.open()
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            await asyncio.sleep(AGAIN_S)
