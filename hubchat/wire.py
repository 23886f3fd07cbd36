"""Every command, reply, entry and signal of `hubchat.v1`, in both dialects. Pure: bytes and values, no I/O.

A frame becomes a checked command here or nowhere; an entry becomes a map here, and bytes once per dialect.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Final, Literal, TypeAlias

import msgpack
import orjson

from hubchat.errors import HubError

Dialect: TypeAlias = Literal["msgpack", "json"]
DIALECTS: Final[Mapping[str, Dialect]] = {"hubchat.v1.msgpack": "msgpack", "hubchat.v1.json": "json"}

MAX_ID: Final = 2**53 - 1  # every JSON reader holds it exactly
TEXT_BYTES: Final = 16_384
NONCE_BYTES: Final = 64
FRAME_BYTES: Final = 65_536
SERVER_FRAME_BYTES: Final = 512 * 1024
SUBSCRIPTIONS: Final = 500
OPEN_COMMANDS: Final = 64
HISTORY_LIMIT: Final = 200
REACTIONS_PER_MESSAGE: Final = 20
PEOPLE_IDS: Final = 100
WATCHED: Final = 500
REPLAY_ENTRIES: Final = 1_000  # further behind than this, a client reads history instead

UNREAD_KINDS: Final = ("message", "topic", "post", "event", "alert")
SHOWN_KINDS: Final = (*UNREAD_KINDS, "channel", "member", "notice")
CHANGE_KINDS: Final = ("edit", "delete", "reaction", "pin")


# ---------------------------------------------------------------- entries


@dataclass(slots=True)
class Entry:
    """One thing that happened in a channel, as every reader sees it. Times are ms since 1970.

    `data` holds the further fields of its kind as they go out; `target` is the seq that a change is about.
    """

    channel: int
    seq: int
    kind: str
    author: int | None
    at: int
    text: str | None = None
    target: int | None = None
    nonce: str | None = None
    lang: str | None = None
    data: dict[str, Any] | None = None
    rev: int | None = None
    edited_at: int | None = None
    deleted: bool = False
    pinned: bool = False
    reactions: dict[str, dict[str, Any]] | None = None

    def to_map(self) -> dict[str, Any]:
        """The entry as it goes out, in docs/protocol.md's fields; what is not there is left out."""
        out: dict[str, Any] = {
            "channel": self.channel,
            "seq": self.seq,
            "kind": self.kind,
            "author": self.author,
            "at": self.at,
        }
        if self.target is not None:
            out["target"] = self.target
        if self.rev is not None:
            out["rev"] = self.rev
        if self.deleted:
            out["deleted"] = True
            return out
        if self.data:
            out.update(self.data)
        if self.text is not None:
            out["text"] = self.text
        if self.nonce is not None:
            out["nonce"] = self.nonce
        if self.lang is not None:
            out["lang"] = self.lang
        if self.edited_at is not None:
            out["edited_at"] = self.edited_at
        if self.pinned:
            out["pinned"] = True
        if self.reactions:
            out["reactions"] = self.reactions
        return out


def entry(message: Any) -> Entry:
    """The entry that a decoded map holds, as `to_map` made it. Raises HubError `not_a_command` when it holds none."""
    if type(message) is not dict or not message.keys() >= _EVERY_ENTRY:
        raise HubError("not_a_command", "no entry")
    known = {name: value for name, value in message.items() if name in ENTRY_FIELDS}
    data = {name: value for name, value in message.items() if name not in ENTRY_FIELDS}
    return Entry(**known, data=data or None)


_EVERY_ENTRY: Final = frozenset({"channel", "seq", "kind", "author", "at"})
ENTRY_FIELDS: Final = frozenset(field.name for field in fields(Entry) if field.name != "data")
"""What every kind may have; `data` holds other names."""


# ---------------------------------------------------------------- bytes


def encode(dialect: Dialect, message: Mapping[str, Any]) -> bytes:
    """One message of the server as the payload of one frame."""
    if dialect == "msgpack":
        return msgpack.packb(message)  # type: ignore[no-any-return]  # msgpack has no types
    return orjson.dumps(message)


def decode(dialect: Dialect, payload: bytes | str) -> Any:
    """One frame's payload as a value. Raises HubError `not_a_command` when it is none of this dialect."""
    try:
        if dialect == "msgpack":
            return msgpack.unpackb(payload, strict_map_key=True)
        return orjson.loads(payload)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise HubError("not_a_command", f"not {dialect}: {type(error).__name__}") from None


