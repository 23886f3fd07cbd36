"""What a connection may say, and what it is told when it says it wrong, too often or too much."""

import json
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

from hubchat.channels import repairs
from hubchat.channels.transaction import Transaction
from hubchat.storage.channels import ACCESS
from hubchat.storage.database import Connection
from hubchat.wire import OPEN_COMMANDS, SUBSCRIPTIONS, TEXT_BYTES
from tests.community import Community, open_community
from tests.lines import Gate, Line, Lines

ONE_KIND = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
pytestmark = ONE_KIND  # what is said wrong never reaches a database


@pytest.fixture
async def hub(database_url: str, tmp_path: Path) -> AsyncIterator[Community]:
    async with open_community(database_url, tmp_path) as community:
        yield community


@pytest.fixture
async def line(hub: Community) -> Line:
    """Ana's connection."""
    return Lines(hub.node).open(await hub.member("ana"))


def tell(line: Line, frame: Any) -> dict[str, Any]:
    """Says a value, or text as it is, and gives what comes back at once."""
    heard = len(line.heard)
    line.session.received(frame if isinstance(frame, str) else json.dumps(frame))
    line.session.node.hub.turns.flush(line.session)
    (answer,) = line.heard[heard:]
    return answer


SEND = {"do": "send", "id": 7, "channel": 5, "nonce": "n", "text": "hello"}
WRONG = [
    ("", "not_a_command"),
    ("null", "not_a_command"),
    ("[]", "not_a_command"),
    ("3", "not_a_command"),
    ('"send"', "not_a_command"),
    ("{", "not_a_command"),
    ('{"do": "send"} {}', "not_a_command"),
    ("[" * 60_000, "not_a_command"),
    ('{"do": "send", "id": 7, "text": "\\ud800"}', "not_a_command"),
    ('{"id": NaN}', "not_a_command"),
    ({"id": 7}, "field_missing"),
    ({"do": "sing", "id": 7}, "verb_unknown"),
    ({"do": 7, "id": 7}, "verb_unknown"),
    ({"do": ["send"], "id": 7}, "verb_unknown"),
    ({"do": "ping"}, "field_missing"),
    ({"do": "ping", "id": "7"}, "field_invalid"),
    ({"do": "ping", "id": -1}, "field_invalid"),
    ({"do": "ping", "id": 2**53}, "field_invalid"),
    ({"do": "ping", "id": 7.0}, "field_invalid"),
    ({"do": "ping", "id": True}, "field_invalid"),
    ({"do": "ping", "id": 7, "loud": True}, "field_unknown"),
    ({k: v for k, v in SEND.items() if k != "nonce"}, "field_missing"),
    ({**SEND, "channel": 0}, "field_invalid"),
    ({**SEND, "channel": "5"}, "field_invalid"),
    ({**SEND, "nonce": ""}, "field_invalid"),
    ({**SEND, "nonce": "x" * 65}, "field_invalid"),
    ({**SEND, "nonce": "é" * 33}, "field_invalid"),
    ({**SEND, "nonce": "a\0b"}, "field_invalid"),
    ({**SEND, "text": None}, "field_invalid"),
    ({**SEND, "text": {"a": 1}}, "field_invalid"),
    ({**SEND, "text": ""}, "text_empty"),
    ({**SEND, "text": " \n\t\u3000\u2028"}, "text_empty"),
    ({**SEND, "text": "\u200b\u200d\ufeff\u2060\u00ad"}, "text_empty"),
    ({**SEND, "text": "a\0b"}, "text_invalid"),
    ({**SEND, "text": "x" * (TEXT_BYTES + 1)}, "text_too_large"),
    ({**SEND, "text": "é" * (TEXT_BYTES // 2) + "x"}, "text_too_large"),
    ({**SEND, "reply_to": 0}, "field_invalid"),
    ({**SEND, "media": [1] * 11}, "field_invalid"),
    ({**SEND, "do": "history"}, "field_unknown"),
    ({"do": "react", "id": 7, "channel": 5, "seq": 1, "emoji": "a", "on": True}, "emoji_invalid"),
    ({"do": "react", "id": 7, "channel": 5, "seq": 1, "emoji": "👍 ", "on": True}, "emoji_invalid"),
    ({"do": "react", "id": 7, "channel": 5, "seq": 1, "emoji": "<b>", "on": True}, "emoji_invalid"),
    ({"do": "react", "id": 7, "channel": 5, "seq": 1, "emoji": "👍" * 33, "on": True}, "emoji_invalid"),
    ({"do": "react", "id": 7, "channel": 5, "seq": 1, "emoji": "👍", "on": 1}, "field_invalid"),
    ({"do": "history", "id": 7, "channel": 5, "limit": 201}, "field_invalid"),
    ({"do": "history", "id": 7, "channel": 5, "before": 1, "after": 2}, "field_invalid"),
    ({"do": "people", "id": 7, "ids": list(range(1, 102))}, "field_invalid"),
    ({"do": "people", "id": 7, "ids": [0]}, "field_invalid"),
    ({"do": "watch", "id": 7, "people": list(range(1, 502))}, "field_invalid"),
]


@pytest.mark.parametrize(("frame", "reason"), WRONG)
async def test_a_wrong_frame_is_answered_with_its_reason(line: Line, frame: Any, reason: str) -> None:
    answer = tell(line, frame)
    assert answer["error"]["reason"] == reason
    has_id = isinstance(frame, dict) and type(frame.get("id")) is int and 0 <= frame["id"] < 2**53
    assert answer["re"] == (7 if has_id else None)


async def test_the_error_names_the_field(line: Line) -> None:
    assert "`nonce`" in tell(line, {**SEND, "nonce": 3})["error"]["message"]
    assert "`colour`" in tell(line, {**SEND, "colour": "red"})["error"]["message"]


@pytest.mark.parametrize(
    "payload", [b"\xc1", b"\x81\x01\x02", b"\xdf\xff\xff\xff\xff", msgpack.packb({"do": "x"})[:-1], b"\x91" * 5_000]
)
async def test_broken_messagepack_is_told_as_such(hub: Community, payload: bytes) -> None:
    line = Lines(hub.node).open(await hub.member("ana"), dialect="msgpack")
    line.session.received(payload)
    hub.node.hub.turns.flush(line.session)
    assert line.heard[-1]["error"]["reason"] == "not_a_command"


async def test_text_of_exactly_the_limit_goes_and_comes_back_as_it_was_written(hub: Community, line: Line) -> None:
    room = await _room(hub, line)
    for n, text in enumerate(
        ["é" * (TEXT_BYTES // 2), "  leading and trailing \n", "e\u0301 is not é", "مرحبا \u202eabc"]
    ):
        sent = await line.do("send", channel=room, nonce=f"n{n}", text=text)
        page = await line.do("history", channel=room, after=sent["seq"] - 1)
        assert page["entries"][0]["text"] == text


@pytest.mark.corpus
async def test_naughty_strings_come_back_as_they_were_written(hub: Community, line: Line, corpus: Path) -> None:
    room = await _room(hub, line)
    folder = corpus / "09-text-security"
    texts = json.loads((folder / "blns.json").read_text("utf-8"))
    texts += (folder / "xss-payloads.txt").read_text("utf-8").splitlines()[:500]
    hub.node.hub.turns.flush(line.session)
    stored = 0
    for n, text in enumerate(texts):
        sent = await line.do("send", channel=room, nonce=f"n{n}", text=text)
        if "reason" in sent:
            assert sent["reason"] == "text_empty"
            assert all(unicodedata.category(char)[0] in "CZ" for char in text), "something in it can be seen"
        else:
            page = await line.do("history", channel=room, after=sent["seq"] - 1)
            assert page["entries"][0]["text"] == text
            stored += 1
    assert stored > 700


async def test_an_id_that_is_open_is_refused_and_the_first_command_goes_on(hub: Community, line: Line) -> None:
    room = await _room(hub, line)
    gate = Gate(hub.node.seats.get)
    hub.node.seats.get = gate  # type: ignore[method-assign]
    first = line.send("history", channel=room)
    answer = tell(line, {"do": "ping", "id": first})
    assert answer["error"]["reason"] == "id_in_use"
    gate.open()
    page = await line.until(lambda: next((m for m in line.heard if m.get("re") == first and "ok" in m), None))
    assert page["ok"]["head"] >= 0


async def test_commands_over_the_pace_are_told_to_wait_and_a_flood_is_closed_with_4009(hub: Community) -> None:
    hub.node.settings = hub.node.settings.model_copy(update={"commands_per_10s": 5})
    line = Lines(hub.node).open(await hub.member("ana"))
    answers = [await line.do("ping") for _ in range(7)]
    assert [answer.get("reason") for answer in answers] == [None] * 5 + ["too_fast"] * 2
    assert 0 < answers[-1]["retry_after_ms"] <= 2_000
    for _ in range(120):
        if line.closed_with is None:
            line.send("ping")
    assert line.closed_with == 4009
    assert line.heard[-1]["bye"]["reconnect_in_ms"][0] >= 60_000


async def test_a_hundred_broken_frames_close_with_4009(line: Line) -> None:
    for _ in range(99):
        tell(line, "{")
    assert line.closed_with is None
    for _ in range(3):
        line.session.received("{")
    assert line.closed_with == 4009


async def test_at_the_limit_of_open_commands_it_is_not_read_from_until_some_are_answered(
    hub: Community, line: Line
) -> None:
    room = await _room(hub, line)
    gate = Gate(hub.node.database.write)
    hub.node.database.write = gate  # type: ignore[method-assign]
    sent = [line.send("send", channel=room, nonce=f"n{n}", text="hello") for n in range(OPEN_COMMANDS - 1)]
    assert line.reading
    sent.append(line.send("send", channel=room, nonce="last", text="hello"))
    assert not line.reading
    gate.open()
    for one in sent:
        assert "seq" in await line.reply(one)
    assert line.reading


async def test_no_more_subscriptions_than_allowed(hub: Community, line: Line) -> None:
    owner = await hub.member("owner")
    room = await hub.group(owner, "open")
    live = line.session.node.hub.join(line.session, room)
    line.session.subscriptions = dict.fromkeys(range(1, SUBSCRIPTIONS + 1), live)
    assert (await line.do("subscribe", channel=room))["reason"] == "too_many_subscriptions"
    line.session.subscriptions = {}


GUEST_MAY_NOT = ["send", "edit", "delete", "react", "pin", "read", "unread", "typing", "idle", "watch"]


@pytest.mark.parametrize("verb", GUEST_MAY_NOT)
async def test_a_guest_is_asked_to_sign_in(hub: Community, verb: str) -> None:
    fields: dict[str, dict[str, Any]] = {
        "send": {"channel": 5, "nonce": "n", "text": "x"},
        "edit": {"channel": 5, "seq": 1, "text": "x"},
        "react": {"channel": 5, "seq": 1, "emoji": "👍", "on": True},
        "pin": {"channel": 5, "seq": 1, "on": True},
        "typing": {"channel": 5},
        "idle": {"on": True},
        "watch": {"people": [1]},
    }
    guest = Lines(hub.node).open()
    answer = await guest.do(verb, **fields.get(verb, {"channel": 5, "seq": 1}))
    assert (answer["code"], answer["reason"]) == ("unauthorized", "sign_in_needed")


async def test_a_channel_that_is_not_there_and_one_that_may_not_be_read_are_told_alike(
    hub: Community, line: Line
) -> None:
    other = await hub.member("ben")
    secret = await hub.group(other, "secret")
    commands: dict[str, dict[str, Any]] = {
        "subscribe": {},
        "history": {},
        "typing": {},
        "read": {"seq": 1},
        "send": {"nonce": "n", "text": "x"},
        "edit": {"seq": 1, "text": "x"},
        "delete": {"seq": 1},
        "react": {"seq": 1, "emoji": "👍", "on": True},
        "pin": {"seq": 1, "on": True},
    }
    for verb, fields in commands.items():
        absent, hidden, internal = [
            await line.do(verb, channel=channel, **fields) for channel in (4242, secret, ACCESS)
        ]
        assert absent == hidden == internal
        assert absent["code"] == "not_found"


async def _room(hub: Community, line: Line) -> int:
    assert line.session.caller is not None
    hub.node.settings = hub.node.settings.model_copy(update={"commands_per_10s": 0})
    return await hub.group(line.session.caller, "open")


async def test_who_comes_from_a_node_that_was_further_goes_on_from_there(hub: Community) -> None:
    ana = await hub.member("ana")
    room = await hub.group(ana)
    line, other = Lines(hub.node).open(ana), Lines(hub.node).open(ana)
    await hub.say(ana, room)
    await line.do("subscribe", channel=room)

    def elsewhere(connection: Connection) -> None:
        """What another node committed, of which nothing has come here."""
        tx = Transaction(connection)
        tx.lock(room)
        tx.append(room, "message", author=ana.persona_id, nonce="elsewhere", text="said elsewhere")
        tx.finish()

    await hub.node.database.write(elsewhere)
    reply = await other.do("subscribe", channel=room, after=2)
    assert reply == {"channel": room, "head": 2, "first": 1}
    await hub.say(ana, room)
    assert await other.until_seq(room, 3) == [3]
    assert await line.until_seq(room, 3) == [2, 3]


async def test_a_node_that_can_not_follow_sends_who_was_further_away_for_a_while(
    hub: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repairs, "REACH_S", 0.1)
    ana = await hub.member("ana")
    room = await hub.group(ana)
    line, other = Lines(hub.node).open(ana), Lines(hub.node).open(ana)
    await line.do("subscribe", channel=room)
    live = hub.node.hub.channels[room]
    hub.node.hub.block([live])
    await hub.say(ana, room)
    refused = await other.do("subscribe", channel=room, after=1)
    assert refused["code"] == "unavailable"
    assert refused["retry_after_ms"]
    hub.node.hub.unblock([live])
    assert (await other.do("subscribe", channel=room, after=1))["head"] == 1


async def test_beyond_what_the_log_has_one_begins_anew(hub: Community) -> None:
    ana = await hub.member("ana")
    room = await hub.group(ana)
    line = Lines(hub.node).open(ana)
    await hub.say(ana, room)
    assert (await line.do("subscribe", channel=room, after=2))["reset"] is True
