"""What each frame and answer must look like: what is missing or of another type fails, more may be there."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

Says = Callable[[Any], Any]  # whether a value is of the shape

BIGGEST: Final = 2**53 - 1
CODES: Final = {
    "bad_request": {400, 405, 421, 422},
    "unauthorized": {401},
    "forbidden": {403},
    "not_found": {404},
    "conflict": {409, 412},
    "too_large": {413},
    "rate_limited": {429},
    "unavailable": {503},
    "internal": {500},
}
PROTOCOL: Final = Path(__file__).resolve().parents[2] / "docs" / "protocol.md"
REASONS: Final = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", PROTOCOL.read_text("utf-8"), re.MULTILINE))
_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


# Values


def number(value: Any) -> bool:
    return type(value) is int and 0 <= value <= BIGGEST


def an_id(value: Any) -> bool:
    return number(value) and value >= 1


def ms(value: Any) -> bool:
    """Milliseconds, not seconds or microseconds: between the years 2020 and 2100."""
    return number(value) and 1_577_000_000_000 < value < 4_102_000_000_000


def rfc_3339(value: Any) -> bool:
    return isinstance(value, str) and bool(_RFC_3339.fullmatch(value))


def text(value: Any) -> bool:
    return isinstance(value, str)


def word(value: Any) -> bool:
    """A stable name."""
    return isinstance(value, str) and bool(re.fullmatch(r"[a-z][a-z0-9_]*", value))


def handle(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[a-z0-9][a-z0-9-]{1,30}", value))


def true(value: Any) -> bool:
    return value is True


def boolean(value: Any) -> bool:
    return isinstance(value, bool)


def one_of(*values: Any) -> Says:
    return lambda value: value in values


def maybe(says: Says) -> Says:
    return lambda value: value is None or says(value)


def list_of(says: Says, most: int = 1000) -> Says:
    return lambda value: isinstance(value, list) and len(value) <= most and all(map(says, value))


def map_of(says: Says, key: Says = text) -> Says:
    return lambda value: isinstance(value, dict) and all(key(k) and says(v) for k, v in value.items())


def id_as_key(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit() and an_id(int(value))


def shaped(needed: Mapping[str, Says], optional: Mapping[str, Says] | None = None) -> Says:
    """A map with these fields. It names the one that is wrong."""
    needed, optional = dict(needed), dict(optional or {})

    def says(value: Any) -> bool:
        assert isinstance(value, dict), f"{value!r} is no map"
        for name, of in needed.items():
            assert name in value, f"{name} is missing in {value}"
            assert of(value[name]), f"{name} is {value[name]!r} in {value}"
        for name, of in optional.items():
            assert name not in value or of(value[name]), f"{name} is {value[name]!r} in {value}"
        return True

    return says


# The live protocol

LIMITS: Final = ("message_bytes", "frame_bytes", "subscriptions", "commands_per_10s", "open_commands")


def _name(value: Any) -> bool:
    """Of a log or a node, which are compared and nothing else."""
    return text(value) or an_id(value)


_USER: Final = shaped(
    {"id": an_id, "handle": handle, "name": text, "role": one_of("member", "moderator", "admin"), "inbox": an_id}
)
WELCOME: Final = shaped(
    {
        "version": text,
        "log": _name,
        "node": _name,
        "time": ms,
        "user": maybe(_USER),
        "limits": shaped(dict.fromkeys(LIMITS, number)),
    }
)
ERROR: Final = shaped(
    {"code": one_of(*CODES), "reason": word, "message": text},
    {"facts": map_of(lambda _: True), "retry_after_ms": number},
)
_ABOUT_MESSAGE: Final = {"target": an_id}
_REACTIONS: Final = map_of(shaped({"count": an_id, "people": list_of(an_id, 20)}))
_KINDS: Final = {
    "message": shaped(
        {},
        {
            "text": text,
            "reply_to": an_id,
            "mentions": list_of(an_id),
            "media": list_of(an_id),
            "lang": text,
            "nonce": text,
            "rev": an_id,
            "edited_at": lambda value: ms(value) or rfc_3339(value),
            "deleted": true,
            "reactions": _REACTIONS,
            "pinned": true,
        },
    ),
    "edit": shaped(_ABOUT_MESSAGE, {"text": text}),
    "delete": shaped(_ABOUT_MESSAGE),
    "reaction": shaped({**_ABOUT_MESSAGE, "emoji": text, "on": boolean}),
    "pin": shaped({**_ABOUT_MESSAGE, "on": boolean}),
    "channel": shaped({"change": one_of("title", "about", "visibility", "state")}),
    "member": shaped({"person": an_id, "change": one_of("joined", "left", "role")}),
    "notice": shaped(
        {
            "about": shaped({"channel": an_id}, {"seq": an_id}),
            "reason": one_of(
                "mention",
                "reply",
                "invitation",
                "request",
                "approved",
                "declined",
                "removed",
                "role",
                "reaction",
                "alert",
                "reminder",
                "report",
                "moderation",
            ),
        }
    ),
}
_SIGNALS: Final = {
    "typing": shaped({"channel": an_id, "person": an_id}),
    "presence": shaped({"people": map_of(one_of("online", "away", "offline"), id_as_key)}),
    "audience": shaped({"channel": an_id, "count": number}),
    "inbox": shaped({"unread": map_of(number, id_as_key)}),
}
_REVOKED: Final = shaped({"channel": an_id, "reason": word})
_BYE: Final = shaped({"code": number, "reason": text}, {"reconnect_in_ms": list_of(number, 2)})


def check_error(error: Any) -> bool:
    """A refusal, for a reason of the closed table, which says its code."""
    assert ERROR(error)
    assert REASONS.get(error["reason"]) == error["code"], f"not in the table: {error}"
    return True


def check_entry(entry: dict[str, Any], at: Says = ms) -> bool:
    """An entry of any kind; `at` says how its dialect writes times."""
    shaped({"channel": an_id, "seq": an_id, "kind": one_of(*_KINDS), "author": maybe(an_id), "at": at})(entry)
    assert _KINDS[entry["kind"]](entry)
    assert entry["author"] or entry["kind"] == "notice", f"nobody's: {entry}"  # who removed one is not said
    if entry["kind"] == "message":
        assert ("text" in entry) != ("deleted" in entry), entry
        assert "edited_at" not in entry or at(entry["edited_at"])
    return True


def check_frame(frame: dict[str, Any]) -> None:
    """Everything that the hub may say on a live connection."""
    assert _is_plain(frame), frame
    match frame:
        case {"welcome": welcome}:
            assert WELCOME(welcome)
        case {"re": command, **rest}:
            assert command is None or type(command) is int, frame
            assert ("ok" in rest) != ("error" in rest), frame
            assert isinstance(rest["ok"], dict) if "ok" in rest else check_error(rest["error"])
        case {"kind": _}:
            assert check_entry(frame)
        case {"signal": signal}:
            assert _SIGNALS[signal](frame)
        case {"revoked": revoked}:
            assert _REVOKED(revoked)
        case {"bye": bye}:
            assert _BYE(bye)
        case _:
            raise AssertionError(f"nothing of this protocol: {frame}")


def _is_plain(value: Any) -> bool:
    """Keys are strings; numbers are within what every client can hold."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | bool) or (type(value) is int and abs(value) <= BIGGEST)


# HTTP

FAULT: Final = shaped({"error": check_error})
PERSON: Final = shaped(
    {"id": an_id, "handle": handle, "name": text}, {"badge": maybe(text), "bot": boolean, "gone": boolean}
)


def page_of(says: Says) -> Says:
    return shaped({"items": list_of(says), "next": maybe(text)})


def check_fault(status: int, headers: Mapping[str, str], body: Any) -> None:
    """A refusal over HTTP: the code has its status, and who should come later is told when."""
    assert FAULT(body)
    fault = body["error"]
    assert status in CODES[fault["code"]], (status, fault)
    assert "fields" not in fault or map_of(text)(fault["fields"]), fault
    assert status not in (429, 503) or int(headers["retry-after"]) >= 0, dict(headers)
