"""What a bus between nodes does, and the one of a hub that is a single node.

A bus carries hints about what SQL already holds; losing it loses nothing (law 1).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from hubchat.channels.encoded import Encoded

Signal = Mapping[str, Any]
"""Something said once and never stored, between nodes: `signal` names its kind. Any: each kind has its own fields."""


class Hearer(Protocol):
    """Who is told what other nodes say."""

    def offer(self, batch: Sequence[Encoded]) -> None:
        """Entries of one channel, one seq after the other."""

    def gapped(self, channels: Collection[int] | None) -> None:
        """Something may have been missed in these channels; None: in every one."""

    def heard(self, node: int, channel: int, signal: Signal) -> None:
        """Another node said this: about a channel, an account, or, where that is 0, itself."""


class Bus(Protocol):
    """Follows topics of channels and publishes to them; what comes in goes to its hearer."""

    @property
    def is_ok(self) -> bool:
        """Whether what other nodes say arrives, and what this one says too, as far as it knows."""

    @property
    def unpublished(self) -> int:
        """How often something was not published, since the start."""

    async def open(self, hearer: Hearer) -> None:
        """Begins to listen. Returns once it is up, or after a second: then it is looked for until it is there."""

    async def follow(self, channel: int) -> None:
        """Returns once what other nodes publish there will arrive, or the bus is known to be down."""

    def leave(self, channel: int) -> None: ...

    def publish(self, batch: Sequence[Encoded]) -> None:
        """Tells other nodes of entries that are committed, in commit order."""

    def tell(self, channel: int, signal: Signal) -> None:
        """Says something once to the nodes that follow a channel; about channel 0 to all."""

    def tell_account(self, account: int, signal: Signal) -> None:
        """Says something once to whichever node has connections of an account."""

    def turn_to(self, log_id: int) -> None:
        """Goes on with another history: nothing of the former one is followed any more."""

    async def close(self) -> None:
        """Says what waits to be said, for a moment, and listens no more."""


class SingleNode:
    """There is nobody else to tell."""

    is_ok = True
    unpublished = 0

    async def open(self, hearer: Hearer) -> None:
        return

    async def follow(self, channel: int) -> None:
        return

    def leave(self, channel: int) -> None:
        return

    def publish(self, batch: Sequence[Encoded]) -> None:
        return

    def tell(self, channel: int, signal: Signal) -> None:
        return

    def tell_account(self, account: int, signal: Signal) -> None:
        return

    def turn_to(self, log_id: int) -> None:
        return

    async def close(self) -> None:
        return
