"""Stories of what programs read and write in channels, without a live connection."""

from typing import Any

import pytest
import sqlalchemy as sa

from hubchat.actions import members
from tests.flows.asking import Asker, askers, guest
from tests.flows.live import live
from tests.serving import Served


async def mine(who: Asker) -> dict[int, dict[str, Any]]:
    """My channels by id, the inbox left out."""
    items = (await who.get("channels"))["items"]
    return {channel["id"]: channel for channel in items if channel["kind"] != "inbox"}


async def test_a_message_is_answered_as_the_entry_that_everybody_gets(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    room = await hub.community.group(ada.who, "open", ben.who)
    async with live(hub.node, hub.port, ben.who) as at_ben:
        await at_ben.do("subscribe", channel=room)
        answer = await ada.ask("POST", f"channels/{room}/messages", {"text": "Hello **Ben**, é 👋", "nonce": "n1"})
        told = answer.json()
        heard = await at_ben.entry(room, kind="message")
    assert answer.status_code == 201
    assert told["at"].endswith("Z")
    assert {**told, "at": heard["at"]} == heard
    assert (await ben.get(f"channels/{room}/entries"))["entries"] == [told]


async def test_the_same_nonce_or_key_is_the_same_message(hub: Served) -> None:
    [ada] = await askers(hub, "ada")
    room = await hub.community.group(ada.who, "open")
    for more, headers in (({"nonce": "n"}, {}), ({}, {"Idempotency-Key": "k" * 100})):
        told = [await ada.post(f"channels/{room}/messages", {"text": "once", **more}, **headers) for _ in range(3)]
        assert told[0] == told[1] == told[2]
    assert (await ada.get(f"channels/{room}"))["head"] == 2


async def test_no_text_is_kept_beside_the_message(hub: Served) -> None:
    [ada] = await askers(hub, "ada")
    room = await hub.community.group(ada.who, "open")
    sent = await ada.post(f"channels/{room}/messages", {"text": "unrepeatable"}, **{"Idempotency-Key": "k"})
    await ada.delete(f"channels/{room}/messages/{sent['seq']}")

    def search(connection: sa.Connection) -> list[str]:
        tables = sa.inspect(connection).get_table_names()
        names = [name for name in tables if not name.startswith("fulltext")]  # which follows within 2 s
        return [
            name for name in names if "unrepeatable" in str(connection.execute(sa.text(f"SELECT * FROM {name}")).all())
        ]

    assert await hub.community.read(search) == []


async def test_a_message_is_edited_reacted_to_pinned_and_deleted(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    room = await hub.community.group(ada.who, "open", ben.who)
    first = await ben.post(f"channels/{room}/messages", {"text": "helo"})
    message = f"channels/{room}/messages/{first['seq']}"
    assert await ada.refused("PATCH", message, {"text": "mine"}) == (403, "not_allowed")
    edited = await ben.patch(message, {"text": "hello"})
    assert (edited["text"], edited["seq"], edited["edited_at"][-1]) == ("hello", first["seq"], "Z")
    reply = await ada.post(f"channels/{room}/messages", {"text": "hi", "reply_to": first["seq"]})
    assert reply["reply_to"] == first["seq"]
    for who in (ada, ben):
        await who.put(f"{message}/reactions/%E2%9D%A4%EF%B8%8F")
    assert await ben.refused("PUT", f"{message}/pin") == (403, "not_allowed")
    await ada.put(f"{message}/pin")
    shown = (await ben.get(f"channels/{room}/entries"))["entries"][0]
    assert shown["pinned"] is True
    assert shown["reactions"] == {"❤️": {"count": 2, "people": [ada.id, ben.id]}}
    await ada.delete(f"{message}/pin")
    await ben.delete(f"{message}/reactions/%E2%9D%A4%EF%B8%8F")
    page = await ben.get(f"{message}/reactions")
    assert [(item["person"]["handle"], item["emoji"]) for item in page["items"]] == [("ada", "❤️")]
    await ada.delete(message)
    shown = (await ben.get(f"channels/{room}/entries"))["entries"][0]
    assert (shown.get("text"), shown["deleted"]) == (None, True)
    assert (await ben.get(f"{message}/reactions"))["items"] == []


async def test_what_is_pinned_is_listed_newest_first_for_those_who_may_read_it(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    room = await hub.community.group(ada.who, "closed", history="since_joining")
    seqs = [(await ada.post(f"channels/{room}/messages", {"text": text}))["seq"] for text in ("one", "two", "three")]
    for seq in seqs:
        await ada.put(f"channels/{room}/messages/{seq}/pin")
    await ada.delete(f"channels/{room}/messages/{seqs[1]}/pin")
    assert [item["text"] for item in (await ada.get(f"channels/{room}/pins"))["items"]] == ["three", "one"]
    assert await ben.refused("GET", f"channels/{room}/pins") == (404, "channel_unknown")
    await hub.community.let_in(ada.who, room, ben.who)
    assert (await ben.get(f"channels/{room}/pins"))["items"] == []
    await ada.delete(f"channels/{room}/messages/{seqs[2]}")
    assert [item["text"] for item in (await ada.get(f"channels/{room}/pins"))["items"]] == ["one"]


async def test_former_texts_are_read_by_author_and_moderators_alone_until_it_is_deleted(hub: Served) -> None:
    ada, ben, cem = await askers(hub, "ada", "ben", "cem")
    room = await hub.community.group(ada.who, "open", ben.who, cem.who)
    seq = (await ben.post(f"channels/{room}/messages", {"text": "one"}))["seq"]
    message = f"channels/{room}/messages/{seq}"
    for text in ("two", "three"):
        await ben.patch(message, {"text": text})
    for who in (ben, ada):
        items = (await who.get(f"{message}/revisions"))["items"]
        assert [item["text"] for item in items] == ["one", "two"]
        assert items[0]["at"] < items[1]["at"]
    assert await cem.refused("GET", f"{message}/revisions") == (403, "not_allowed")
    await ben.delete(message)
    assert (await ada.get(f"{message}/revisions"))["items"] == []


async def test_all_reactions_are_read_page_by_page(hub: Served) -> None:
    [ada] = await askers(hub, "ada")
    room = await hub.community.group(ada.who, "open")
    seq = (await ada.post(f"channels/{room}/messages", {"text": "x"}))["seq"]
    message = f"channels/{room}/messages/{seq}"
    emoji = ["❤", "👍", "🎉", "😀", "🙏"]
    for one in emoji:
        await ada.put(f"{message}/reactions/{one}")
    seen: list[str] = []
    path: str | None = f"{message}/reactions?limit=2"
    while path:
        page = await ada.get(path)
        seen += [item["emoji"] for item in page["items"]]
        path = page["next"] and f"{message}/reactions?limit=2&cursor={page['next']}"
    assert seen == emoji


@pytest.mark.parametrize("bad", ["x", "no", "%20", "<b>", "%E2%9D%A4" * 33, "%00"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_reaction_is_one_emoji(hub: Served, bad: str) -> None:
    [ada] = await askers(hub, "ada")
    room = await hub.community.group(ada.who, "open")
    await ada.post(f"channels/{room}/messages", {"text": "x"})
    assert (await ada.ask("PUT", f"channels/{room}/messages/1/reactions/{bad}")).status_code in (400, 404)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_text_is_as_its_author_wrote_it_or_refused_by_name(hub: Served) -> None:
    [ada] = await askers(hub, "ada")
    room = await hub.community.group(ada.who, "open")
    for text in ("x" * 16_384, "\u202eright to left", " spaced ", "a\u200bb", "👩‍👩‍👧", "<script>alert(1)</script>"):
        assert (await ada.post(f"channels/{room}/messages", {"text": text}))["text"] == text
    wrong = (
        ("", "text_empty"),
        (" \n\u200b", "text_empty"),
        ("x" * 16_385, "text_too_large"),
        ("é" * 8_193, "text_too_large"),
    )
    for text, reason in wrong:
        for method, path in (("POST", "messages"), ("PATCH", "messages/1")):
            assert (await ada.refused(method, f"channels/{room}/{path}", {"text": text}))[1] == reason
    for more in ({"nonce": ""}, {"nonce": "x" * 65}, {"reply_to": 999}, {"media": [7]}):
        assert (await ada.refused("POST", f"channels/{room}/messages", {"text": "x", **more}))[0] == 400
    for path in ("messages/999", "messages/7"):  # no such entry
        assert await ada.refused("DELETE", f"channels/{room}/{path}") == (404, "entry_unknown")


async def test_history_is_read_before_after_and_around(hub: Served) -> None:
    [ada] = await askers(hub, "ada")
    room = await hub.community.group(ada.who, "public")
    for number in range(1, 11):
        await ada.post(f"channels/{room}/messages", {"text": str(number)})
    reader = await guest(hub)

    async def page(asked: str) -> tuple[list[int], bool]:
        found = await reader.get(f"channels/{room}/entries?{asked}")
        assert (found["head"], found["first"]) == (10, 1)
        return [entry["seq"] for entry in found["entries"]], found["more"]

    assert await page("") == (list(range(1, 11)), False)
    assert await page("limit=3") == ([8, 9, 10], True)
    assert await page("before=4&limit=3") == ([1, 2, 3], False)
    assert await page("before=5&limit=3") == ([2, 3, 4], True)
    assert await page("after=8") == ([9, 10], False)
    assert await page("after=0&limit=2") == ([1, 2], True)
    assert await page("around=5&limit=4") == ([4, 5, 6, 7], True)
    assert await page("after=10") == ([], False)
    assert (await reader.refused("GET", f"channels/{room}/entries?before=4&after=1"))[1] == "field_invalid"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_page_of_long_messages_ends_early_rather_than_pass_its_bound(hub: Served) -> None:
    [ada] = await askers(hub, "ada")
    room = await hub.community.group(ada.who, "open")
    for _ in range(40):
        await hub.community.say(ada.who, room, "é" * 8_192)
    answer = await ada.ask("GET", f"channels/{room}/entries?limit=200")
    page = answer.json()
    assert len(answer.content) <= 512 * 1024
    assert page["more"] is True
    assert page["entries"][-1]["seq"] == 40
    before = page["entries"][0]["seq"]
    older = (await ada.get(f"channels/{room}/entries?before={before}&limit=200"))["entries"]
    assert [entry["seq"] for entry in older] == list(range(1, before))


async def test_what_is_unread_is_counted_until_it_is_read(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    room = await hub.community.group(ada.who, "open", ben.who)
    for text in ("one", "two @ben", "three"):
        await ada.post(f"channels/{room}/messages", {"text": text})
    await ben.post(f"channels/{room}/messages", {"text": "my own"})
    await ada.delete(f"channels/{room}/messages/1")
    of_ben, of_ada = (await mine(ben))[room], (await mine(ada))[room]
    assert (of_ben["unread"], of_ben["mentions"], of_ben["read_seq"], of_ben["head"]) == (2, 1, 0, 5)
    assert (of_ada["unread"], of_ada["mentions"]) == (1, 0)
    await ben.put(f"channels/{room}/read", {"seq": 2})
    await ben.put(f"channels/{room}/read", {"seq": 1})  # never back
    of_ben = (await mine(ben))[room]
    assert (of_ben["unread"], of_ben["mentions"], of_ben["read_seq"]) == (1, 0, 2)
    await ben.put(f"channels/{room}/read", {"seq": 9_999})  # never past the head
    assert (await ben.get(f"channels/{room}"))["read_seq"] == 5


async def test_my_channels_hold_what_a_client_draws_them_with(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    made = await ada.post("groups", {"slug": "ours", "title": "Ours", "visibility": "closed", "lang": "en"})
    sent = await ada.post(f"channels/{made['id']}/messages", {"text": "x"})
    await ada.put(f"channels/{made['id']}/messages/1/reactions/❤")
    assert (await mine(ada))[made["id"]] == {
        "id": made["id"], "kind": "group", "slug": "ours", "title": "Ours", "about": None, "lang": "en",
        "visibility": "closed", "state": "open", "history": "all", "slow_s": 0, "writers": "members",
        "keep_days": None, "indexed": False,
        "role": "owner", "membership": "member", "members": 1, "roster": made["roster"], "requests": 0,
        "can": made["can"], "head": 2, "first": 1, "read_seq": 0, "unread": 0,
        "mentions": 0, "last_at": sent["at"], "notify": None, "follow": False,
    }  # fmt: skip
    assert {"send", "pin", "invite", "decide", "change_visibility", "delete"} <= set(made["can"])
    await ben.post("groups/ours/join", {"word": "please"})
    asked = (await mine(ben))[made["id"]]
    assert (asked["membership"], asked["role"], asked["roster"]) == ("requested", None, None)
    assert (asked["head"], asked["last_at"], asked["members"]) == (0, None, "fewer than 10")


async def test_my_channels_come_in_pages_where_there_are_many(hub: Served) -> None:
    [ada] = await askers(hub, "ada")
    rooms = {await hub.community.group(ada.who, "open") for _ in range(4)}
    seen: list[int] = []
    path: str | None = "channels?limit=2"
    while path:
        page = await ada.get(path)
        seen += [channel["id"] for channel in page["items"]]
        path = page["next"] and f"channels?limit=2&cursor={page['next']}"
    assert sorted(seen) == sorted({*rooms, ada.who.inbox_id})


async def test_what_to_be_told_of_is_chosen_per_channel(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    room = await hub.community.group(ada.who, "public")
    await ben.patch(f"channels/{room}/notify", {"follow": True})
    await ben.patch(f"channels/{room}/notify", {"notify": "all"})
    shown = await ben.get(f"channels/{room}")
    assert (shown["follow"], shown["notify"], shown["membership"]) == (True, "all", "none")
    await members.ban(hub.node, ada.who, room, "ben")
    assert await ben.refused("PATCH", f"channels/{room}/notify", {"follow": False}) == (403, "not_allowed")
    assert await ben.refused("PUT", f"channels/{room}/read", {"seq": 1}) == (403, "not_allowed")
    assert (await ben.get(f"channels/{room}/entries"))["entries"] == []


async def test_a_roster_is_read_by_members(hub: Served) -> None:
    ada, ben, cem = await askers(hub, "ada", "ben", "cem")
    room = await hub.community.group(ada.who, "closed", ben.who)
    roster = (await ben.get(f"groups/{room}"))["roster"]
    entries = (await ben.get(f"channels/{roster}/entries"))["entries"]
    assert [(entry["person"], entry["change"]) for entry in entries] == [(ada.id, "joined"), (ben.id, "joined")]
    assert await cem.refused("GET", f"channels/{roster}") == (404, "channel_unknown")
    assert await ada.refused("POST", f"channels/{roster}/messages", {"text": "x"}) == (403, "not_allowed")
    assert await ada.refused("DELETE", f"channels/{roster}/messages/1") == (404, "entry_unknown")
