"""Messages and what is done to them: handed to the log in arrival order, without a task."""

from hubchat.channels.items import Delete, Done, Edit, Message, Pin, React, fresh_nonce
from hubchat.channels.log import Log
from hubchat.errors import HubError
from hubchat.storage.sessions import Caller


def send(
    log: Log,
    caller: Caller,
    channel: int,
    text: str,
    done: Done,
    *,
    nonce: str | None = None,
    reply_to: int | None = None,
    media: list[int] | None = None,
) -> None:
    """Sends a message. The same `nonce` from the same author in the same channel is the same message."""
    if media:
        raise HubError("media_unknown")
    made = Message(caller.account_id, caller.persona_id, channel, done, text, reply_to, nonce=nonce or fresh_nonce())
    log.submit(made)


def edit(log: Log, caller: Caller, channel: int, seq: int, text: str, done: Done) -> None:
    """Replaces the text of one's own message; the former one stays with its revisions."""
    log.submit(Edit(caller.account_id, caller.persona_id, channel, done, seq, text))


def delete(log: Log, caller: Caller, channel: int, seq: int, done: Done) -> None:
    """Empties a message: one's own, or as a moderator."""
    log.submit(Delete(caller.account_id, caller.persona_id, channel, done, seq))


def react(log: Log, caller: Caller, channel: int, seq: int, emoji: str, on: bool, done: Done) -> None:
    """Sets or takes back one's emoji on a message."""
    log.submit(React(caller.account_id, caller.persona_id, channel, done, seq, emoji, on))


def pin(log: Log, caller: Caller, channel: int, seq: int, on: bool, done: Done) -> None:
    """Pins a message, or unpins it."""
    log.submit(Pin(caller.account_id, caller.persona_id, channel, done, seq, on))
