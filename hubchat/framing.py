"""Bytes to WebSocket messages and back (RFC 6455, RFC 7692 without context takeover). Pure.

What goes out is made once and shared by every connection of a `WireClass`; what comes in is gathered
in an `Inbox`, which a connection holds only while something of its peer's is unfinished.
"""

import codecs
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, NamedTuple

from websockets.exceptions import ProtocolError
from websockets.frames import Close as CloseFrame
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

try:  # the one in C, at 0.2 µs for 200 bytes; without it frames cost 2 µs more each
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

Dialect = Literal["msgpack", "json"]

FRAME_BYTES: Final = 65_536
"""The longest message of a client, decompressed: four times the longest text, for escapes and mentions."""

COMPRESS_FROM_BYTES: Final = 256
"""Below this, deflate saves less than a network packet holds anyway and costs 7 µs (docs/protocol.md, "Opening")."""

WINDOW_BITS: Final = 12
"""The largest window used for sending: frames up to 4 KB, nearly all there are, come out as short as with 15 bits
(300 B: 66 %, 4 KB: 41 %), pages of history 5 to 10 % longer; and few window sizes mean few classes to encode for."""

_FIN: Final = 0x80
_RSV: Final = 0x70
_RSV1: Final = 0x40
_PLAIN: Final = frozenset({_FIN | Opcode.TEXT, _FIN | Opcode.BINARY})
_CONTROL: Final = 0x08
_MASKED: Final = 0x80
_FLUSHED: Final = b"\x00\x00\xff\xff"
_LAST_BLOCK: Final = b"\x01\x00\x00\xff\xff"


@dataclass(frozen=True, slots=True, eq=False)
class WireClass:
    """All connections that take the same bytes. Made by `wire_class` alone, so that identity is equality.

    `window_bits` is 0 where nothing is compressed, else 9 to 12.
    """

    dialect: Dialect
    window_bits: int

    @property
    def opcode(self) -> Opcode:
        return Opcode.TEXT if self.dialect == "json" else Opcode.BINARY


@cache
def wire_class(dialect: Dialect, window_bits: int) -> WireClass:
    return WireClass(dialect, window_bits)


class FramingError(Exception):
    """The peer broke the protocol: the connection is closed with `code` (1002, 1003, 1007 or 1009) and `reason`."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code}: {reason}")


class Ping(NamedTuple):
    payload: bytes


class Pong(NamedTuple):
    payload: bytes


class Closed(NamedTuple):
    """The peer's close frame; `payload` is what an answer echoes (RFC 6455, 5.5.1)."""

    code: int
    payload: bytes


class Fragment(NamedTuple):
    """A frame that completed nothing yet."""

    size_bytes: int


Item = bytes | str | Ping | Pong | Closed | Fragment
"""What one frame brings: a whole binary message, a whole text message, a control frame, or not all of a message."""


# Out


def frame(opcode: int, payload: bytes) -> bytes:
    """One whole frame from the server: unmasked, not compressed."""
    return _head(_FIN | opcode, len(payload)) + payload


def packed_frame(opcode: int, payload: bytes, window_bits: int) -> bytes:
    """One whole data frame from the server, compressed on its own (RFC 7692, 7.2.1)."""
    deflater = zlib.compressobj(wbits=-window_bits)
    body = (deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH))[: -len(_FLUSHED)]
    return _head(_FIN | _RSV1 | opcode, len(body)) + body


def message_frame(kind: WireClass, payload: bytes) -> bytes:
    """A message as every connection of this class gets it: compressed, where that was agreed upon and shortens it."""
    plain = frame(kind.opcode, payload)
    if not kind.window_bits or len(payload) < COMPRESS_FROM_BYTES:
        return plain
    return min(packed_frame(kind.opcode, payload, kind.window_bits), plain, key=len)


def payload_of(frame: bytes) -> bytes:
    """What is in a whole, unmasked, uncompressed frame of ours."""
    length = frame[1] if len(frame) > 1 else 0
    start = {126: 4, 127: 10}.get(length, 2)
    return frame[start:]


def close_frame(code: int, reason: str) -> bytes:
    """A close frame; a reason over 123 bytes of UTF-8 is cut (RFC 6455, 5.5: a control frame holds 125)."""
    words = reason.encode()[:123].decode(errors="ignore").encode()
    return frame(Opcode.CLOSE, struct.pack("!H", code) + words)


def _head(first: int, length: int) -> bytes:
    if length < 126:
        return struct.pack("!BB", first, length)
    if length < 65_536:
        return struct.pack("!BBH", first, 126, length)
    return struct.pack("!BBQ", first, 127, length)


