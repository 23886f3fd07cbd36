"""Stories of groups: doors that open and shut, over HTTP and live."""

import json
from typing import Any

import pytest
import sqlalchemy as sa

from hubchat.access import Visibility
from tests.flows.asking import Asker, asker, askers, guest
from tests.flows.live import live
from tests.serving import Served


async def make_group(owner: Asker, visibility: Visibility = "open", slug: str = "ours", **more: Any) -> int:
    made = await owner.post("groups", {"slug": slug, "title": "Ours", "visibility": visibility, **more})
    return int(made["id"])


async def test_a_closed_door_opens_without_a_reload(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    group = await make_group(ada, "closed")
    async with live(hub.node, hub.port, ada.who) as at_ada, live(hub.node, hub.port, ben.who) as at_ben:
        await at_ada.do("subscribe", channel=ada.who.inbox_id)
        await at_ben.do("subscribe", channel=ben.who.inbox_id)
        assert (await at_ben.do("subscribe", channel=group))["code"] == "not_found"
        assert await ben.post("groups/ours/join", {"word": "My sister told me"}) == {"state": "requested"}
        asked = await at_ada.entry(ada.who.inbox_id, kind="notice")
        assert (asked["reason"], asked["person"], asked["about"]) == ("request", ben.id, {"channel": group})
        assert [one.get("requests") for one in (await ada.get("channels"))["items"] if one["id"] == group] == [1]
        assert "requests" not in await ben.get(f"groups/{group}")
        [request] = (await ada.get(f"groups/{group}/requests"))["items"]
        assert (request["person"]["handle"], request["word"]) == ("ben", "My sister told me")
        await ada.post(f"groups/{group}/requests/ben", {"decision": "approve", "word": "Come in"})
        told = await at_ben.entry(ben.who.inbox_id, kind="notice")
        assert (told["reason"], told["word"]) == ("approved", "Come in")
        assert (await at_ben.do("subscribe", channel=group))["channel"] == group
        await ada.post(f"channels/{group}/messages", {"text": "Welcome, Ben"})
        assert (await at_ben.entry(group, kind="message"))["text"] == "Welcome, Ben"


async def test_a_removed_member_hears_nothing_more(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    group = await hub.community.group(ada.who, "closed", ben.who)
    roster = (await ben.get(f"groups/{group}"))["roster"]
    async with live(hub.node, hub.port, ben.who) as at_ben:
        for channel in (group, roster, ben.who.inbox_id):
            await at_ben.do("subscribe", channel=channel)
        await ada.post(f"channels/{group}/messages", {"text": "before"})
        await at_ben.entry(group, text="before")
        await ada.delete(f"groups/{group}/members/ben")
        for channel in (group, roster):
            revoked = await at_ben.until(lambda m, c=channel: m.get("revoked", {}).get("channel") == c)  # type: ignore[misc]
            assert revoked["revoked"]["reason"] == "removed"
        await at_ben.entry(ben.who.inbox_id, reason="removed")
        await ada.post(f"channels/{group}/messages", {"text": "after"})
        assert (await at_ben.do("history", channel=group))["code"] == "not_found"
        assert not [m for m in at_ben.heard if m.get("text") == "after"]
    assert await ben.refused("GET", f"channels/{group}/entries") == (404, "channel_unknown")


async def test_who_leaves_a_public_group_reads_on_as_any_guest_and_writes_no_more(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    group = await hub.community.group(ada.who, "public", ben.who)
    await ben.post(f"channels/{group}/messages", {"text": "Bye"})
    async with live(hub.node, hub.port, ben.who) as at_ben:
        await at_ben.do("subscribe", channel=group)
        await ben.post(f"groups/{group}/leave")
        await at_ben.until(lambda m: m.get("revoked", {}).get("reason") == "left")
        assert (await at_ben.do("subscribe", channel=group))["channel"] == group
        assert (await at_ben.do("send", channel=group, nonce="1", text="?"))["code"] == "forbidden"
    assert (await ben.get(f"groups/{group}"))["membership"] == "none"


async def test_closing_a_public_group_ends_what_guests_hear(hub: Served) -> None:
    [ada] = await askers(hub, "ada")
    stranger = await guest(hub)
    group = await make_group(ada, "public")
    async with live(hub.node, hub.port) as at_guest, live(hub.node, hub.port, ada.who) as at_ada:
        await at_guest.do("subscribe", channel=group)
        await at_ada.do("subscribe", channel=group)
        await ada.patch("groups/ours", {"visibility": "closed"})
        revoked = await at_guest.until(lambda m: "revoked" in m)
        assert revoked["revoked"] == {"channel": group, "reason": "visibility"}
        await ada.post(f"channels/{group}/messages", {"text": "among us"})
        assert (await at_ada.entry(group, kind="message"))["text"] == "among us"
        assert (await at_guest.do("history", channel=group))["code"] == "not_found"
        assert not [m for m in at_guest.heard if m.get("text")]
    assert await stranger.refused("GET", "groups/ours") == (404, "channel_unknown")


async def test_opening_a_group_shows_newcomers_only_what_comes_after(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    reader = await guest(hub)
    group = await make_group(ada, "closed")
    await ada.post(f"channels/{group}/messages", {"text": "in confidence"})
    await ada.patch(f"groups/{group}", {"visibility": "public"})
    await ada.post(f"channels/{group}/messages", {"text": "for all"})
    await ben.post("groups/ours/join", {})
    for who in (ben, reader):
        page = await who.get(f"channels/{group}/entries")
        assert [entry.get("text") for entry in page["entries"]] == [None, "for all"]
        assert page["first"] == page["entries"][0]["seq"] == 2
        assert (await who.get(f"channels/{group}/entries?before=2"))["entries"] == []
        assert (await who.get(f"channels/{group}/entries?around=1"))["entries"][0]["seq"] == 2
    assert (await ada.get(f"channels/{group}/entries"))["entries"][0]["text"] == "in confidence"
    for path in ("reactions", "revisions"):
        assert await ben.refused("GET", f"channels/{group}/messages/1/{path}") == (404, "entry_unknown")


async def test_a_former_address_answers_with_the_present_one(hub: Served) -> None:
    [ada] = await askers(hub, "ada")
    group = await make_group(ada, "public", "old-name")
    await ada.patch("groups/old-name", {"slug": "new-name"})
    for name in ("old-name", "new-name", str(group), f"~{group}"):
        shown = await ada.get(f"groups/{name}")
        assert (shown["id"], shown["slug"]) == (group, "new-name")


async def test_a_secret_group_lives_at_its_id_and_shows_itself_to_those_invited(hub: Served) -> None:
    ada, ben, cem = await askers(hub, "ada", "ben", "cem")
    group = await make_group(ada, "secret", about="Only we know")
    await ada.post(f"groups/{group}/invites", {"handle": "@Ben"})
    shown = await ben.get(f"groups/~{group}")
    assert (shown["slug"], shown["about"], shown["membership"]) == (None, "Only we know", "invited")
    assert (shown["head"], shown["last_at"], shown["can"]) == (0, None, ["see", "accept", "withdraw"])
    assert [channel["id"] for channel in (await ben.get("channels"))["items"] if channel["kind"] == "group"] == [group]
    assert await cem.refused("GET", f"groups/~{group}") == (404, "channel_unknown")
    assert await ben.post(f"groups/~{group}/join") == {"state": "joined"}


async def test_outside_a_group_its_members_are_a_number_and_few_not_even_that(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    group = await hub.community.group(ada.who, "public", *[await hub.community.member(f"m{i}") for i in range(8)])
    reader = await guest(hub)
    for outside in (ben, reader):
        assert (await outside.get(f"groups/{group}"))["members"] == "fewer than 10"
    assert (await ada.get(f"groups/{group}"))["members"] == 9
    await ben.post(f"groups/{group}/join")
    assert (await reader.get(f"groups/{group}"))["members"] == 10
    assert (await reader.refused("GET", f"groups/{group}/members"))[0] == 401
    await ben.post(f"groups/{group}/leave")
    assert await ben.refused("GET", f"groups/{group}/members") == (403, "not_allowed")


async def test_members_see_who_wrote_or_chose_to_be_seen_page_by_page(hub: Served) -> None:
    ada, ben, cem = await askers(hub, "ada", "ben", "cem")
    others = [await hub.community.member(f"m{i}") for i in range(5)]
    group = await hub.community.group(ada.who, "open", ben.who, cem.who, *others)
    await ben.post(f"channels/{group}/messages", {"text": "here I am"})

    async def seen(who: Asker) -> list[str]:
        handles: list[str] = []
        path: str | None = f"groups/{group}/members?limit=3"
        while path:
            page = await who.get(path)
            handles += [item["person"]["handle"] for item in page["items"]]
            path = page["next"] and f"groups/{group}/members?limit=3&cursor={page['next']}"
        return handles

    assert await seen(cem) == ["ada", "ben"]
    await cem.patch(f"groups/{group}/membership", {"listed": True})
    assert await seen(ben) == ["ada", "ben", "cem"]
    assert await seen(ada) == ["ada", "ben", "cem", *(other.handle for other in others)]


async def test_a_link_is_previewed_without_an_account_and_lets_in(hub: Served) -> None:
    ada, ben, cem = await askers(hub, "ada", "ben", "cem")
    group = await make_group(ada, "secret", about="Only we know")
    made = await ada.post(f"groups/{group}/invites", {"uses": 1})
    assert made["url"] == f"http://localhost:{hub.port}/join#{made['code']}"
    preview = await (await guest(hub)).post("invites/preview", {"code": made["code"]})
    assert (preview["title"], preview["about"], preview["inviter"]["handle"]) == ("Ours", "Only we know", "ada")
    [listed] = (await ada.get(f"groups/{group}/invites"))["items"]
    assert (listed["id"], listed["uses_left"], listed["by"]["handle"]) == (made["id"], 1, "ada")
    assert "code" not in listed
    joined = await ben.post("invites", {"code": made["code"]})
    assert (joined["id"], joined["membership"]) == (group, "member")
    for late in (cem, await guest(hub)):
        answer = await late.ask("POST", "invites/preview", {"code": made["code"]})
        assert (answer.status_code, answer.json()["error"]["reason"]) == (404, "invite_ended")
    assert await cem.refused("POST", "invites", {"code": made["code"]}) == (404, "invite_ended")


async def test_invitations_are_listed_and_taken_back(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    group = await make_group(ada, "closed")
    link = await ada.post(f"groups/{group}/invites", {"uses": 3})
    by_handle = await ada.post(f"groups/{group}/invites", {"handle": "ben"})
    assert (by_handle["handle"], by_handle["id"]) == ("ben", ben.id)
    first = await ada.get(f"groups/{group}/invites?limit=1")
    second = await ada.get(f"groups/{group}/invites?limit=1&cursor={first['next']}")
    assert {item["id"] for page in (first, second) for item in page["items"]} == {link["id"], ben.id}
    assert second["next"] is None
    for made in (link, by_handle):
        await ada.delete(f"groups/{group}/invites/{made['id']}")
    assert (await ada.get(f"groups/{group}/invites"))["items"] == []
    assert await ben.post(f"groups/{group}/join") == {"state": "requested"}


async def test_two_who_change_a_group_at_once_do_not_overwrite_each_other(hub: Served) -> None:
    [ada] = await askers(hub, "ada")
    group = await make_group(ada)
    seen = (await ada.ask("GET", f"groups/{group}")).headers["etag"]
    first = await ada.ask("PATCH", f"groups/{group}", {"title": "First"}, **{"If-Match": seen})
    assert first.status_code == 200
    late = await ada.ask("PATCH", f"groups/{group}", {"title": "Second"}, **{"If-Match": seen})
    assert (late.status_code, late.json()["error"]["reason"]) == (412, "changed_meanwhile")
    assert f'"{late.json()["error"]["facts"]["version"]}"' == first.headers["etag"]
    again = await ada.ask("PATCH", f"groups/{group}", {"title": "Second"}, **{"If-Match": first.headers["etag"]})
    assert again.json()["title"] == "Second"


async def test_an_archived_group_is_read_and_opened_again(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    group = await hub.community.group(ada.who, "open", ben.who)
    await ada.patch(f"groups/{group}", {"state": "archived"})
    assert await ben.refused("POST", f"channels/{group}/messages", {"text": "?"}) == (403, "archived")
    assert (await ben.get(f"channels/{group}/entries"))["entries"][-1]["change"] == "state"
    await ada.patch(f"groups/{group}", {"state": "open"})
    await ben.post(f"channels/{group}/messages", {"text": "!"})


async def test_a_deleted_group_is_gone_for_everybody(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    group = await hub.community.group(ada.who, "open", ben.who)
    await ben.post(f"channels/{group}/messages", {"text": "gone soon"})
    async with live(hub.node, hub.port, ben.who) as at_ben:
        await at_ben.do("subscribe", channel=group)
        await ada.delete(f"groups/{group}")
        await at_ben.until(lambda m: m.get("revoked", {}).get("channel") == group)
        assert (await at_ben.do("subscribe", channel=group, after=0))["code"] == "not_found"
    for who in (ada, ben):
        assert await who.refused("GET", f"groups/{group}") == (404, "channel_unknown")
        assert group not in [channel["id"] for channel in (await who.get("channels"))["items"]]


async def test_a_deleted_groups_words_are_kept_for_no_repeated_request(hub: Served) -> None:
    [ada] = await askers(hub, "ada")
    form = {"title": "Unrepeatable", "visibility": "secret"}
    made = [await ada.post("groups", form, **{"Idempotency-Key": "k"}) for _ in range(2)]
    assert made[0] == made[1]
    await ada.delete(f"groups/{made[0]['id']}")
    kept = await hub.community.read(
        lambda connection: connection.execute(sa.text("SELECT answer FROM idempotency")).all()
    )
    assert "Unrepeatable" not in str(kept)


async def test_a_ban_is_seen_by_moderators_and_lifted(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    group = await hub.community.group(ada.who, "open", ben.who)
    await ada.put(f"groups/{group}/bans/ben")
    [banned] = (await ada.get(f"groups/{group}/bans"))["items"]
    assert banned["person"]["handle"] == "ben"
    assert await ben.refused("POST", f"groups/{group}/join") == (404, "channel_unknown")
    await ada.delete(f"groups/{group}/bans/ben")
    assert (await ada.get(f"groups/{group}/bans"))["items"] == []
    assert await ben.post(f"groups/{group}/join") == {"state": "joined"}


async def test_the_owner_hands_over_and_goes(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    group = await hub.community.group(ada.who, "open", ben.who)
    assert await ada.refused("POST", f"groups/{group}/leave") == (409, "last_owner")
    await ada.put(f"groups/{group}/members/BEN", {"role": "owner"})
    await ada.post(f"groups/{group}/leave")
    assert (await ben.get(f"groups/{group}"))["role"] == "owner"


PATHS: list[tuple[str, str, Any]] = [
    ("GET", "groups/{id}", None),
    ("PATCH", "groups/{id}", {"title": "Mine"}),
    ("DELETE", "groups/{id}", None),
    ("POST", "groups/{id}/join", {}),
    ("POST", "groups/{id}/leave", None),
    ("PATCH", "groups/{id}/membership", {"listed": True}),
    ("GET", "groups/{id}/members", None),
    ("PUT", "groups/{id}/members/ada", {"role": "member"}),
    ("DELETE", "groups/{id}/members/ada", None),
    ("GET", "groups/{id}/bans", None),
    ("PUT", "groups/{id}/bans/ada", None),
    ("DELETE", "groups/{id}/bans/ada", None),
    ("GET", "groups/{id}/requests", None),
    ("POST", "groups/{id}/requests/ada", {"decision": "approve"}),
    ("GET", "groups/{id}/invites", None),
    ("POST", "groups/{id}/invites", {}),
    ("POST", "groups/{id}/invites", {"handle": "ada"}),
    ("DELETE", "groups/{id}/invites/7", None),
    ("GET", "channels/{id}", None),
    ("GET", "channels/{id}/entries", None),
    ("POST", "channels/{id}/messages", {"text": "hello"}),
    ("PATCH", "channels/{id}/messages/1", {"text": "hello"}),
    ("DELETE", "channels/{id}/messages/1", None),
    ("GET", "channels/{id}/messages/1/revisions", None),
    ("GET", "channels/{id}/messages/1/reactions", None),
    ("PUT", "channels/{id}/messages/1/reactions/%E2%9D%A4", None),
    ("DELETE", "channels/{id}/messages/1/reactions/%E2%9D%A4", None),
    ("PUT", "channels/{id}/messages/1/pin", None),
    ("DELETE", "channels/{id}/messages/1/pin", None),
    ("PUT", "channels/{id}/read", {"seq": 1}),
    ("PATCH", "channels/{id}/notify", {"follow": True}),
    ("POST", "conversations/{id}/accept", None),
    ("POST", "conversations/{id}/decline", None),
]
"""Every path that names a channel, with a body that is right."""


async def test_what_one_may_not_see_answers_exactly_like_what_is_not_there(hub: Served) -> None:
    ada, ben, _ = await askers(hub, "ada", "ben", "cem")
    chief = await asker(hub, await hub.community.member("chief", "admin"))
    secret = await make_group(ada, "secret")
    await ada.post(f"channels/{secret}/messages", {"text": "ours"})
    talk = (await ada.post("conversations", {"handles": ["cem"]}))["id"]
    roster = (await ada.get(f"groups/{secret}"))["roster"]
    access, nowhere = 2**53 - 1, 4_711
    for who in (ben, chief):
        for method, path, body in PATHS:
            expected = await who.ask(method, path.format(id=nowhere), body)
            assert expected.status_code == 404, f"{method} {path}: {expected.text}"
            for hidden in (secret, talk, roster, ada.who.inbox_id, access):
                answer = await who.ask(method, path.format(id=hidden), body)
                assert (answer.status_code, answer.json()) == (404, expected.json()), f"{method} {path}"


async def test_a_guest_is_asked_to_sign_in_for_all_but_reading_what_is_public(hub: Served) -> None:
    [ada] = await askers(hub, "ada")
    reader = await guest(hub)
    group = await make_group(ada, "public")
    await ada.post(f"channels/{group}/messages", {"text": "hello"})
    readable = {"groups/{id}", "channels/{id}", "channels/{id}/entries", "channels/{id}/messages/1/reactions"}
    for method, path, body in PATHS:
        answer = await reader.ask(method, path.format(id=group), body)
        assert answer.status_code == (200 if method == "GET" and path in readable else 401), f"{method} {path}"
    for method, path in (("GET", "channels"), ("POST", "groups"), ("POST", "invites"), ("POST", "conversations")):
        assert (await reader.ask(method, path, {} if method == "POST" else None)).status_code == 401
    assert [room["id"] for room in (await reader.get("groups"))["items"]] == [group]


async def test_a_token_does_what_its_scopes_say(hub: Served) -> None:
    ada = await hub.community.member("ada")
    group = await hub.community.group(ada, "open")
    reads, writes = await asker(hub, ada, "read"), await asker(hub, ada, "write")
    assert (await reads.get(f"groups/{group}"))["role"] == "owner"
    assert (await reads.refused("POST", f"channels/{group}/messages", {"text": "x"}))[1] == "scope_missing"
    assert (await writes.refused("GET", f"groups/{group}"))[1] == "scope_missing"
    assert (await writes.refused("DELETE", f"groups/{group}"))[1] == "scope_missing"
    await writes.post(f"channels/{group}/messages", {"text": "x"})


WRONG: list[tuple[str, str, Any, str]] = [
    ("POST", "groups", {"visibility": "open", "slug": "ab"}, "title"),
    ("POST", "groups", {"title": "A", "visibility": "hidden", "slug": "ab"}, "visibility"),
    ("POST", "groups", {"title": 7, "visibility": "open", "slug": "ab"}, "title"),
    ("POST", "groups", {"title": "A", "visibility": "open", "slug": "ab", "owner": 1}, "owner"),
    ("POST", "groups", {"title": "A", "visibility": "open", "slug": "A B"}, "slug"),
    ("POST", "groups", {"title": "A", "visibility": "open"}, "slug"),
    ("POST", "groups", {"title": " ", "visibility": "open", "slug": "ab"}, "title"),
    ("POST", "groups", {"title": "a\u202eb", "visibility": "open", "slug": "ab"}, "title"),
    ("POST", "groups", {"title": "A\0", "visibility": "open", "slug": "ab"}, "title"),
    ("POST", "groups", {"title": "A", "visibility": "open", "slug": "ab", "about": "x" * 2001}, "about"),
    ("POST", "groups", {"title": "A", "visibility": "open", "slug": "ab", "lang": "x"}, "lang"),
    ("POST", "groups", {"title": "A", "visibility": "open", "slug": "ab", "history": "none"}, "history"),
    ("PATCH", "groups/{id}", {"state": "deleted"}, "state"),
    ("PATCH", "groups/{id}", {"title": ""}, "title"),
    ("PATCH", "groups/{id}", {"id": 7}, "id"),
    ("POST", "groups/{id}/join", {"word": "x" * 501}, "word"),
    ("PUT", "groups/{id}/members/ada", {"role": "king"}, "role"),
    ("PUT", "groups/{id}/members/ada", {}, "role"),
    ("PATCH", "groups/{id}/membership", {"listed": "yes"}, "listed"),
    ("POST", "groups/{id}/requests/ada", {"decision": "maybe"}, "decision"),
    ("POST", "groups/{id}/invites", {"uses": 0}, "uses"),
    ("POST", "groups/{id}/invites", {"uses": 101}, "uses"),
    ("POST", "groups/{id}/invites", {"uses": 1.5}, "uses"),
    ("POST", "groups/{id}/invites", {"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ("POST", "groups/{id}/invites", {"expires_at": "2999-01-01T00:00:00Z"}, "expires_at"),
    ("POST", "groups/{id}/invites", {"expires_at": "tomorrow"}, "expires_at"),
    ("POST", "groups/{id}/invites", {"handle": "ada", "uses": 2}, "handle"),
    ("POST", "invites", {"code": "x" * 101}, "code"),
    ("POST", "invites/preview", {"code": None}, "code"),
    ("GET", "groups?limit=0", None, "limit"),
    ("GET", "groups?limit=201", None, "limit"),
    ("GET", "groups?cursor=!!", None, "cursor"),
    ("GET", "groups/{id}/members?cursor=MQ", None, "cursor"),
    ("GET", "groups/{id}/members?page=2", None, "page"),
    ("GET", "channels?limit=501", None, "limit"),
    ("GET", "channels?cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", None, "cursor"),
    ("GET", "channels/{id}/entries?before=0", None, "before"),
    ("GET", "channels/{id}/entries?limit=201", None, "limit"),
    ("GET", "channels/{id}/entries?after=-1", None, "after"),
    ("GET", "channels/{id}/entries?around=9007199254740992", None, "around"),
    ("POST", "channels/{id}/messages", {"text": 7}, "text"),
    ("POST", "channels/{id}/messages", {"text": "A\0"}, "text"),
    ("POST", "channels/{id}/messages", {"text": "x", "reply_to": 0}, "reply_to"),
    ("POST", "channels/{id}/messages", {"text": "x", "silent": True}, "silent"),
    ("PUT", "channels/{id}/read", {"seq": "last"}, "seq"),
    ("PATCH", "channels/{id}/notify", {"notify": "some"}, "notify"),
    ("POST", "conversations", {}, "handles"),
    ("POST", "conversations", {"handles": "ada"}, "handles"),
    ("POST", "conversations", {"handles": ["x" * 61]}, "handles.0"),
]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_wrong_field_is_named_and_nothing_is_stored(hub: Served) -> None:
    [ada] = await askers(hub, "ada")
    group = await make_group(ada)
    before = await ada.get(f"groups/{group}")
    for method, path, body, field in WRONG:
        answer = await ada.ask(method, path.format(id=group), body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (422, "bad_request"), f"{method} {path} {body}: {answer.text}"
        assert list(error["fields"]) == [field], f"{method} {path} {body}: {answer.text}"
    assert await ada.get(f"groups/{group}") == before
    assert len((await ada.get("groups"))["items"]) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_address_that_names_nothing_is_not_found(hub: Served) -> None:
    [ada] = await askers(hub, "ada")
    for name in (
        "nothing",
        "~",
        "~x",
        "0",
        "-1",
        "9" * 30,
        "%00",
        "%F0%9F%92%A9",
        "a" * 3000,
        "..%2F..",
        "~9007199254740991",
    ):
        answer = await ada.ask("GET", f"groups/{name}")
        assert answer.status_code == 404, name
    for name in ("0", "x", "9007199254740992", "%00", "1.5", "-1"):
        assert (await ada.ask("GET", f"channels/{name}")).status_code == 404, name


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_bodies_that_are_no_json_of_ours_are_refused(hub: Served) -> None:
    [ada] = await askers(hub, "ada")
    group = await make_group(ada)
    lone = b'{"title": "\\ud800", "visibility": "open", "slug": "lone"}'
    for body in (b"{", b"[]", b"7", b'"x"', b"\xff\xfe", lone, b'{"title": ' + b"[" * 5000):
        answer = await ada.client.post("groups", content=body)
        assert answer.status_code in (400, 422), body[:40]
        assert answer.json()["error"]["code"] == "bad_request"
    too_large = json.dumps({"text": "x" * 70_000}).encode()
    answer = await ada.client.post(f"channels/{group}/messages", content=too_large)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (413, "body_too_large")