def reply_ok(command_id: int | None, ok: Mapping[str, Any]) -> dict[str, Any]:
    return {"re": command_id, "ok": ok}


def reply_error(command_id: int | None, error: HubError) -> dict[str, Any]:
    return {"re": command_id, "error": error.body()}


# ---------------------------------------------------------------- commands


@dataclass(slots=True)
class Command:
    """A checked command. `id` is the client's, 0 where it comes from elsewhere."""

    do: ClassVar[str]
    id: int


@dataclass(slots=True)
class Subscribe(Command):
    do: ClassVar = "subscribe"
    channel: int
    after: int | None = None


@dataclass(slots=True)
class Unsubscribe(Command):
    do: ClassVar = "unsubscribe"
    channel: int


@dataclass(slots=True)
class Send(Command):
    do: ClassVar = "send"
    channel: int
    nonce: str
    text: str
    reply_to: int | None = None
    media: list[int] | None = None


@dataclass(slots=True)
class Edit(Command):
    do: ClassVar = "edit"
    channel: int
    seq: int
    text: str


@dataclass(slots=True)
class Delete(Command):
    do: ClassVar = "delete"
    channel: int
    seq: int


@dataclass(slots=True)
class React(Command):
    do: ClassVar = "react"
    channel: int
    seq: int
    emoji: str
    on: bool


@dataclass(slots=True)
class Pin(Command):
    do: ClassVar = "pin"
    channel: int
    seq: int
    on: bool


@dataclass(slots=True)
class Read(Command):
    do: ClassVar = "read"
    channel: int
    seq: int


@dataclass(slots=True)
class Unread(Command):
    do: ClassVar = "unread"
    channel: int
    seq: int


@dataclass(slots=True)
class History(Command):
    do: ClassVar = "history"
    channel: int
    before: int | None = None
    after: int | None = None
    around: int | None = None
    limit: int = 50


@dataclass(slots=True)
class People(Command):
    do: ClassVar = "people"
    ids: list[int]
    channel: int | None = None


@dataclass(slots=True)
class Typing(Command):
    do: ClassVar = "typing"
    channel: int


@dataclass(slots=True)
class Idle(Command):
    do: ClassVar = "idle"
    on: bool


@dataclass(slots=True)
class Watch(Command):
    do: ClassVar = "watch"
    people: list[int]


@dataclass(slots=True)
class Ping(Command):
    do: ClassVar = "ping"


VERBS: Final[Mapping[str, type[Command]]] = {
    verb.do: verb
    for verb in (
        Subscribe, Unsubscribe, Send, Edit, Delete, React, Pin, Read, Unread,
        History, People, Typing, Idle, Watch, Ping,
    )
}  # fmt: skip


def command(message: Any) -> Command:
    """The checked command that a decoded frame holds; raises HubError, which names the field."""
    if type(message) is not dict:
        raise HubError("not_a_command")
    verb = VERBS.get(message["do"]) if isinstance(message.get("do"), str) else None
    if verb is None:
        raise HubError("verb_unknown" if "do" in message else "field_missing", None if "do" in message else "`do`")
    checked = {}
    for name, check in _CHECKS[verb].items():
        if name in message:
            checked[name] = check(name, message[name])
        elif name in _REQUIRED[verb]:
            raise HubError("field_missing", f"`{name}` is missing")
    if len(message) != len(checked) + 1:
        unknown = next(str(name) for name in message if name != "do" and name not in checked)
        raise HubError("field_unknown", f"`{unknown[:40]}` is no field of `{verb.do}`")
    made = verb(**checked)
    if isinstance(made, History) and sum(x is not None for x in (made.before, made.after, made.around)) > 1:
        raise HubError("field_invalid", "give one of `before`, `after` and `around`")
    return made


def command_id(message: Any) -> int | None:
    """The id to answer under when the rest is wrong; None when there is none to be had."""
    found = message.get("id") if isinstance(message, dict) else None
    return found if type(found) is int and 0 <= found <= MAX_ID else None


# ---------------------------------------------------------------- checks, one per field name


