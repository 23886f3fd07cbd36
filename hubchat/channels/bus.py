"""What a bus between nodes does, and the one of a hub that is a single node.

A bus carries hints about what SQL already holds; losing it loses nothing (law 1).
"""

from collections.abc import Sequence
from typing import Protocol

from hubchat.channels.encoded import Encoded


class Bus(Protocol):
    """Follows topics of channels and publishes to them; what comes in goes to the hub's gate."""

    async def follow(self, channel: int) -> None:
        """Returns once what other nodes publish there will arrive, or the bus is known to be down."""

    def leave(self, channel: int) -> None: ...

    def publish(self, batch: Sequence[Encoded]) -> None:
        """Tells other nodes of entries that are committed, in commit order."""


class SingleNode:
    """There is nobody else to tell."""

    async def follow(self, channel: int) -> None:
        return

    def leave(self, channel: int) -> None:
        return

    def publish(self, batch: Sequence[Encoded]) -> None:
        return
