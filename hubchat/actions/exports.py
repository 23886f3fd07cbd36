"""Everything of a member as one file: a zip of JSON, and a page that can be read without a program."""

import asyncio
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import IO, Any, Final

import orjson

from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import exports
from hubchat.storage.database import Connection, now_ms
from hubchat.storage.exports import Row

BUSY_MS: Final = 10_000


async def export(node: Node, account_id: int) -> tuple[IO[bytes], int]:
    """The export in a file without a name, and its bytes; whoever has it closes it. Raises `overloaded`.

    It is written to the data folder first, so that no slow line holds a moment of the database.
    """
    if node.exports.locked():
        raise HubError("overloaded", retry_after_ms=BUSY_MS)
    async with node.exports:
        file = tempfile.TemporaryFile(dir=node.settings.data)  # noqa: SIM115  # it goes to whoever sends it
        try:
            await node.database.read(lambda connection: write(connection, account_id, file))
            size = file.tell()
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file, size


async def export_to(node: Node, account_id: int, path: Path) -> None:
    """The export as a file that is not there yet, for its owner alone. Raises FileExistsError, OSError."""
    made = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    with made:
        try:
            await node.database.read(lambda connection: write(connection, account_id, made))
            await asyncio.to_thread(os.fsync, made.fileno())
        except BaseException:
            await asyncio.to_thread(path.unlink)
            raise


def write(connection: Connection, account_id: int, file: IO[bytes]) -> None:
    """Writes it, a page of the database at a time. All of it is of one moment."""
    exports.begin_export(connection)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, parts in _FILES.items():
            with packed.open(name, "w", force_zip64=True) as out:
                _write_json(out, {part: read(connection, account_id) for part, read in parts.items()})
        with packed.open("index.html", "w", force_zip64=True) as out:
            for piece in _page(connection, account_id):
                out.write(piece.encode())


Read = Callable[[Connection, int], Row | Iterable[Row]]


def _one(name: str) -> Read:
    return lambda connection, account_id: exports.read_one(connection, name, account_id)


def _list(name: str) -> Read:
    return lambda connection, account_id: exports.read_list(connection, name, account_id)


_FILES: Final[dict[str, dict[str, Read]]] = {
    "account.json": {"account": _one("account"), "personas": _list("personas"), "badges": _list("badges")},
    "consents.json": {"consents": _list("consents")},
    "sessions.json": {
        "sessions": _list("sessions"), "tokens": _list("tokens"), "ways_to_sign_in": _one("ways_to_sign_in"),
    },
    "memberships.json": {
        "memberships": exports.read_memberships, "reading": exports.read_readings,
        "invitations": _list("invitations"),
    },
    "blocks.json": {"blocks": _list("blocks")},
    "reports.json": {"reports": _list("reports")},
    "messages.json": {"messages": exports.read_messages},
    "reactions.json": {"reactions": exports.read_marks},
    "notices.json": {"notices": exports.read_notices},
}  # fmt: skip
"""File → part → what is in it: one thing, or many."""


def _write_json(out: IO[bytes], parts: dict[str, Row | Iterable[Row]]) -> None:
    """One object, its lists written as they are read."""
    before = b"{"
    for name, content in parts.items():
        out.write(before + orjson.dumps(name) + b": ")
        if isinstance(content, dict):
            out.write(orjson.dumps(_told(content), option=orjson.OPT_INDENT_2))
        else:
            comma = b"["
            for row in content:
                out.write(comma + b"\n" + orjson.dumps(_told(row)))
                comma = b","
            out.write(b"\n]" if comma == b"," else b"[]")
        before = b",\n"
    out.write(b"}\n")


def _told(row: Any) -> Any:  # Any: JSON of any shape
    """Times as HTTP writes them; what is a truth in one database and a number in the other as a truth."""
    if isinstance(row, list):
        return [_told(one) for one in row]
    if not isinstance(row, dict):
        return row
    told: dict[str, Any] = {}
    for name, value in row.items():
        if (name == "at" or name.endswith("_at") or name == "until") and isinstance(value, int):
            told[name] = datetime.fromtimestamp(value / 1_000, UTC).isoformat(timespec="milliseconds")
        elif name in _TRUTHS and value is not None:
            told[name] = bool(value)
        elif name != "readable":
            told[name] = _told(value)
    return told


