"""The rules of every command: one reply each, in the order sent, and a refusal that names what is wrong."""

import asyncio
from typing import Any

import pytest

from tests.blackbox.client import Refused
from tests.blackbox.hub import Hub
from tests.blackbox.line import Line

BIGGEST = 2**53 - 1
WRITING = ("send", "edit", "delete", "react", "pin")


async def refusal(line: Line, verb: str, **fields: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        await line.do(verb, **fields)
    return refused.value


def fields_of(verb: str, channel: int) -> dict[str, Any]:
    """Fields with which a command is right, as far as its form goes."""
    at = {"channel": channel, "seq": 1}
    fields: dict[str, dict[str, Any]] = {
        "subscribe": {"channel": channel},
        "unsubscribe": {"channel": channel},
        "history": {"channel": channel},
        "typing": {"channel": channel},
        "send": {"channel": channel, "nonce": "n", "text": "hello"},
        "edit": {**at, "text": "other"},
        "delete": at,
        "react": {**at, "emoji": "👍", "on": True},
        "pin": {**at, "on": True},
        "read": at,
        "unread": at,
        "people": {"ids": [1]},
        "watch": {"people": [1]},
        "idle": {"on": True},
        "ping": {},
    }
    return fields[verb]


VERBS = (
    "subscribe",
    "unsubscribe",
    "history",
    "typing",
    *WRITING,
    "read",
    "unread",
    "people",
    "watch",
    "idle",
    "ping",
)
MISSING = [(verb, name) for verb in VERBS for name in fields_of(verb, 1)]
WRONG: dict[str, tuple[Any, ...]] = {
    "channel": (0, -1, 1.5, "1", None, True, [1], {}, 2**53, 2**63),
    "seq": (0, -1, 1.5, "1", None, True, 2**53),
    "nonce": ("", "n" * 65, "ñ" * 33, 1, None),
    "text": (1, None, ["a"], b"bytes"),
    "on": (1, "true", None),
    "emoji": (1, None),
    "ids": (1, None, [0], ["1"], [1.5], list(range(1, 102)), {"1": 1}),
    "people": (1, None, [0], ["1"], list(range(1, 502))),
}


@pytest.mark.parametrize(("verb", "name"), MISSING)
async def test_a_field_that_is_missing_is_named(hub: Hub, verb: str, name: str) -> None:
    anna = await hub.member()
    line = await anna.live()
    fields = fields_of(verb, 1)
    del fields[name]
    refused = await refusal(line, verb, **fields)
    assert (refused.code, refused.reason) == ("bad_request", "field_missing")
    assert name in refused.error["message"]


@pytest.mark.parametrize("verb", VERBS)
async def test_fields_that_are_wrong_or_not_known_are_named(hub: Hub, verb: str) -> None:
    anna = await hub.member()
    packed, line = await anna.live(dialect="msgpack"), await anna.live(dialect="json")
    right = fields_of(verb, 1)
    refused = await refusal(line, verb, **right, colour="red")
    assert (refused.code, refused.reason) == ("bad_request", "field_unknown")
    assert "colour" in refused.error["message"]
    for name in right:
        for wrong in WRONG[name]:
            refused = await refusal(packed if isinstance(wrong, bytes) else line, verb, **{**right, name: wrong})
            assert (refused.code, name, wrong) == ("bad_request", name, wrong)
            assert name in refused.error["message"]


@pytest.mark.parametrize(
    ("verb", "wrong"),
    [
        ("subscribe", {"after": -1}),
        ("subscribe", {"after": "0"}),
        ("subscribe", {"after": 2**53}),
        ("history", {"limit": 0}),
        ("history", {"limit": 201}),
        ("history", {"limit": "5"}),
        ("history", {"before": 0}),
        ("history", {"after": -1}),
        ("history", {"around": 0}),
        ("send", {"reply_to": 0}),
        ("send", {"reply_to": "1"}),
        ("send", {"media": 1}),
        ("send", {"media": ["1"]}),
    ],
)
async def test_so_are_fields_that_may_be_left_out(hub: Hub, verb: str, wrong: dict[str, Any]) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    refused = await refusal(await anna.live(), verb, **fields_of(verb, group), **wrong)
    assert refused.code == "bad_request"
    assert next(iter(wrong)) in refused.error["message"]


async def test_history_is_asked_for_in_one_direction(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    assert (await refusal(await anna.live(), "history", channel=group, before=5, after=1)).code == "bad_request"


@pytest.mark.parametrize("verb", ["publish", "", "SEND", "send ", "welcome", "__class__"])
async def test_a_verb_that_is_none_is_refused(hub: Hub, verb: str) -> None:
    line = await (await hub.browser()).live()
    refused = await refusal(line, verb)
    assert (refused.code, refused.reason) == ("bad_request", "verb_unknown")


@pytest.mark.parametrize("number", [1, 0, BIGGEST])
async def test_a_command_may_have_any_whole_number(hub: Hub, number: int) -> None:
    line = await (await hub.browser()).live()
    reply = await line._tell({"do": "ping", "id": number})
    assert "time" in await asyncio.wait_for(reply, 20)


async def test_ping_tells_the_time(hub: Hub) -> None:
    line = await (await hub.browser()).live()
    first, second = (await line.do("ping"))["time"], (await line.do("ping"))["time"]
    assert line.welcome["time"] <= first <= second < first + 60_000


async def test_more_commands_than_may_be_open_are_all_answered(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    line = await anna.live(group)
    replies = [await line.tell("send", channel=group, nonce=f"n{n}", text=f"text {n}") for n in range(300)]
    seqs = [(await asyncio.wait_for(reply, 20))["seq"] for reply in replies]
    assert seqs == list(range(1, 301))
    await line.until_heard(300)
    assert [entry["text"] for entry in line.heard] == [f"text {n}" for n in range(300)]


async def test_commands_for_one_channel_are_carried_out_in_the_order_sent(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    line = await anna.live()
    at = {"channel": group, "seq": 1}
    told = [
        await line.tell("send", channel=group, nonce="n", text="first"),
        await line.tell("react", **at, emoji="👍", on=True),
        await line.tell("subscribe", channel=group),
        await line.tell("edit", **at, text="second"),
        await line.tell("history", channel=group),
        await line.tell("unsubscribe", channel=group),
        await line.tell("delete", **at),
        await line.tell("edit", **at, text="third"),
    ]
    done = await asyncio.wait_for(asyncio.gather(*told, return_exceptions=True), 20)
    sent, reacted, subscribed, edited, history, left, deleted, refused = done
    assert isinstance(sent, dict)
    assert sent["seq"] == 1
    assert (reacted, edited, deleted) == ({"seq": 2}, {"seq": 3}, {"seq": 4})
    assert (subscribed["head"], history["head"], left) == (2, 3, {})  # type: ignore[index]  # a refusal would fail too
    assert [entry["text"] for entry in history["entries"]] == ["second"]  # type: ignore[index]
    assert [entry["seq"] for entry in line.heard] == [3]
    assert isinstance(refused, Refused)
    assert (refused.code, refused.reason) == ("conflict", "deleted")


async def test_a_guest_reads_what_is_public_and_nothing_else(hub: Hub) -> None:
    anna, guest = await hub.member(), await hub.browser()
    group = await hub.group(anna, "public")
    await anna.say(group)
    line = await guest.live()
    assert (await line.do("subscribe", channel=group))["head"] == 1
    assert len((await line.do("history", channel=group))["entries"]) == 1
    assert (await line.do("people", ids=[anna.id]))["people"][0]["handle"] == anna.handle
    for verb in (*WRITING, "read", "unread", "typing", "watch"):
        assert (await refusal(line, verb, **fields_of(verb, group))).code == "unauthorized"
    assert await line.do("unsubscribe", channel=group) == {}


@pytest.mark.parametrize("verb", ["subscribe", "history", "typing", *WRITING, "read", "unread"])
async def test_what_one_may_not_read_is_answered_like_what_is_not_there(hub: Hub, verb: str) -> None:
    anna, ben, guest = await hub.member(), await hub.member(), await hub.browser()
    hidden = [await hub.group(anna, "closed"), await hub.group(anna, "secret"), anna.inbox]
    for group in hidden[:2]:
        await anna.say(group)
    line = await ben.live()
    answers = [(await refusal(line, verb, **fields_of(verb, channel))).error for channel in (*hidden, 12345)]
    assert answers == [answers[-1]] * 4
    assert answers[-1]["code"] == "not_found"
    answers = [
        (await refusal(await guest.live(), verb, **fields_of(verb, channel))).error for channel in (*hidden, 12345)
    ]
    assert answers == [answers[-1]] * 4
