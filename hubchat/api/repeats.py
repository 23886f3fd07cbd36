"""Idempotency-Key: the same POST again gets the same answer, for 24 hours, and happens once."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.responses import Response

from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import repeats
from hubchat.storage.sessions import Caller

KEY_CHARS: Final = 200


async def once(
    node: Node, caller: Caller, key: str, path: str, body: bytes, carry_out: Callable[[], Awaitable[Response]]
) -> Response:
    """The answer to this key's first POST; `carry_out` runs only for that one.

    Raises `key_reused` when the body is another, `outcome_unknown` while the first is still being carried out.
    """
    if not 1 <= len(key) <= KEY_CHARS:
        raise HubError("fields_invalid", fields={"Idempotency-Key": f"1 to {KEY_CHARS} characters"})
    which = repeats.Key(caller.account_id, key, path)
    body_hash = hashlib.sha256(body).hexdigest()
    found = await node.log.write(lambda tx: repeats.claim(tx.connection, which, body_hash, tx.now))
    if found is not None:
        return _again(found, body_hash)
    try:
        answer = await carry_out()
    except HubError as error:
        if error.code != "unavailable":  # nothing happened, for certain
            await node.log.write(lambda tx: repeats.release(tx.connection, which))
        raise
    text = bytes(answer.body).decode()
    await node.log.write(lambda tx: repeats.keep(tx.connection, which, answer.status_code, text))
    return answer


def _again(found: repeats.Kept, body_hash: str) -> Response:
    if found.body_hash != body_hash:
        raise HubError("key_reused")
    if found.status == repeats.UNDER_WAY:
        raise HubError("outcome_unknown", retry_after_ms=1_000)
    return Response(found.answer, found.status, media_type="application/json" if found.answer else None)