_TRUTHS: Final = frozenset({"findable", "industry", "bot", "listed", "follow"})

# ---------------------------------------------------------------- the page

_WORDS: Final = {
    "en": {
        "title": "What {hub} keeps about you", "made": "As of {at}. The same as JSON is in the other files.",
        "account": "Account", "consents": "What you agreed to", "sessions": "Where you are signed in",
        "memberships": "Groups and conversations", "blocks": "Whom you block", "reports": "What you reported",
        "messages": "What you wrote",
        "nothing": "Nothing.", "reply": "in reply to message {seq}", "former": "before, {at}:",
    },
    "de": {
        "title": "Was {hub} über Sie speichert", "made": "Stand {at}. Dasselbe als JSON steht in den anderen Dateien.",
        "account": "Konto", "consents": "Womit Sie einverstanden waren", "sessions": "Wo Sie angemeldet sind",
        "memberships": "Gruppen und Gespräche", "blocks": "Wen Sie blockieren", "reports": "Was Sie gemeldet haben",
        "messages": "Was Sie geschrieben haben",
        "nothing": "Nichts.", "reply": "als Antwort auf Nachricht {seq}", "former": "zuvor, {at}:",
    },
}  # fmt: skip
_STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;inline-size:100%}td,th{border:1px solid #999;padding:.2rem .5rem;text-align:start;"
    "vertical-align:top}article{border-block-end:1px solid #ccc;padding-block:.5rem}time{color:#555}"
    "p,td{white-space:pre-wrap;overflow-wrap:anywhere}"
)


def _page(connection: Connection, account_id: int) -> Iterator[str]:
    account = exports.read_one(connection, "account", account_id)
    lang = str(account["lang"] or "en").partition("-")[0]
    words = _WORDS.get(lang, _WORDS["en"])
    title = words["title"].format(hub="hubchat")
    yield (
        f'<!doctype html><html lang="{lang if lang in _WORDS else "en"}"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{words['made'].format(at=_told({'at': now_ms()})['at'])}</p>"
    )
    personas = exports.read_list(connection, "personas", account_id)
    yield from _table(words["account"], [{**account, **one} for one in personas], words)
    for name in ("consents", "sessions"):
        yield from _table(words[name], exports.read_list(connection, name, account_id), words)
    yield from _table(words["memberships"], exports.read_memberships(connection, account_id), words)
    for name in ("blocks", "reports"):
        yield from _table(words[name], exports.read_list(connection, name, account_id), words)
    yield f"<h2>{words['messages']}</h2>"
    yield from _messages(exports.read_messages(connection, account_id), words)


def _table(heading: str, rows: Iterable[Row], words: dict[str, str]) -> Iterator[str]:
    yield f"<h2>{heading}</h2>"
    columns: list[str] = []
    for row in rows:
        told = _told(row)
        if not columns:
            columns = list(told)
            yield f"<table><tr>{''.join(f'<th>{name}' for name in columns)}"
        cells = (told[name] for name in columns)
        yield f"<tr>{''.join(f'<td dir=auto>{_cell(value)}' for value in cells)}"
    yield "</table>" if columns else f"<p>{words['nothing']}</p>"


def _cell(value: Any) -> str:  # Any: a value of a row
    if value is None:
        return ""
    return escape(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def _messages(rows: Iterable[Row], words: dict[str, str]) -> Iterator[str]:
    before = None
    for row in rows:
        told = _told(row)
        if told["channel"] != before:
            before = told["channel"]
            yield f"<h3 dir=auto>{escape(told['title'] or ', '.join(told['with']) or str(before))}</h3>"
        reply = f" {words['reply'].format(seq=told['reply_to'])}" if told["reply_to"] else ""
        marks = " ".join(f"{escape(emoji)} {count}" for emoji, count in told["reactions"].items())
        former = "".join(
            f"<p><small>{words['former'].format(at=one['at'])}</small><br>"
            f"<span dir=auto>{escape(one['text'])}</span></p>"
            for one in told["former"]
        )
        yield (
            f"<article><time>{told['at']}</time> {told['seq']}{reply}<p dir=auto>{escape(told['text'] or '')}</p>"
            f"{marks}{former}</article>"
        )
    if before is None:
        yield f"<p>{words['nothing']}</p>"
