"""How members speak to each server: paths, first frames, and one message as a template.

In a template `MARK` stands for the message's number, which the member program fills in, and `NONCE` for a nonce's end.
"""

import secrets
from dataclasses import dataclass, field
from typing import Any

import msgpack
from websockets.frames import Frame, Opcode

MARK, NONCE = "#mark00000000", "#once00000000"
TEXT_BYTES = 200


@dataclass(frozen=True)
class Role:
    """What a reader or a sender does first: `greetings` frames come back before it counts as ready, and `replays`
    entries that it missed. `hellos` beyond the first are other members', who take turns."""

    path: str = "/"
    hello: bytes = b""
    greetings: int = 0
    hellos: tuple[bytes, ...] = ()
    replays: int = 0


@dataclass(frozen=True)
class Speech:
    """`dialect` is one that native/speech.h knows; `headers` are shared out among the members. `messages` beyond the
    first are for other rooms, in turn."""

    dialect: str
    message: bytes
    reader: Role = field(default_factory=Role)
    sender: Role = field(default_factory=lambda: Role(path="/send"))
    subprotocol: str | None = None
    headers: tuple[str, ...] = ()
    messages: tuple[bytes, ...] = ()


def text() -> str:
    """A message's text: TEXT_BYTES with the mark in front."""
    return MARK.ljust(TEXT_BYTES, "x")


def plain() -> Speech:
    """For servers that only broadcast what they get."""
    return Speech("plain", text().encode())


def hubchat(tokens: list[str], channels: list[int], channel: int) -> Speech:
    """The MessagePack dialect: readers subscribe to `channels`, senders write into `channel`."""
    return rooms(tokens, [channel], [[{"channel": one} for one in channels]])


def rooms(tokens: list[str], written: list[int], read: list[list[dict[str, int]]], replays: int = 0) -> Speech:
    """Senders write into the channels `written` in turn; reader by reader takes the next list of `read`, whose
    subscriptions are as many for each, and has missed `replays` entries of them."""
    nonce = _nonce()
    first, *others = (_subscriptions(one) for one in read)
    message, *messages = (_send(channel, nonce) for channel in written)
    return Speech(
        dialect="msgpack",
        message=message,
        reader=Role("/live", first, 1 + len(read[0]), tuple(others), replays),
        sender=Role("/live", b"", 1),
        subprotocol="hubchat.v1.msgpack",
        headers=tuple(f"Authorization: Bearer {token}" for token in tokens),
        messages=tuple(messages),
    )


def _subscriptions(of: list[dict[str, int]]) -> bytes:
    commands = ({"do": "subscribe", "id": i, **more} for i, more in enumerate(of, 1))
    return b"".join(masked(Opcode.BINARY, _pack(command)) for command in commands)


def _send(channel: int, nonce: str) -> bytes:
    return _pack({"do": "send", "id": 0x8000_0000, "channel": channel, "nonce": nonce, "text": text()})


def socketio() -> Speech:
    """Engine.IO 4 over WebSocket: readers are in the room, senders call `say` and get an acknowledgement."""
    path, connect = "/socket.io/?EIO=4&transport=websocket", masked(Opcode.TEXT, b"40")
    message = f'4200000000["say","room","{_nonce()}","{text()}"]'
    return Speech(
        dialect="socketio",
        message=message.encode(),
        reader=Role(f"{path}&room=room", connect, 2),
        sender=Role(path, connect, 2),
    )


def _nonce() -> str:
    """Other than that of any other run, so that nothing is taken for a repetition."""
    return NONCE + secrets.token_hex(4)


def _pack(command: dict[str, Any]) -> bytes:  # Any: a command's values are of several types
    return bytes(msgpack.packb(command))


def masked(opcode: Opcode, payload: bytes) -> bytes:
    """One whole frame as a client sends it."""
    return Frame(opcode, payload).serialize(mask=True)
