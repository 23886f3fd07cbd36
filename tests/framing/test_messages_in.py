"""What a peer sends comes out whole, however it was cut, and nothing is believed that should not be."""

import tracemalloc
import zlib
from collections.abc import Iterable
from itertools import pairwise
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader
from websockets.utils import apply_mask

from hubchat import framing
from hubchat.framing import Closed, Fragment, FramingError, Inbox, Item, Ping, Pong
from tests.gateway.raw import BINARY, CLOSE, CONT, PING, PONG, TEXT, closing, deflated, masked


def taken(data: Iterable[bytes], *, compressed: bool = False, only: Opcode | None = None) -> list[Item]:
    """What comes of these bytes, arriving piece by piece; the inbox must be done with them at the end."""
    inbox, items = Inbox(compressed=compressed, only=only), []
    for piece in data:
        inbox.feed(piece)
        while (item := inbox.take()) is not None:
            items.append(item)
    assert inbox.finished
    assert inbox.kept_bytes == 0
    return [item for item in items if not isinstance(item, Fragment)]


def refused(*data: bytes, compressed: bool = False, only: Opcode | None = None) -> int:
    """The close code with which these bytes are refused, at the latest after the last of them."""
    inbox = Inbox(compressed=compressed, only=only)
    try:
        for piece in data:
            inbox.feed(piece)
            while inbox.take() is not None:
                pass
    except FramingError as fault:
        return fault.code
    pytest.fail("nothing was refused")


def in_fragments(opcode: int, payload: bytes, cuts: list[int], between: list[bytes], packed: bool) -> list[bytes]:
    edges = [0, *sorted(cut % (len(payload) + 1) for cut in cuts), len(payload)]
    frames = []
    for number, (start, end) in enumerate(pairwise(edges)):
        last = number == len(edges) - 2
        rsv = 4 if packed and number == 0 else 0
        frames.append(masked(opcode if number == 0 else CONT, payload[start:end], fin=last, rsv=rsv))
        frames.extend([] if last else between)
    return frames


controls = st.lists(
    st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125)).map(lambda c: masked(*c)), max_size=2
)
messages = st.tuples(
    st.one_of(st.text(max_size=300), st.binary(max_size=300)),
    st.lists(st.integers(0, 999), max_size=4),
    controls,
    st.booleans(),
)


@given(st.lists(messages, max_size=4), st.lists(st.integers(0, 5_000), max_size=6))
def test_messages_come_out_whole_and_in_order_however_they_are_cut(
    sent: list[tuple[str | bytes, list[int], list[bytes], bool]], chops: list[int]
) -> None:
    stream = b""
    for message, cuts, between, packed in sent:
        opcode, payload = (TEXT, message.encode()) if isinstance(message, str) else (BINARY, message)
        stream += b"".join(in_fragments(opcode, deflated(payload) if packed else payload, cuts, between, packed))
    edges = [0, *sorted(chop % (len(stream) + 1) for chop in chops), len(stream)]
    items = taken((stream[a:b] for a, b in pairwise(edges)), compressed=True)
    assert [item for item in items if isinstance(item, bytes | str)] == [message for message, *_ in sent]


@given(st.text(max_size=40), st.booleans())
def test_a_text_that_trickles_in_byte_by_byte_is_the_same_text(text: str, fragmented: bool) -> None:
    frames = in_fragments(TEXT, text.encode(), [3, 7] if fragmented else [], [masked(PING)], packed=False)
    items = taken(bytes([byte]) for byte in b"".join(frames))
    assert [item for item in items if not isinstance(item, Ping)] == [text]


def test_control_frames_are_told_in_their_place() -> None:
    frames = (
        masked(TEXT, b"a", fin=False),
        masked(PING, b"p"),
        masked(CONT, b"b"),
        masked(PONG, b"q"),
        closing(1000, b"r"),
    )
    assert taken(frames) == [Ping(b"p"), "ab", Pong(b"q"), Closed(1000, b"\x03\xe8r")]


def test_a_close_frame_may_come_in_the_middle_of_a_message() -> None:
    inbox = Inbox(compressed=False, only=None)
    inbox.feed(masked(TEXT, b"fragment", fin=False) + closing(1000))
    assert [inbox.take(), inbox.take()] == [Fragment(8), Closed(1000, b"\x03\xe8")]


