"""What holds a message up beside rights: an account's first day, the pace of a room, a request that waits.

It costs a batch nothing where nobody is limited: whether somebody may be is in the rows that are read anyhow.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from hubchat import access
from hubchat.channels.items import Item, Message
from hubchat.errors import HubError
from hubchat.storage.channels import ChannelRow, set_asking
from hubchat.storage.database import Connection
from hubchat.storage.newcomers import NEWCOMER_MS, Counted, add_counted, read_counted, read_paces, set_paces
from hubchat.storage.standings import Stand
from hubchat.words import has_link

NEWCOMER_MESSAGES: Final = 20  # on the first day of an account that came by itself
NEWCOMER_CONVERSATIONS: Final = 5
REQUEST_MESSAGES: Final = 3  # that whoever is asked sees before they accept


class Limits:
    """The limits of one transaction: what was used up before, and what is used up in it."""

    def __init__(self, connection: Connection, now: int) -> None:
        self.connection = connection
        self.now = now
        self._counted: dict[int, Counted] = {}
        self._paces: dict[tuple[int, int], int] = {}
        self._asking: dict[int, int] = {}
        self._sent: dict[int, Counted] = {}
        self._paced: dict[tuple[int, int], int] = {}

    def read(
        self, items: Iterable[Item], channels: Mapping[int, ChannelRow], standings: Mapping[tuple[int, int], Stand]
    ) -> None:
        """What those did before who may be limited; no statement where there is none."""
        new: set[int] = set()
        slowed: set[tuple[int, int]] = set()
        for item in items:
            if not isinstance(item, Message) or (channel := channels.get(item.channel)) is None:
                continue
            if is_new(standings[item.account, channel.access_id].came_at, self.now):
                new.add(item.account)
            if channel.slow_s:
                slowed.add((channel.id, item.account))
        if new:
            self._counted = read_counted(self.connection, new)
        if slowed:
            self._paces = read_paces(self.connection, slowed)

    def spend(self, account: int, channel: ChannelRow, stand: Stand, text: str) -> None:
        """Lets one message through and counts it.

        Raises `request_waits`, `slow_mode`, `newcomer_messages` or `newcomer_links`.
        """
        if channel.asking is None and not channel.slow_s and stand.came_at is None:
            return
        left = self._asking.get(channel.id, channel.asking)
        if left is not None and left <= 0:
            raise HubError("request_waits", facts={"limit": REQUEST_MESSAGES})
        slowed = bool(channel.slow_s) and not access.can("send_freely", stand.standing, channel.place)
        if slowed:
            self._require_pace((channel.id, account), channel.slow_s)
        if is_new(stand.came_at, self.now):
            require_plain(stand.came_at, text, self.now)
            done = self._counted.get(account, Counted())
            if done.messages >= NEWCOMER_MESSAGES:
                raise over("newcomer_messages", NEWCOMER_MESSAGES, stand.came_at or 0, self.now)
            self._counted[account] = done._replace(messages=done.messages + 1)
            sent = self._sent.get(account, Counted())
            self._sent[account] = sent._replace(messages=sent.messages + 1)
        if slowed:
            self._paces[channel.id, account] = self._paced[channel.id, account] = self.now
        if left is not None:
            self._asking[channel.id] = left - 1

    def _require_pace(self, key: tuple[int, int], slow_s: int) -> None:
        last = self._paces.get(key)
        wait_ms = 0 if last is None else last + slow_s * 1_000 - self.now
        if wait_ms > 0:
            raise HubError("slow_mode", facts={"slow_s": slow_s}, retry_after_ms=wait_ms)

    def write(self) -> None:
        """Keeps what was used up."""
        if self._sent:
            add_counted(self.connection, self._sent, self.now)
        if self._paced:
            set_paces(self.connection, self._paced)
        if self._asking:
            set_asking(self.connection, sorted(self._asking.items()))


def is_new(came_at: int | None, now: int) -> bool:
    """Whether an account that came by itself at `came_at` is in its first day."""
    return came_at is not None and now < came_at + NEWCOMER_MS


def require_plain(came_at: int | None, text: str, now: int) -> None:
    """Raises `newcomer_links` where an account in its first day writes something that leads elsewhere."""
    if is_new(came_at, now) and has_link(text):
        raise HubError("newcomer_links", facts={"until": (came_at or 0) + NEWCOMER_MS})


def over(reason: str, limit: int, came_at: int, now: int) -> HubError:
    """Too much for the first day: how much it may be, and until when (ms)."""
    until = came_at + NEWCOMER_MS
    return HubError(reason, facts={"limit": limit, "until": until}, retry_after_ms=until - now)
