"""One running node: opens and closes database, hub, log and presence, in an order that can be read."""

from dataclasses import dataclass
from typing import Literal

from hubchat.channels.log import Log
from hubchat.settings import Settings
from hubchat.storage.database import Database
from hubchat.storage.gathered import Gathered
from hubchat.storage.sessions import Caller
from hubchat.storage.standings import Stand


@dataclass
class Node:
    settings: Settings
    database: Database
    log: Log
    callers: Gathered[tuple[Literal["session", "token"], str], Caller]
    standings: Gathered[tuple[int, int], Stand]