PING: Final = frame(Opcode.PING, b"")
"""The one ping that everybody gets; whatever is heard answers it, so it needs no payload to match."""


# In


class Inbox:
    """What one peer has sent and is not finished: the bytes of a frame, the fragments of a message.

    `feed` bytes, then `take` until it gives None. It keeps at most one message of `limit_bytes` beside what was fed.
    `compressed` says that permessage-deflate was agreed upon, `only` which data frames are taken (None: both).
    `charged_bytes` is what the keeper counts for it.
    """

    __slots__ = (
        "_age", "_checked", "_compressed", "_limit_bytes", "_message", "_only", "_opcode", "_packed", "_reader",
        "_utf8", "charged_bytes",
    )  # fmt: skip

    def __init__(self, *, compressed: bool, only: Opcode | None, limit_bytes: int = FRAME_BYTES) -> None:
        self._compressed = compressed
        self._only = only
        self._limit_bytes = limit_bytes
        self._reader = StreamReader()
        self._opcode: Opcode | None = None  # of the message that is being received
        self._packed = False  # whether it is compressed
        self._message = bytearray()  # its fragments
        self._utf8: codecs.IncrementalDecoder | None = None  # while it is a plain text in pieces
        self._checked = 0  # payload bytes of the frame at hand that _utf8 has seen
        self._age = 0
        self.charged_bytes = 0

    def feed(self, data: bytes) -> None:
        self._reader.feed_data(data)

    @property
    def kept_bytes(self) -> int:
        return len(self._reader.buffer) + len(self._message)

    @property
    def finished(self) -> bool:
        """Whether nothing is left, so that this object can be dropped."""
        return self._opcode is None and not self._reader.buffer

    def grows_old(self) -> int:
        """How often this was called since a message was last completed."""
        self._age += 1
        return self._age

    def take(self) -> Item | None:
        """What the next frame brings, or None until more is fed. Raises FramingError; then this inbox is done for."""
        head_bytes, whole_bytes = self._span()
        if not head_bytes:
            return None
        if len(self._reader.buffer) < whole_bytes:
            self._check_early(head_bytes)
            return None
        if self._reader.buffer[0] in _PLAIN and self._opcode is None:
            return self._take_plain(head_bytes, whole_bytes)
        return self._accept()

    def _take_plain(self, head_bytes: int, whole_bytes: int) -> bytes | str:
        """Take a message that is one uncompressed frame, as nearly all are: websockets' parser would give the same
        (a test holds it) for 6 µs more, a tenth of what a message may cost."""
        buffer = self._reader.buffer
        opcode = buffer[0] & 0x0F
        self._require_type(opcode)
        payload = apply_mask(bytes(buffer[head_bytes:whole_bytes]), bytes(buffer[head_bytes - 4 : head_bytes]))
        del buffer[:whole_bytes]
        self._utf8, self._checked, self._age = None, 0, 0
        return _text(payload) if opcode == Opcode.TEXT else payload

    def _span(self) -> tuple[int, int]:
        """How long the head of the next frame is, and all of it; zeros while its length has not come.

        Looking before parsing costs nothing a byte: a frame that trickles in is parsed once, when it is whole.
        """
        buffer = self._reader.buffer
        if len(buffer) < 2:
            return 0, 0
        if not buffer[1] & _MASKED:
            raise FramingError(1002, "a client's frames are masked")  # RFC 6455, 5.1: seen at once where HTTP is spoken
        length, head_bytes = buffer[1] & 0x7F, 2
        if length >= 126:
            if buffer[0] & _CONTROL:
                raise FramingError(1002, "control frame too long")  # RFC 6455, 5.5
            head_bytes = 4 if length == 126 else 10
            if len(buffer) < head_bytes:
                return 0, 0
            length = int.from_bytes(buffer[2:head_bytes])
        self._require_room(buffer[0], length)
        return head_bytes + 4, head_bytes + 4 + length

    def _require_room(self, first: int, length: int) -> None:
        """On the wire a compressed message may be an eighth longer than the limit: deflate's worst case is 5 bytes
        in every 127. What is in it is bounded when it is inflated."""
        packed = self._packed if self._opcode is not None else bool(first & _RSV1)
        room = self._limit_bytes + (self._limit_bytes // 8 if packed else 0) - len(self._message)
        if not first & _CONTROL and length > room:
            raise FramingError(1009, f"a message is at most {self._limit_bytes} bytes")

    def _accept(self) -> Item:
        """Take one whole frame off the buffer."""
        buffer = self._reader.buffer
        packed = bool(buffer[0] & _RSV1) and self._compressed and buffer[0] & 0x0F in (Opcode.TEXT, Opcode.BINARY)
        if packed:
            buffer[
                0
            ] &= ~_RSV1  # RFC 7692, 6: right on the first frame of a message alone; elsewhere parsing refuses it
        received = _parse(self._reader)
        payload = bytes(received.data)
        if received.opcode is Opcode.CLOSE:
            return _closed(payload)
        if received.opcode is Opcode.PING:
            return Ping(payload)
        if received.opcode is Opcode.PONG:
            return Pong(payload)
        if received.opcode is not Opcode.CONT:
            self._begin(received.opcode, packed)
        elif self._opcode is None:
            raise FramingError(1002, "a continuation of nothing")
        return self._gather(payload, received.fin)

    def _begin(self, opcode: Opcode, packed: bool) -> None:
        if self._opcode is not None:
            raise FramingError(1002, "a message within a message")
        self._require_type(opcode)
        self._opcode, self._packed = opcode, packed

    def _require_type(self, opcode: int) -> None:
        if self._only is not None and opcode != self._only:
            raise FramingError(1003, f"only {self._only.name.lower()} frames here")

    def _gather(self, payload: bytes, last: bool) -> bytes | str | Fragment:
        """Add a fragment; give the message when it was the last one."""
        plain_text = self._opcode is Opcode.TEXT and not self._packed
        if plain_text and (self._utf8 or not last):
            self._check(payload[self._checked :], last)
        self._checked = 0
        self._message += payload
        if not last:
            return Fragment(len(payload))
        message = bytes(self._message)
        if self._packed:
            message = _inflate(message, self._limit_bytes)
        is_text = self._opcode is Opcode.TEXT
        self._opcode, self._packed, self._utf8, self._age = None, False, None, 0
        self._message.clear()
        return _text(message) if is_text else message

    def _check_early(self, head_bytes: int) -> None:
        """Refuse a plain text at the first byte that is no UTF-8, though its frame is not whole (RFC 6455, 8.1)."""
        buffer = self._reader.buffer
        first, seen = buffer[0], head_bytes + self._checked
        opcode = self._opcode or first & 0x0F
        plain = not first & (_RSV | _CONTROL) and not self._packed
        if opcode != Opcode.TEXT or not plain or len(buffer) <= seen:
            return
        self._require_type(opcode)
        mask, turn = bytes(buffer[head_bytes - 4 : head_bytes]), self._checked % 4
        self._check(apply_mask(bytes(buffer[seen:]), mask[turn:] + mask[:turn]), last=False)
        self._checked = len(buffer) - head_bytes

    def _check(self, payload: bytes, last: bool) -> None:
        """See that a piece of text is UTF-8; a character may be cut by its end."""
        self._utf8 = self._utf8 or codecs.getincrementaldecoder("utf-8")()
        try:
            self._utf8.decode(payload, last)
        except UnicodeDecodeError as error:
            raise FramingError(1007, "not UTF-8") from error


def _parse(reader: StreamReader) -> Frame:
    """Parse the frame that is whole in the reader's buffer."""
    try:
        next(Frame.parse(reader.read_exact, mask=True))
    except StopIteration as parsed:
        whole: Frame = parsed.value
        return whole
    except ProtocolError as error:
        raise FramingError(1002, str(error)) from error
    raise AssertionError("the frame was not whole")


def _closed(payload: bytes) -> Closed:
    try:
        return Closed(CloseFrame.parse(payload).code, payload)
    except ProtocolError as error:
        raise FramingError(1002, str(error)) from error
    except UnicodeDecodeError as error:
        raise FramingError(1007, "not UTF-8") from error


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise FramingError(1007, "not UTF-8") from error


def _inflate(data: bytes, limit_bytes: int) -> bytes:
    """Decompress one message (RFC 7692, 7.2.2), at most one byte beyond the limit, whatever it would become.

    The empty last block makes zlib say whether the stream was whole; else a cut message would pass for a short one.
    """
    inflater = zlib.decompressobj(wbits=-15)
    try:
        message = inflater.decompress(data + _FLUSHED + _LAST_BLOCK, limit_bytes + 1)
    except zlib.error as error:
        raise FramingError(1002, "not deflate") from error
    if len(message) > limit_bytes:
        raise FramingError(1009, f"a message is at most {limit_bytes} bytes")
    if not inflater.eof or inflater.unused_data.strip(b"\x00") not in _ENDS:
        raise FramingError(1002, "not one whole deflate stream")
    return message


_ENDS: Final = (b"", (_FLUSHED + _LAST_BLOCK).strip(b"\x00"))
"""What may follow a stream's last block: nothing, or (7.2.3.4: the sender itself ended the stream) what was added."""