def check_text(name: str, value: Any) -> str:
    """Text as its author wrote it: 1–16,384 bytes with something to read, no NUL, no lone surrogate."""
    if type(value) is not str:
        raise HubError("field_invalid", f"`{name}` is no text")
    if len(value) > TEXT_BYTES:
        raise HubError("text_too_large")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise HubError("text_invalid") from None
    if size > TEXT_BYTES:
        raise HubError("text_too_large")
    if "\0" in value:
        raise HubError("text_invalid")
    if not any(map(_is_seen, value)):
        raise HubError("text_empty")
    return value


def check_emoji(name: str, value: Any) -> str:
    """One emoji, with what may join and colour it (Unicode TR51, 1.4.9), of at most 32 code points; no letters."""
    if type(value) is not str or len(value) > 32 or not _ONE_EMOJI.fullmatch("".join(map(_emoji_part, value))):
        raise HubError("emoji_invalid")
    return value


_ONE_EMOJI: Final = re.compile(r"dv?k|ff|bv?m?v?t*(?:jbv?m?v?)*")
"""Over the letters of `_emoji_part`: a keycap, a flag, or pictures that are joined."""


def _is_seen(char: str) -> bool:
    if char.isascii():
        return char > " " and char != "\x7f"
    # Cc, Cf, Zs, Zl, Zp show nothing; U+2800 and the Hangul fillers are letters that show nothing
    return unicodedata.category(char)[0] not in "CZ" and char not in "\u2800\u3164\u115f\u1160\uffa0\u034f"


def _emoji_part(char: str) -> str:
    """d digit, k keycap, f half a flag, j joiner, v how it is drawn, m colour of skin, t tag, b a picture; else x."""
    code = ord(char)
    if char in "#*0123456789":
        return "d"
    if fixed := {0x20E3: "k", 0x200D: "j", 0xFE0F: "v", 0xFE0E: "v"}.get(code):
        return fixed
    for letter, first, last in (("f", 0x1F1E6, 0x1F1FF), ("m", 0x1F3FB, 0x1F3FF), ("t", 0xE0020, 0xE007F)):
        if first <= code <= last:
            return letter
    pictured = not char.isascii() and (unicodedata.category(char) in ("So", "Sk", "Sm") or char in "‼⁉")
    return "b" if pictured else "x"


def _check_int(low: int) -> Callable[[str, Any], int]:
    def check(name: str, value: Any) -> int:
        if type(value) is not int or not low <= value <= MAX_ID:
            raise HubError("field_invalid", f"`{name}` is no whole number from {low} to 2^53 - 1")
        return value

    return check


def _check_bool(name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise HubError("field_invalid", f"`{name}` is neither true nor false")
    return value


def check_nonce(name: str, value: Any) -> str:
    try:
        if type(value) is str and 1 <= len(value.encode()) <= NONCE_BYTES and "\0" not in value:
            return value
    except UnicodeEncodeError:
        pass
    raise HubError("field_invalid", f"`{name}` is no text of 1 to {NONCE_BYTES} bytes")


def _check_limit(name: str, value: Any) -> int:
    if type(value) is not int or not 1 <= value <= HISTORY_LIMIT:
        raise HubError("field_invalid", f"`{name}` is no whole number from 1 to {HISTORY_LIMIT}")
    return value


def _check_ids(most: int) -> Callable[[str, Any], list[int]]:
    check_id = _check_int(1)

    def check(name: str, value: Any) -> list[int]:
        if type(value) is not list or len(value) > most:
            raise HubError("field_invalid", f"`{name}` is no list of at most {most} ids")
        return [check_id(name, item) for item in value]

    return check


_FIELD_CHECKS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "id": _check_int(0),
    "channel": _check_int(1),
    "seq": _check_int(1),
    "after": _check_int(0),
    "before": _check_int(1),
    "around": _check_int(1),
    "reply_to": _check_int(1),
    "nonce": check_nonce,
    "text": check_text,
    "emoji": check_emoji,
    "on": _check_bool,
    "limit": _check_limit,
    "ids": _check_ids(PEOPLE_IDS),
    "people": _check_ids(WATCHED),
    "media": _check_ids(10),
}
"""A field means the same in every verb, so it is checked by its name."""

_CHECKS: Final = {verb: {field.name: _FIELD_CHECKS[field.name] for field in fields(verb)} for verb in VERBS.values()}
_REQUIRED: Final = {
    verb: frozenset(field.name for field in fields(verb) if field.default is MISSING) for verb in VERBS.values()
}
