"""What a client shows of a channel: entries folded into messages, as docs/protocol.md tells it to. Pure."""

from collections.abc import Iterable
from typing import Any

Entry = dict[str, Any]
CHANGES = ("edit", "delete", "reaction", "pin")


def fold(entries: Iterable[Entry]) -> dict[int, Entry]:
    """Messages by seq: text, whether deleted or pinned, and how often each emoji stands there."""
    shown: dict[int, Entry] = {}
    for entry in entries:
        if entry["kind"] == "message":
            shown[entry["seq"]] = {
                "author": entry["author"], "text": entry.get("text"), "deleted": entry.get("deleted", False),
                "pinned": entry.get("pinned", False), "rev": entry.get("rev", 0), "reply_to": entry.get("reply_to"),
                "reactions": {emoji: one["count"] for emoji, one in entry.get("reactions", {}).items()},
            }  # fmt: skip
        elif entry["kind"] in CHANGES and entry["target"] in shown and entry["seq"] > shown[entry["target"]]["rev"]:
            _change(shown[entry["target"]], entry)
    return shown


def _change(message: Entry, entry: Entry) -> None:
    message["rev"] = entry["seq"]
    match entry["kind"]:
        case "edit":
            message["text"] = entry.get("text", message["text"])
        case "delete":
            message.update(text=None, deleted=True, pinned=False, reactions={})
        case "reaction":
            count = message["reactions"].pop(entry["emoji"], 0) + (1 if entry["on"] else -1)
            if count:
                message["reactions"][entry["emoji"]] = count
        case "pin":
            message["pinned"] = entry["on"]
