"""The newest entries of busy channels, already encoded, so that a storm of returning readers asks SQL for nothing.

Filled only by live order, never from SQL. A change empties the slots of its target and of earlier changes to
that target, whose bytes would show what it was; a replay reads an empty slot from SQL.
"""

from collections import OrderedDict, deque
from typing import Final

from hubchat.channels.encoded import Encoded
from hubchat.wire import CHANGE_KINDS, REPLAY_ENTRIES

ENTRIES: Final = REPLAY_ENTRIES
"""Slots a channel: nobody is replayed more than this; older ones are dropped."""


class _Slots:
    """A run of slots without gaps; `first` is the seq of the first."""

    __slots__ = ("bytes", "first", "slots", "targets")

    def __init__(self, first: int) -> None:
        self.first = first
        self.slots: deque[Encoded | None] = deque()
        self.targets: dict[int, list[int]] = {}
        self.bytes = 0


class Recent:
    """Slots of many channels, `limit_bytes` in all; over it the channel that was longest quiet is forgotten."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._channels: OrderedDict[int, _Slots] = OrderedDict()
        self.bytes = 0

    def add(self, encoded: Encoded) -> None:
        """Adds what was just handed to readers; it follows the channel's last slot, or the run begins anew."""
        slots = self._channels.get(encoded.channel)
        if slots is None or slots.first + len(slots.slots) != encoded.seq:
            self.forget(encoded.channel)
            slots = self._channels[encoded.channel] = _Slots(encoded.seq)
        self._channels.move_to_end(encoded.channel)
        if encoded.kind in CHANGE_KINDS and encoded.target is not None:
            self._empty(slots, encoded.target)
            slots.targets.setdefault(encoded.target, []).append(encoded.seq)
        slots.slots.append(encoded)
        self._count(slots, encoded.size)
        if len(slots.slots) > ENTRIES:
            self._drop_first(slots)
        while self.bytes > self._limit and len(self._channels) > 1:
            self.forget(next(iter(self._channels)))

    def get(self, channel: int, seq: int) -> Encoded | None:
        """The entry, if its slot is here and full."""
        slots = self._channels.get(channel)
        if slots is None or not 0 <= seq - slots.first < len(slots.slots):
            return None
        return slots.slots[seq - slots.first]

    def forget(self, channel: int) -> None:
        """Drops all of a channel."""
        if (slots := self._channels.pop(channel, None)) is not None:
            self.bytes -= slots.bytes

    def clear(self) -> None:
        self._channels.clear()
        self.bytes = 0

    def _empty(self, slots: _Slots, target: int) -> None:
        for seq in (target, *slots.targets.pop(target, ())):
            at = seq - slots.first
            if 0 <= at < len(slots.slots) and (old := slots.slots[at]) is not None:
                slots.slots[at] = None
                self._count(slots, -old.size)

    def _drop_first(self, slots: _Slots) -> None:
        if (old := slots.slots.popleft()) is not None:
            self._count(slots, -old.size)
            changes = slots.targets.get(old.target or 0)
            if changes is not None and old.seq in changes:
                changes.remove(old.seq)
                if not changes:
                    del slots.targets[old.target or 0]
        slots.first += 1

    def _count(self, slots: _Slots, size: int) -> None:
        slots.bytes += size
        self.bytes += size
