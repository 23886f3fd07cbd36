"""Pages of history as one server frame: a page ends early, with `more`, rather than pass 512 KiB."""

from typing import Any, Final

from hubchat.storage.database import Connection
from hubchat.storage.entries import Page, read_after, read_before
from hubchat.storage.standings import Seat
from hubchat.wire import SERVER_FRAME_BYTES, Dialect, Entry, History, encode

ROOM: Final = SERVER_FRAME_BYTES - 4_096  # for what stands around the entries


def history_page(connection: Connection, seat: Seat, asked: History, dialect: Dialect) -> dict[str, Any]:
    """The entries asked for, oldest first: before, after or around a seq, else the newest."""
    head = seat.channel.head
    first = seat.stand.first(seat.channel)
    if asked.around is not None:
        page = _around(connection, seat, asked.around, first, asked.limit)
        entries, cut = _fitting(page.entries, dialect, keep=asked.around)
    elif asked.after is not None:
        page = read_after(connection, seat.channel.id, after=max(asked.after, first - 1), last=head, limit=asked.limit)
        entries, cut = _fitting(page.entries, dialect, keep=0)
    else:
        before = min(asked.before or head + 1, head + 1)
        page = read_before(connection, seat.channel.id, first=first, before=before, limit=asked.limit)
        entries, cut = _fitting(page.entries, dialect, keep=head)
    return {"entries": entries, "head": head, "first": first, "more": page.more or cut}


def _around(connection: Connection, seat: Seat, around: int, first: int, limit: int) -> Page:
    """Half of the limit up to and with `around`, half after it; `more` when either side goes on."""
    half, around = max(1, limit // 2), min(around, seat.channel.head)  # what came since, this page knows nothing of
    older = read_before(connection, seat.channel.id, first=first, before=around + 1, limit=half)
    newer = read_after(
        connection, seat.channel.id, after=max(around, first - 1), last=seat.channel.head, limit=limit - half
    ) if limit > half else Page([], False)  # fmt: skip
    return Page([*older.entries, *newer.entries], older.more or newer.more)


def _fitting(entries: list[Entry], dialect: Dialect, *, keep: int) -> tuple[list[dict[str, Any]], bool]:
    """As many entries as fit a frame, those nearest to the seq `keep`; whether any were left out."""
    maps = [entry.to_map() for entry in entries]
    sizes = [len(encode(dialect, shown)) + 1 for shown in maps]
    low, high, total = 0, len(maps), sum(sizes)
    while total > ROOM:
        if abs(entries[low].seq - keep) > abs(entries[high - 1].seq - keep):
            total -= sizes[low]
            low += 1
        else:
            high -= 1
            total -= sizes[high]
    return maps[low:high], high - low < len(maps)
