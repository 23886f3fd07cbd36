"""Whom the messages of a batch speak to, looked up before its locks so that their inboxes are locked with the rest."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from hubchat.channels.items import Item, Message
from hubchat.storage.addressees import Addressee, read_authors, read_by_handle
from hubchat.storage.database import Connection

MENTION: Final = re.compile(r"(?<![\w@/.])@([a-z0-9][a-z0-9-]{1,30})(?![\w@])", re.IGNORECASE)
MENTIONS: Final = 50  # a message names at most so many; further ones are plain text
NOTICES: Final = 20  # of one message; further ones see it in the channel's own count of mentions


class Notice(NamedTuple):
    """Who is to be told of a message, and why: `mention` or `reply`."""

    to: Addressee
    reason: str


class Addressed:
    """Handles and authors of a batch's messages. Whether they may be told is asked after the lock."""

    def __init__(self, connection: Connection, items: Sequence[Item]) -> None:
        messages = [item for item in items if isinstance(item, Message)]
        named = {handle for item in messages for handle in handles(item.text)}
        answered = {(item.channel, item.reply_to) for item in messages if item.reply_to is not None}
        self._named = read_by_handle(connection, named) if named else {}
        self._authors = read_authors(connection, answered) if answered else {}

    def notices(self, item: Item) -> list[Notice]:
        """Who would be told of an item: each once, and never its author."""
        if not isinstance(item, Message) or not (self._named or self._authors):
            return []
        found: dict[int, Notice] = {}
        for handle in handles(item.text):
            if (to := self._named.get(handle)) is not None:
                found.setdefault(to.account, Notice(to, "mention"))
        if item.reply_to is not None and (to := self._authors.get((item.channel, item.reply_to))) is not None:
            found.setdefault(to.account, Notice(to, "reply"))
        found.pop(item.account, None)
        return list(found.values())[:NOTICES]

    def inboxes(self, item: Item) -> set[int]:
        return {notice.to.inbox for notice in self.notices(item)}


def handles(text: str) -> list[str]:
    """The handles a text names, once each, in order: `@ana` at a word's start, at most MENTIONS."""
    if "@" not in text:
        return []
    return list(dict.fromkeys(match.lower() for match in MENTION.findall(text)))[:MENTIONS]
