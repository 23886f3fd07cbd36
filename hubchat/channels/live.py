"""A channel that has readers on this node, and one reader's place in it."""

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Protocol

from hubchat.channels.encoded import Encoded
from hubchat.channels.turns import Sink
from hubchat.errors import Close
from hubchat.framing import WireClass


class Reader(Sink, Protocol):
    """A connection that subscribes to channels."""

    lagging: bool
    account_id: int | None
    inbox_id: int | None
    session_id: int | None
    token_id: int | None

    def signal(self, signal: Mapping[str, object]) -> None:
        """Sends a signal to this connection alone."""

    def revoke(self, subscription: "Subscription", reason: str) -> None:
        """The right to read is lost; the hub has ended the subscription already."""

    def bye(self, close: Close) -> None:
        """Say goodbye and close."""


class Subscription:
    """One reader of one channel. `position` is the last seq it has while it is not among the readers, else None.

    It is joining until `admitted`; `member` says whether it hears who is typing.
    """

    __slots__ = ("admitted", "live", "member", "position", "reader")

    def __init__(self, reader: Reader, live: "Live") -> None:
        self.reader = reader
        self.live = live
        self.position: int | None = 0
        self.admitted = False
        self.member = False

    @property
    def is_current(self) -> bool:
        """Whether this is still the reader's subscription to its channel: to be asked after each await."""
        return self.live.subscriptions.get(self.reader) is self


class Replay:
    """Entries on their way from SQL to readers who missed them; `changed` names those that changed since."""

    def __init__(self) -> None:
        self.changed: set[int] = set()


class Live:
    """A channel that has readers here, or had until a moment ago."""

    __slots__ = (
        "access_id", "at", "behind", "blocked", "held", "held_bytes", "id", "opened", "opening", "queue",
        "quiet_since", "readers", "repairing", "replays", "subscriptions",
    )  # fmt: skip

    def __init__(self, channel: int) -> None:
        self.id = channel
        self.access_id = channel
        self.at = 0
        self.opened = False
        self.opening: asyncio.Task[None] | None = None
        self.queue: list[Encoded] = []
        self.held: dict[int, Encoded] = {}
        self.held_bytes = 0
        self.readers: dict[WireClass, dict[Reader, Subscription]] = {}
        self.subscriptions: dict[Reader, Subscription] = {}
        self.blocked = 0
        self.behind = False
        self.repairing = False
        self.replays: set[Replay] = set()
        self.quiet_since = monotonic()

    @property
    def next(self) -> int:
        """The seq that comes next through the gate."""
        return self.at + len(self.queue) + 1
