"""An entry and its bytes: once per dialect and class, wherever its readers are (law 4)."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, Self

from hubchat import wire
from hubchat.errors import HubError
from hubchat.framing import WireClass, message_frame, payload_of, wire_class
from hubchat.wire import Entry

SHARED: Final = wire_class("msgpack", 0)
"""The class whose frames travel between nodes."""


class Encoded:
    """An entry with the frames that were asked for so far. `size` is about the bytes it holds, with frames of two
    classes; it does not change as frames are made."""

    __slots__ = ("_entry", "_frames", "channel", "kind", "seq", "size", "target")

    def __init__(self, entry: Entry) -> None:
        self._entry: Entry | None = entry
        self._frames: dict[WireClass, bytes] = {}
        self.channel = entry.channel
        self.seq = entry.seq
        self.kind = entry.kind
        self.target = entry.target
        self.size = 600 + 4 * len(entry.text or "")

    @classmethod
    def received(cls, channel: int, seq: int, frame: bytes, is_plain: bool) -> Self:
        """As another node framed it; a plain message is decoded only if somebody here needs other bytes of it.

        Raises HubError for what is no entry, or not the one that it is said to be.
        """
        if is_plain:
            made = cls.__new__(cls)
            made._entry = None
            made.channel, made.seq, made.kind, made.target = channel, seq, "message", None
            made.size = 600 + 2 * len(frame)
        else:
            made = cls(wire.entry(wire.decode("msgpack", payload_of(frame))))
            if (made.channel, made.seq) != (channel, seq):
                raise HubError("not_a_command", "another entry")
        made._frames = {SHARED: frame}
        return made

    @property
    def entry(self) -> Entry:
        if self._entry is None:
            self._entry = wire.entry(wire.decode("msgpack", payload_of(self._frames[SHARED])))
        return self._entry

    @property
    def is_plain(self) -> bool:
        """Whether other nodes may write it on without a look at what it says."""
        return self.kind == "message"

    def is_about(self, target: int) -> bool:
        """Whether it is the entry `target`, or a change to it."""
        return target in (self.seq, self.target)

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
            payload = wire.encode(kind.dialect, self.entry.to_map())
            found = self._frames[kind] = message_frame(kind, payload)
        return found


def joined(batch: Iterable[Encoded], kind: WireClass) -> bytes:
    """The frames of `batch` as one write."""
    return b"".join([encoded.frame(kind) for encoded in batch])
