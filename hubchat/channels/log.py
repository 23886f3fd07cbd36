"""The only writer: the transaction that publishes, and the group commit."""

from collections.abc import Callable
from typing import TypeVar

from hubchat.channels.transaction import Transaction

T = TypeVar("T")


class Log:
    async def write(self, verb: Callable[[Transaction], T]) -> T:
        raise NotImplementedError
