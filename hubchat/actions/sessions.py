"""Signing in and out, and knowing who asks."""

import logging
from typing import Final, Literal

from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import sessions
from hubchat.storage.database import now_ms
from hubchat.storage.sessions import Caller, hash_secret

USED_EVERY_MS: Final = 3_600_000  # how exactly the last use is kept: a write an hour, not one a request

log: Final = logging.getLogger(__name__)


async def identify(node: Node, kind: Literal["session", "token"], secret: str) -> Caller:
    """Who holds this cookie or token; raises `sign_in_ended` where it is invalid or has ended."""
    hashed = hash_secret(secret)
    caller = await node.callers.get((kind, hashed))
    if caller is None:
        raise HubError("sign_in_ended")
    if caller.used_at < now_ms() - USED_EVERY_MS:
        await _note_use(node, kind, hashed)
    return caller


async def _note_use(node: Node, kind: Literal["session", "token"], hashed: str) -> None:
    try:
        await node.log.write(lambda tx: sessions.note_use(tx.connection, kind, hashed, tx.now))
    except HubError as error:  # reading goes on while nothing can be written
        log.warning("last use not kept: %s", error.reason)
