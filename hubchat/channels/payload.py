"""What one node tells the others about a channel, as bytes. Pure.

Entries travel as the whole MessagePack frames that readers get: a node whose readers speak it writes them on as they
are, and reads their numbers off the head. What must be looked at, because it changes or takes away something, is
marked.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

VERSION: Final = 1
LOOK_INSIDE: Final = 1
"""Something here is no plain message: each entry is to be decoded before it goes on."""
SIGNAL: Final = 2
"""Not entries of the log but something said once; `first` has no meaning."""

PAYLOAD_BYTES: Final = 256 << 10
"""Of one payload; more is split, so that no single one holds up a node. One frame is never split."""
FRAMES: Final = 65_535

_HEAD: Final = struct.Struct("!BBQQQQH")


class Payload(NamedTuple):
    """`log` is the incarnation of history, `node` who says it, `first` the seq of the first frame's entry."""

    log: int
    node: int
    channel: int
    first: int
    flags: int
    frames: Sequence[bytes]


def pack(payload: Payload) -> Iterator[bytes]:
    """The payload as bytes, in as many parts as its size asks for."""
    part: list[bytes] = []
    size = 0
    first = payload.first
    for frame in payload.frames:
        if part and (size + len(frame) > PAYLOAD_BYTES or len(part) == FRAMES):
            yield _packed(payload, first, part)
            first += len(part)
            part, size = [], 0
        part.append(frame)
        size += len(frame)
    yield _packed(payload, first, part)


def unpack(data: bytes) -> Payload:
    """The payload that another node packed. Raises ValueError for anything else."""
    if len(data) < _HEAD.size:
        raise ValueError("no whole head")
    version, flags, log, node, channel, first, count = _HEAD.unpack_from(data)
    start = _HEAD.size + 4 * count
    if version != VERSION or len(data) < start:
        raise ValueError("of another version, or cut")
    ends = struct.unpack_from(f"!{count}I", data, _HEAD.size)
    frames: list[bytes] = []
    at = 0
    for end in ends:
        if end < at:
            raise ValueError("frames that end before they begin")
        frames.append(data[start + at : start + end])
        at = end
    if start + at != len(data):
        raise ValueError("frames do not fill it")
    return Payload(log, node, channel, first, flags, frames)


def places(data: bytes) -> tuple[int, int, int]:
    """The channel, first seq and count of a payload of our own; none where it holds no entries."""
    _, flags, _, _, channel, first, count = _HEAD.unpack_from(data)
    return channel, first, 0 if flags & SIGNAL else count


def _packed(payload: Payload, first: int, frames: Sequence[bytes]) -> bytes:
    ends: list[int] = []
    at = 0
    for frame in frames:
        at += len(frame)
        ends.append(at)
    head = _HEAD.pack(VERSION, payload.flags, payload.log, payload.node, payload.channel, first, len(frames))
    return b"".join([head, struct.pack(f"!{len(ends)}I", *ends), *frames])
