"""Messages and what changes them: sending, editing, deleting, reacting and pinning, live and over HTTP."""

import asyncio
import random
from typing import Any
from urllib.parse import quote

import pytest

from tests.blackbox.client import Refused
from tests.blackbox.fold import fold
from tests.blackbox.hub import ON_BOTH, Hub
from tests.blackbox.line import Line
from tests.blackbox.shapes import check_entry, rfc_3339, shaped, text

pytestmark = ON_BOTH

EMOJI = ["👍", "👍🏽", "❤️", "👩‍🔬", "🇪🇺", "3️⃣", "🏴󠁧󠁢󠁳󠁣󠁴󠁿"]


async def refusal(line: Line, verb: str, **fields: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        await line.do(verb, **fields)
    return refused.value.code, refused.value.reason


async def history(line: Line, channel: int) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = (await line.do("history", channel=channel, limit=200))["entries"]
    return entries


async def test_a_message_is_heard_as_its_sender_was_told(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "open", ben)
    hers, his = await anna.live(group), await ben.live(group)
    done = await hers.send(group, "good morning", nonce="my-nonce")
    assert done["channel"] == group
    assert done["seq"] == 1
    (entry,) = await his.until_heard()
    assert entry == {**done, "kind": "message", "author": anna.id, "text": "good morning", "nonce": "my-nonce"}
    assert await history(his, group) == [entry]


async def test_the_same_nonce_is_the_same_message(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group, other = await hub.group(anna, "open", ben), await hub.group(anna, "open")
    line, again = await anna.live(group), await anna.live()
    first = await line.send(group, "once", nonce="n")
    assert await again.send(group, "another text", nonce="n") == first
    assert await anna.say(group, "over HTTP", nonce="n") == first["seq"]
    await line.do("edit", channel=group, seq=1, text="edited")
    assert await line.send(group, "once", nonce="n") == first
    await line.do("delete", channel=group, seq=1)
    assert await line.send(group, "once", nonce="n") == first
    assert (await line.do("history", channel=group))["head"] == 3
    assert (await (await ben.live()).send(group, "his own", nonce="n"))["seq"] == 4
    assert (await line.send(other, "elsewhere", nonce="n"))["seq"] == 1


async def test_equal_nonces_at_the_same_time_are_one_message(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    lines = [await anna.live() for _ in range(3)]
    told = [await line.tell("send", channel=group, nonce="n", text="once") for line in lines for _ in range(5)]
    done = await asyncio.wait_for(asyncio.gather(*told), 20)
    assert all(one == done[0] for one in done)
    assert len(await history(lines[0], group)) == 1


@pytest.mark.parametrize(
    "written",
    [
        "x",
        "שלום **עולם** عالم",
        "a\u200bb\u2060c\ufeff",
        "e\u0301 é",
        "  two\r\nlines\t\n",
        "👩‍👩‍👧‍👦🏴󠁧󠁢󠁳󠁣󠁴󠁿",
        "\u202eabc\u202c",
        "<script>alert(1)</script>",
        "a\x01\x7f",
        "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \U0010ffff",
        "z" * 16384,
        "ä" * 8192,
    ],
)
async def test_a_text_comes_back_as_it_was_written(hub: Hub, written: str) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    for dialect in ("msgpack", "json"):
        line = await anna.live(group, dialect=dialect)
        await line.send(group, written)
        (entry,) = await line.until_heard()
        assert entry["text"] == written
    assert [one["text"] for one in (await anna.get(f"channels/{group}/entries"))["entries"]] == [written] * 2


async def test_a_text_that_cannot_be_is_refused_and_nothing_is_stored(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    line = await anna.live()
    for wrong in ("", " ", "\n\t\u00a0\u2003"):
        assert await refusal(line, "send", channel=group, nonce="n", text=wrong) == ("bad_request", "text_empty")
    assert await refusal(line, "send", channel=group, nonce="n", text="a\x00b") == ("bad_request", "text_invalid")
    for wrong in ("z" * 16385, "ä" * 8193):
        assert await refusal(line, "send", channel=group, nonce="n", text=wrong) == ("too_large", "text_too_large")
        assert await anna.refused("POST", f"channels/{group}/messages", 413, {"text": wrong}) == "text_too_large"
    assert await refusal(line, "send", channel=group, nonce="n", text="x", media=[1]) == (
        "bad_request",
        "media_unknown",
    )
    assert (await line.do("history", channel=group))["head"] == 0
    await line.send(group, "x", nonce="n")


async def test_a_reply_names_what_it_answers(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "open", ben)
    line, his = await anna.live(), await ben.live(group)
    await line.send(group, "question")
    await line.do("react", channel=group, seq=1, emoji="👍", on=True)
    await line.send(group, "answer", reply_to=1)
    await his.until_heard(3)
    assert his.heard[-1]["reply_to"] == 1
    for unknown in (2, 4, 999):
        wrong = {"channel": group, "nonce": "n", "text": "x", "reply_to": unknown}
        assert await refusal(line, "send", **wrong) == ("bad_request", "reply_unknown")


async def test_who_is_named_is_mentioned(hub: Hub) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    group = await hub.group(anna, "closed", ben)
    line = await anna.live(group)
    await line.send(group, f"@{ben.handle}, have you seen mail@{zoe.handle}, @{zoe.handle} or @nobody-here?")
    (entry,) = await line.until_heard()
    assert entry["mentions"] == [ben.id]


async def test_naming_somebody_does_not_tell_that_they_are_here(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "open", ben)
    line = await anna.live(group)
    await line.send(group, f"@{ben.handle}, are you here?")
    await ben.say(group, "I am")
    await line.send(group, f"@{ben.handle}, good")
    await line.until_heard(3)
    assert [one.get("mentions") for one in line.heard] == [None, None, [ben.id]]


async def test_an_edit_shows_the_text_of_now_everywhere(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "open", ben)
    line, his = await anna.live(), await ben.live(group)
    await line.send(group, "first")
    assert await line.do("edit", channel=group, seq=1, text="second") == {"seq": 2}
    assert await line.do("edit", channel=group, seq=1, text="third") == {"seq": 3}
    await his.until_heard(3)
    assert [(one["kind"], one.get("target"), one.get("text")) for one in his.heard[1:]] == [
        ("edit", 1, "second"),
        ("edit", 1, "third"),
    ]
    (shown,) = await history(his, group)
    assert (shown["text"], shown["rev"]) == ("third", 3)
    assert shown["edited_at"] == his.heard[2]["at"]
    late = await ben.live()
    await late.subscribe(group, after=0)
    await late.until_heard(3)
    assert [one["text"] for one in late.heard] == ["third"] * 3
    assert late.heard[0] == shown


async def test_an_edit_that_changes_nothing_appends_nothing(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    line = await anna.live()
    await line.send(group, "first")
    assert await line.do("edit", channel=group, seq=1, text="second") == {"seq": 2}
    assert await line.do("edit", channel=group, seq=1, text="second") == {"seq": 2}
    assert (await line.do("history", channel=group))["head"] == 2


async def test_nobody_edits_what_another_wrote(hub: Hub) -> None:
    owner, ben = await hub.members("anna", "ben")
    group = await hub.group(owner, "open", ben)
    his, hers = await ben.live(), await owner.live()
    await his.send(group, "his")
    await hers.send(group, "hers")
    assert await refusal(hers, "edit", channel=group, seq=1, text="x") == ("forbidden", "not_allowed")
    assert await refusal(his, "edit", channel=group, seq=2, text="x") == ("forbidden", "not_allowed")
    assert await refusal(his, "delete", channel=group, seq=2) == ("forbidden", "not_allowed")
    assert await hers.do("delete", channel=group, seq=1) == {"seq": 3}


async def test_what_was_deleted_never_comes_again(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "open", ben)
    line, his = await anna.live(), await ben.live(group)
    await line.send(group, "secret words")
    await line.do("edit", channel=group, seq=1, text="other secret words")
    await his.do("react", channel=group, seq=1, emoji="👍", on=True)
    await his.send(group, "a reply", reply_to=1)
    assert await line.do("delete", channel=group, seq=1) == {"seq": 5}
    assert await line.do("delete", channel=group, seq=1) == {"seq": 5}
    await his.until_heard(5)
    assert (his.heard[-1]["kind"], his.heard[-1]["target"], "text" in his.heard[-1]) == ("delete", 1, False)
    for person in (anna, ben):
        late = await person.live()
        await late.subscribe(group, after=0)
        await late.until_heard(5)
        over_http = await person.get(f"channels/{group}/entries")
        everything = [late.heard, await history(late, group), over_http]
        assert "secret" not in str(everything)
        assert late.heard[0]["deleted"] is True
    revisions = await anna.http.get(f"channels/{group}/messages/1/revisions")
    assert "secret" not in revisions.text
    for verb, fields in (("edit", {"text": "x"}), ("react", {"emoji": "👍", "on": True}), ("pin", {"on": True})):
        assert await refusal(line, verb, channel=group, seq=1, **fields) == ("conflict", "deleted")


async def test_reactions_are_counted_and_a_repeat_is_none(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "open", ben)
    line, his = await anna.live(group), await ben.live()
    await line.send(group, "hello")
    at = {"channel": group, "seq": 1}
    assert await line.do("react", **at, emoji="👍", on=True) == {"seq": 2}
    assert await line.do("react", **at, emoji="👍", on=True) == {}
    assert await his.do("react", **at, emoji="👍", on=True) == {"seq": 3}
    assert await his.do("react", **at, emoji="❤️", on=False) == {}
    (shown,) = await history(line, group)
    assert shown["reactions"] == {"👍": {"count": 2, "people": [anna.id, ben.id]}}
    assert await line.do("react", **at, emoji="👍", on=False) == {"seq": 4}
    (shown,) = await history(line, group)
    assert (shown["reactions"], shown["rev"]) == ({"👍": {"count": 1, "people": [ben.id]}}, 4)
    await line.until_heard(4)
    assert [(one["author"], one["emoji"], one["on"]) for one in line.heard[1:]] == [
        (anna.id, "👍", True),
        (ben.id, "👍", True),
        (anna.id, "👍", False),
    ]
    assert await his.do("react", **at, emoji="👍", on=False) == {"seq": 5}
    assert not (await history(line, group))[0].get("reactions")


async def test_one_emoji_is_an_emoji_and_twenty_are_enough(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    line = await anna.live()
    await line.send(group, "hello")
    for wrong in ("", "a", "ok", "1", "👍 ", "#", " ", "👍x", "a\u20e3"):
        assert await refusal(line, "react", channel=group, seq=1, emoji=wrong, on=True) == (
            "bad_request",
            "emoji_invalid",
        )
    for emoji in EMOJI + [chr(0x1F400 + n) for n in range(20 - len(EMOJI))]:
        await line.do("react", channel=group, seq=1, emoji=emoji, on=True)
    assert len((await history(line, group))[0]["reactions"]) == 20
    assert await refusal(line, "react", channel=group, seq=1, emoji="🎈", on=True) == ("conflict", "reactions_full")
    await line.do("react", channel=group, seq=1, emoji=EMOJI[0], on=False)
    await line.do("react", channel=group, seq=1, emoji="🎈", on=True)


async def test_two_emoji_are_not_one(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    line = await anna.live()
    await line.send(group, "hello")
    for wrong in ("👍👍", "👍🎈", "❤️❤️", "🇪🇺🇩🇪", "3️⃣3️⃣", "👍" * 20):
        assert await refusal(line, "react", channel=group, seq=1, emoji=wrong, on=True) == (
            "bad_request",
            "emoji_invalid",
        )


async def test_pins_are_for_those_who_keep_the_group(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "open", ben)
    line, his = await anna.live(group), await ben.live()
    await line.send(group, "hello")
    assert await refusal(his, "pin", channel=group, seq=1, on=True) == ("forbidden", "not_allowed")
    assert await line.do("pin", channel=group, seq=1, on=True) == {"seq": 2}
    assert await line.do("pin", channel=group, seq=1, on=True) == {}
    assert (await history(his, group))[0]["pinned"] is True
    assert await line.do("pin", channel=group, seq=1, on=False) == {"seq": 3}
    assert "pinned" not in (await history(his, group))[0]
    await line.until_heard(3)
    assert [(one["kind"], one["target"], one["on"]) for one in line.heard[1:]] == [("pin", 1, True), ("pin", 1, False)]


async def test_only_messages_are_changed(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    line = await anna.live()
    await line.send(group, "hello")
    await line.do("edit", channel=group, seq=1, text="hello again")
    for seq in (2, 3):
        at = {"channel": group, "seq": seq}
        assert await refusal(line, "edit", **at, text="x") == ("not_found", "entry_unknown")
        assert await refusal(line, "delete", **at) == ("not_found", "entry_unknown")
        assert await refusal(line, "react", **at, emoji="👍", on=True) == ("not_found", "entry_unknown")
        assert await refusal(line, "pin", **at, on=True) == ("not_found", "entry_unknown")


async def test_scripts_do_the_same_over_http(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "open", ben)
    line = await anna.live(group)
    messages = f"channels/{group}/messages"
    made = await anna.post(messages, {"text": "hello", "nonce": "n"}, 201)
    assert check_entry(made, at=rfc_3339)
    assert (made["seq"], made["author"], made["text"], made["nonce"]) == (1, anna.id, "hello", "n")
    edited = await anna.patch(f"{messages}/1", {"text": "hello again"})
    assert check_entry(edited, at=rfc_3339)
    await ben.put(f"{messages}/1/reactions/{quote('👍🏽')}")
    assert (await anna.get(f"{messages}/1/reactions"))["items"]
    await ben.delete(f"{messages}/1/reactions/{quote('👍🏽')}")
    await anna.put(f"{messages}/1/pin")
    assert (await ben.refused("PUT", f"{messages}/1/pin", 403)) == "not_allowed"
    await anna.delete(f"{messages}/1/pin")
    (revision,) = (await anna.get(f"{messages}/1/revisions"))["items"]
    assert shaped({"text": text, "at": rfc_3339})(revision)
    assert revision["text"] == "hello"
    await ben.get(f"{messages}/1/revisions", 403)
    await anna.delete(f"{messages}/1")
    await anna.refused("PATCH", f"{messages}/1", 409, {"text": "x"})
    assert await anna.refused("DELETE", f"{messages}/9", 404) == "entry_unknown"
    await line.until_heard(7)
    kinds = ["message", "edit", "reaction", "reaction", "pin", "pin", "delete"]
    assert [entry["kind"] for entry in line.heard] == kinds


async def test_a_reaction_shows_its_first_twenty_people(hub: Hub) -> None:
    people = [await hub.member() for _ in range(22)]
    group = await hub.group(people[0], "open", *people[1:])
    seq = await people[0].say(group)
    for person in people:
        await person.put(f"channels/{group}/messages/{seq}/reactions/{quote('👍')}")
    (shown,) = (await people[0].get(f"channels/{group}/entries"))["entries"]
    assert shown["reactions"] == {"👍": {"count": 22, "people": [person.id for person in people[:20]]}}


async def test_whoever_follows_whoever_comes_late_and_whoever_reads_see_the_same(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "open", ben)
    follower, reader = await ben.live(group), await ben.live()
    writers, chance = [await anna.live(), await ben.live()], random.Random(7)
    for step in range(120):
        writer, seq = chance.choice(writers), chance.randint(1, max(1, step // 2))
        sayings: list[tuple[str, dict[str, Any]]] = [
            ("send", {"nonce": f"n{step}", "text": f"text {step}"}),
            ("edit", {"seq": seq, "text": f"edit {step}"}),
            ("react", {"seq": seq, "emoji": chance.choice("👍🎈🐕"), "on": chance.random() < 0.7}),
            ("pin", {"seq": seq, "on": chance.random() < 0.5}),
            ("delete", {"seq": seq}),
        ]
        verb, fields = chance.choice(sayings[: chance.randint(1, 5)])
        await asyncio.gather(await writer.tell(verb, channel=group, **fields), return_exceptions=True)
    page = await reader.do("history", channel=group, limit=200)
    late = await ben.live()
    await late.subscribe(group, after=0)
    for line in (follower, late):
        await line.until_at(group, page["head"])
        assert [entry["seq"] for entry in line.heard] == list(range(1, page["head"] + 1))
    assert fold(follower.heard) == fold(late.heard) == fold(page["entries"])
