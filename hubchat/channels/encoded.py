"""An entry and its bytes: once per dialect and class, wherever its readers are (law 4)."""

from collections.abc import Iterable
from dataclasses import replace

from hubchat.framing import WireClass, message_frame
from hubchat.wire import Dialect, Entry, encode


class Encoded:
    """An entry with the frames that were asked for so far."""

    __slots__ = ("_frames", "channel", "entry", "seq")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.channel = entry.channel
        self.seq = entry.seq
        self._frames: dict[WireClass, bytes] = {}

    @property
    def size(self) -> int:
        """About the bytes it holds, with frames for two classes; it does not change as frames are made."""
        return 600 + 4 * len(self.entry.text or "")

    def is_about(self, target: int) -> bool:
        """Whether it is the entry `target`, or a change to it."""
        return target in (self.seq, self.entry.target)

    def emptied(self, deletion: Entry) -> "Encoded":
        """The same place in the log, without words: what it was about was deleted before it went out."""
        entry = self.entry
        if entry.target is not None:
            return Encoded(replace(entry, text=None))
        gone = Entry(entry.channel, entry.seq, entry.kind, entry.author, entry.at, rev=deletion.seq, deleted=True)
        return Encoded(gone)

    def frame(self, kind: WireClass) -> bytes:
        """The entry as one finished frame for connections of this class."""
        found = self._frames.get(kind)
        if found is None:
            found = self._frames[kind] = message_frame(kind, self._payload(kind.dialect))
        return found

    def _payload(self, dialect: Dialect) -> bytes:
        return encode(dialect, self.entry.to_map())


def joined(batch: Iterable[Encoded], kind: WireClass) -> bytes:
    """The frames of `batch` as one write."""
    return b"".join([encoded.frame(kind) for encoded in batch])
