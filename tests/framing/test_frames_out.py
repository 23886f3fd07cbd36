"""What goes out is read by another implementation as what it was, and is shared by a whole class."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Close, Frame, Opcode
from websockets.streams import StreamReader

from hubchat.framing import COMPRESS_FROM_BYTES, PING, Dialect, close_frame, frame, message_frame, wire_class

SIZES = [0, 1, 125, 126, 255, 256, 65_535, 65_536, 300_000]


def read(data: bytes, window_bits: int = 0) -> Frame:
    """One frame as a client with this agreement reads it; nothing may be left over."""
    reader = StreamReader()
    reader.feed_data(data)
    agreed = [PerMessageDeflate(True, True, window_bits, 15)] if window_bits else []
    try:
        next(Frame.parse(reader.read_exact, mask=False, extensions=agreed))
    except StopIteration as parsed:
        assert not reader.buffer
        whole: Frame = parsed.value
        return whole
    raise AssertionError("not a whole frame")


@pytest.mark.parametrize("size_bytes", SIZES)
def test_a_plain_frame_is_read_as_it_was(size_bytes: int) -> None:
    received = read(frame(Opcode.BINARY, bytes(size_bytes)))
    assert (received.opcode, received.fin, len(received.data)) == (Opcode.BINARY, True, size_bytes)


@given(st.sampled_from(["json", "msgpack"]), st.sampled_from([0, 9, 10, 11, 12]), st.text(max_size=2_000))
def test_a_message_is_read_as_it_was_by_its_class(dialect: Dialect, window_bits: int, text: str) -> None:
    kind = wire_class(dialect, window_bits)
    received = read(message_frame(kind, text.encode()), window_bits)
    assert bytes(received.data).decode() == text
    assert received.opcode is (Opcode.TEXT if dialect == "json" else Opcode.BINARY)


@pytest.mark.parametrize("window_bits", [9, 12])
@pytest.mark.parametrize("size_bytes", SIZES)
def test_long_messages_are_compressed_and_short_ones_are_not(size_bytes: int, window_bits: int) -> None:
    data = message_frame(wire_class("json", window_bits), b"a" * size_bytes)
    assert bool(data[0] & 0x40) == (size_bytes >= COMPRESS_FROM_BYTES)
    assert bytes(read(data, window_bits).data) == b"a" * size_bytes


def test_what_compression_would_make_longer_goes_out_plain() -> None:
    noise = os.urandom(4_000)
    assert message_frame(wire_class("msgpack", 12), noise) == frame(Opcode.BINARY, noise)


def test_a_class_is_one_object() -> None:
    assert wire_class("json", 12) is wire_class("json", 12)
    assert wire_class("json", 12) != wire_class("json", 0)


@pytest.mark.parametrize("reason", ["", "restarting", "é" * 100, "x" * 500])
def test_a_close_frame_tells_code_and_as_much_of_the_reason_as_fits(reason: str) -> None:
    received = read(close_frame(1012, reason))
    told = Close.parse(received.data)
    assert told.code == 1012
    assert reason.startswith(told.reason)
    assert len(told.reason.encode()) >= min(len(reason.encode()), 122)


def test_the_ping_is_a_ping() -> None:
    assert read(PING).opcode is Opcode.PING
