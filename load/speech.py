"""How members speak to each server: paths, first frames, and one message as a template.

In a template `MARK` stands for the message's number, which the member program fills in, and `NONCE` for a nonce's end;
in a hello `SELF` stands for the member's own number.
"""

import json
import secrets
from dataclasses import dataclass, field, replace
from typing import Any

import msgpack
from websockets.frames import Frame, Opcode

MARK, NONCE, SELF = "#mark00000000", "#once00000000", "#self00000000"
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


def nchan() -> Speech:
    """Bare WebSocket messages: readers subscribe by their path, senders publish by theirs."""
    return replace(plain(), reader=Role("/room"))


def centrifuge(channels: int) -> Speech:
    """Centrifugo's protocol in JSON: readers subscribe to so many channels, senders publish into the first."""
    path, rooms = "/connection/websocket", [f"room{number}" for number in range(max(channels, 1))]
    connect = masked(Opcode.TEXT, b'{"id":1,"connect":{}}')
    subscribe = [{"id": i, "subscribe": {"channel": room}} for i, room in enumerate(rooms[:channels], 2)]
    hello = b"".join(masked(Opcode.TEXT, json.dumps(command).encode()) for command in subscribe)
    message = f'{{"id":1000000000,"publish":{{"channel":"{rooms[0]}","data":"{text()}"}}}}'
    return Speech(
        dialect="centrifuge",
        message=message.encode(),
        reader=Role(path, connect + hello, 1 + channels),
        sender=Role(path, connect, 1),
    )


def ejabberd() -> Speech:
    """XMPP over WebSocket (RFC 7395): everybody comes in without an account, and into one room; senders hear it too.

    A sender's acknowledgement is its own message as the room gives it to all, archived.
    """
    room = "room@conference.localhost"
    opening = '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="localhost" version="1.0"/>'
    stanzas = [
        opening,
        '<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="ANONYMOUS"/>',
        opening,
        '<iq xmlns="jabber:client" type="set" id="bind"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></iq>',
        f'<presence xmlns="jabber:client" to="{room}/{SELF}">'
        '<x xmlns="http://jabber.org/protocol/muc"><history maxstanzas="0"/></x></presence>',
    ]
    member = Role("/ws", b"".join(masked(Opcode.TEXT, stanza.encode()) for stanza in stanzas), 1)
    message = (
        f'<message xmlns="jabber:client" to="{room}" type="groupchat" id="{_nonce()}"><body>{text()}</body></message>'
    )
    return Speech("xmpp", message.encode(), reader=member, sender=member, subprotocol="xmpp")


def _nonce() -> str:
    """Other than that of any other run, so that nothing is taken for a repetition."""
    return NONCE + secrets.token_hex(4)


def _pack(command: dict[str, Any]) -> bytes:  # Any: a command's values are of several types
    return bytes(msgpack.packb(command))


def masked(opcode: Opcode, payload: bytes) -> bytes:
    """One whole frame as a client sends it."""
    return Frame(opcode, payload).serialize(mask=True)