def test_a_frame_that_trickles_in_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    unmask, parse = Mock(side_effect=apply_mask), Mock(side_effect=Frame.parse)
    monkeypatch.setattr(framing, "apply_mask", unmask)
    monkeypatch.setattr(Frame, "parse", parse)
    whole = masked(BINARY, bytes(10_000))
    assert taken(whole[at : at + 1] for at in range(len(whole))) == [bytes(10_000)]
    assert (unmask.call_count, parse.call_count) == (1, 0)
    ping = masked(PING, bytes(100))
    assert taken(ping[at : at + 1] for at in range(len(ping))) == [Ping(bytes(100))]
    assert (unmask.call_count, parse.call_count) == (1, 1)


def test_a_message_of_just_the_limit_is_taken_plain_fragmented_and_compressed() -> None:
    text = b"x" * 65_536
    assert taken([masked(TEXT, text)]) == [text.decode()]
    assert taken([masked(TEXT, text[:-1], fin=False), masked(PING, bytes(125)), masked(CONT, b"x")])[1] == text.decode()
    assert taken([masked(TEXT, deflated(text), rsv=4)], compressed=True) == [text.decode()]


def test_a_message_that_compression_makes_longer_is_taken() -> None:
    noise = zlib.compress(bytes(range(256)) * 4_000, 1)[:2] + bytes((i * i * 7 + i // 3) & 255 for i in range(65_534))
    stored = zlib.compressobj(0, wbits=-15, memLevel=1)
    packed = (stored.compress(noise) + stored.flush(zlib.Z_SYNC_FLUSH))[:-4]
    assert len(packed) > len(noise)
    assert taken([masked(BINARY, packed, rsv=4)], compressed=True) == [noise]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        pytest.param([masked(TEXT, b"x" * 65_537)], 1009, id="one frame"),
        pytest.param([masked(BINARY, bytes(65_536), fin=False), masked(CONT, b"x")], 1009, id="fragments"),
        pytest.param([masked(TEXT, deflated(b"x" * 65_537), rsv=4)], 1009, id="once decompressed"),
        pytest.param([masked(BINARY, deflated(bytes(50 << 20)), rsv=4)], 1009, id="a bomb"),
        pytest.param([b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff"], 1009, id="2^64 - 1 announced"),
        pytest.param([b"\x82\xff\x00\x00\x00\x00\x00\x01\x00\x01"], 1009, id="one byte more announced"),
        pytest.param([b"\xc2\xff\x00\x00\x00\x00\x00\x01\x20\x01"], 1009, id="too much announced, compressed"),
        pytest.param([masked(TEXT, b"x", mask=b"")], 1002, id="not masked"),
        pytest.param([masked(3, b"x")], 1002, id="reserved data opcode"),
        pytest.param([masked(11, b"x")], 1002, id="reserved control opcode"),
        pytest.param([masked(TEXT, b"x", rsv=2)], 1002, id="reserved bit 2"),
        pytest.param([masked(TEXT, b"x", rsv=1)], 1002, id="reserved bit 3"),
        pytest.param([masked(PING, b"x", rsv=4)], 1002, id="compressed ping"),
        pytest.param([masked(TEXT, b"x", fin=False), masked(CONT, b"x", rsv=4)], 1002, id="compressed continuation"),
        pytest.param([masked(PING, bytes(126))], 1002, id="long ping"),
        pytest.param([masked(CLOSE, bytes(126))], 1002, id="long close"),
        pytest.param([masked(PING, b"x", fin=False)], 1002, id="fragmented ping"),
        pytest.param([masked(CONT, b"x")], 1002, id="continuation of nothing"),
        pytest.param([masked(TEXT, b"x", fin=False), masked(TEXT, b"x")], 1002, id="message within a message"),
        pytest.param([masked(TEXT, b"\xff\xff", rsv=4)], 1002, id="not deflate"),
        pytest.param([masked(TEXT, deflated(b"hello" * 99)[:-5], rsv=4)], 1002, id="deflate stream cut short"),
        pytest.param([masked(TEXT, b"\0\xe8\x03\x17\xfc" + bytes(500), rsv=4)], 1002, id="500 of 1,000 bytes stored"),
        pytest.param([masked(TEXT, zlib.compress(b"x", wbits=-15) + b"more", rsv=4)], 1002, id="two deflate streams"),
        pytest.param([masked(CLOSE, b"\x03")], 1002, id="close of one byte"),
        pytest.param([closing(1005)], 1002, id="close code that is never sent"),
        pytest.param([closing(999)], 1002, id="close code too small"),
        pytest.param([closing(5000)], 1002, id="close code too large"),
        pytest.param([closing(1000, b"\xff")], 1007, id="close reason no UTF-8"),
        pytest.param([masked(TEXT, b"\xff")], 1007, id="text no UTF-8"),
        pytest.param([masked(TEXT, b"\xed\xa0\x80")], 1007, id="lone surrogate"),
        pytest.param([masked(TEXT, b"\xc0\x80")], 1007, id="overlong NUL"),
        pytest.param([masked(TEXT, "é".encode()[:1])], 1007, id="half a character"),
        pytest.param([masked(TEXT, deflated(b"\xed\xa0\x80"), rsv=4)], 1007, id="lone surrogate, compressed"),
        pytest.param([masked(TEXT, b"\xc3", fin=False), masked(CONT, b"x")], 1007, id="half a character, and more"),
    ],
)  # fmt: skip
def test_what_breaks_the_protocol_is_refused_with_its_code(frames: list[bytes], code: int) -> None:
    assert refused(*frames, compressed=True) == code


def test_a_compressed_frame_is_refused_where_compression_was_not_agreed_upon() -> None:
    assert refused(masked(TEXT, deflated(b"x"), rsv=4)) == 1002


@pytest.mark.parametrize(("only", "opcode"), [(Opcode.TEXT, BINARY), (Opcode.BINARY, TEXT)])
def test_the_other_kind_of_frame_is_refused(only: Opcode, opcode: int) -> None:
    assert refused(masked(opcode, b"{}"), only=only) == 1003
    assert len(taken([masked(only, b"{}")], only=only)) == 1


def test_bad_text_is_refused_before_its_frame_is_whole() -> None:
    frame = masked(TEXT, b"good \xff and more")
    assert refused(frame[:-9]) == 1007
    whole_so_far = Inbox(compressed=False, only=None)
    whole_so_far.feed(frame[:-10])
    assert whole_so_far.take() is None


def test_a_message_before_the_fault_is_told() -> None:
    inbox = Inbox(compressed=False, only=None)
    inbox.feed(masked(TEXT, b"first") + masked(TEXT, b"second", mask=b""))
    assert inbox.take() == "first"
    with pytest.raises(FramingError):
        inbox.take()


def test_a_stream_that_its_sender_ended_is_whole() -> None:
    """RFC 7692, 7.2.3.4 and 7.2.3.5: the last block may say so, and one message may have several."""
    ended = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"
    two_blocks = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"
    assert taken([masked(TEXT, ended, rsv=4)], compressed=True) == ["Hello"]
    assert taken([masked(TEXT, two_blocks, rsv=4)], compressed=True) == ["Hello"]


def test_a_bomb_costs_no_more_memory_than_a_message() -> None:
    bomb = masked(BINARY, deflated(bytes(50 << 20)), rsv=4)
    tracemalloc.start()
    try:
        assert refused(bomb, compressed=True) == 1009
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_an_inbox_grows_old_until_a_message_is_whole() -> None:
    inbox = Inbox(compressed=False, only=None)
    inbox.feed(masked(TEXT, b"x", fin=False) + masked(PING))
    while inbox.take() is not None:
        pass
    assert [inbox.grows_old(), inbox.grows_old()] == [1, 2]
    inbox.feed(masked(CONT, b"x"))
    assert inbox.take() == "xx"
    assert inbox.grows_old() == 1


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300), st.binary(min_size=65_500, max_size=65_540)))
def test_a_message_in_one_plain_frame_is_what_websockets_own_parser_makes_of_it(message: bytes | str) -> None:
    opcode = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
    payload = message.encode() if isinstance(message, str) else message
    wire = Frame(opcode, payload).serialize(mask=True)
    reader = StreamReader()
    reader.feed_data(wire)
    with pytest.raises(StopIteration) as parsed:
        next(Frame.parse(reader.read_exact, mask=True))
    inbox = Inbox(compressed=True, only=None, limit_bytes=1 << 20)
    inbox.feed(wire)
    item = inbox.take()
    assert (item.encode() if isinstance(item, str) else item) == bytes(parsed.value.value.data)
    assert type(item) is type(message)
    assert inbox.finished
