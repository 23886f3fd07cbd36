"""What waits for the next commit: messages and changes to them, one item each, and what became of it."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import ClassVar, NamedTuple, TypeAlias

from hubchat.access import Action
from hubchat.errors import HubError


class Stored(NamedTuple):
    """What became of an item: its entry's `seq` and `at`. `changed` is False when it was there already."""

    seq: int
    at: int
    changed: bool = True


Done: TypeAlias = Callable[[Stored | HubError], None]
"""Who asked is told, once, on the event loop, in commit order."""


def fresh_nonce() -> str:
    """A nonce for what came without one, so that a commit of unknown outcome can be asked about."""
    return secrets.token_urlsafe(16)


@dataclass(slots=True)
class Item:
    """Something `account` wants done in `channel`."""

    action: ClassVar[Action]
    account: int
    persona: int
    channel: int
    done: Done
    nonce: str = field(default_factory=fresh_nonce, kw_only=True)
    waiting_since: float = field(default_factory=monotonic, kw_only=True)
    came_at: float | None = field(default=None, init=False)  # for traces alone

    @property
    def size(self) -> int:
        """About the bytes it holds while it waits."""
        return 300


@dataclass(slots=True)
class Message(Item):
    action: ClassVar[Action] = "send"
    text: str
    reply_to: int | None = None

    @property
    def size(self) -> int:
        return 300 + 2 * len(self.text)


@dataclass(slots=True)
class Edit(Item):
    action: ClassVar[Action] = "edit"
    seq: int
    text: str

    @property
    def size(self) -> int:
        return 300 + 2 * len(self.text)


@dataclass(slots=True)
class Delete(Item):
    action: ClassVar[Action] = "delete_own"
    seq: int


@dataclass(slots=True)
class React(Item):
    action: ClassVar[Action] = "react"
    seq: int
    emoji: str
    on: bool


@dataclass(slots=True)
class Pin(Item):
    action: ClassVar[Action] = "pin"
    seq: int
    on: bool


Change = Edit | Delete | React | Pin
