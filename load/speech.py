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
    """What a reader or a sender does first: `greetings` frames come back before it counts as ready."""

    path: str = "/"
    hello: bytes = b""
    greetings: int = 0


@dataclass(frozen=True)
class Speech:
    """`dialect` is one that native/speech.h knows; `headers` are shared out among the members."""

    dialect: str
    message: bytes
    reader: Role = field(default_factory=Role)
    sender: Role = field(default_factory=lambda: Role(path="/send"))
    subprotocol: str | None = None
    headers: tuple[str, ...] = ()


def text() -> str:
    """A message's text: TEXT_BYTES with the mark in front."""
    return MARK.ljust(TEXT_BYTES, "x")


def plain() -> Speech:
    """For servers that only broadcast what they get."""
    return Speech("plain", text().encode())


def hubchat(tokens: list[str], channels: list[int], channel: int) -> Speech:
    """The MessagePack dialect: readers subscribe to `channels`, senders write into `channel`."""
    commands = [{"do": "subscribe", "id": i, "channel": c} for i, c in enumerate(channels, 1)]
    hello = b"".join(masked(Opcode.BINARY, _pack(command)) for command in commands)
    send = {"do": "send", "id": 0x8000_0000, "channel": channel, "nonce": _nonce(), "text": text()}
    return Speech(
        dialect="msgpack",
        message=_pack(send),
        reader=Role("/live", hello, 1 + len(channels)),
        sender=Role("/live", b"", 1),
        subprotocol="hubchat.v1.msgpack",
        headers=tuple(f"Authorization: Bearer {token}" for token in tokens),
    )


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
