"""The four visibilities: who finds a group, who reads it, how one comes in; its name, address and version."""

import asyncio
from typing import Any

import pytest

from tests.blackbox.client import Refused
from tests.blackbox.hub import Hub, Person, new_name
from tests.blackbox.shapes import an_id, maybe, number, one_of, page_of, rfc_3339, shaped, text

VISIBILITIES = ("public", "open", "closed", "secret")
CARD = shaped(
    {"id": an_id, "slug": maybe(text), "title": text, "about": maybe(text), "visibility": one_of(*VISIBILITIES),
     "members": lambda value: value == "fewer than 10" or number(value), "head": number, "first": an_id}
)  # fmt: skip


async def subscribes(person: Person, group: int) -> bool:
    """Whether somebody gets the group live; who does not is told that there is no such channel."""
    line = await person.live()
    (done,) = await asyncio.gather(line.subscribe(group), return_exceptions=True)
    assert isinstance(done, dict) or (isinstance(done, Refused) and done.reason == "channel_unknown")
    return isinstance(done, dict)


async def lists(person: Person, group: int) -> bool:
    """Whether the group is among those that somebody finds."""
    cursor, found = "", []
    while True:
        page = await person.get("groups", params={"cursor": cursor} if cursor else {})
        assert page_of(CARD)(page)
        found += page["items"]
        if not (cursor := page["next"]):
            return group in [one["id"] for one in found]


@pytest.mark.parametrize(
    ("visibility", "who", "listed", "read"),
    [("public", "guest", True, True), ("public", "stranger", True, True), ("public", "member", True, True),
     ("open", "guest", False, False), ("open", "stranger", True, True), ("open", "member", True, True),
     ("closed", "guest", False, False), ("closed", "stranger", True, False), ("closed", "member", True, True),
     ("secret", "guest", False, False), ("secret", "stranger", False, False), ("secret", "member", True, True)],
)  # fmt: skip
async def test_a_visibility_says_who_finds_and_who_reads(
    hub: Hub, visibility: str, who: str, listed: bool, read: bool
) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    person = {"guest": await hub.browser(), "stranger": zoe, "member": ben}[who]
    group = await hub.group(anna, visibility, ben, about="what it is for")
    await anna.say(group)
    assert await lists(person, group) is listed
    answer = await person.http.get(f"groups/{group}")
    assert answer.status_code == (200 if listed else 404)
    if listed:
        assert CARD(answer.json())
        assert answer.json()["about"] == "what it is for"
        assert answer.json()["head"] == (1 if read else 0)
    assert (await person.http.get(f"channels/{group}/entries")).status_code == (200 if read else 404)
    assert await subscribes(person, group) is read


async def test_what_is_hidden_is_answered_like_what_is_not_there(hub: Hub) -> None:
    anna, zoe, guest = await hub.member(), await hub.member(), await hub.browser()
    secret = await hub.group(anna, "secret")
    await anna.say(secret)
    paths = ["groups/{}", "groups/{}/members", "groups/{}/requests", "groups/{}/invites", "groups/{}/bans",
             "channels/{}", "channels/{}/entries", "channels/{}/pins", "channels/{}/messages/1/revisions",
             "channels/{}/messages/1/reactions"]  # fmt: skip
    for person in (zoe, guest):
        for path in paths:
            hidden, absent = [await person.http.get(path.format(number)) for number in (secret, 12345)]
            assert (hidden.status_code, hidden.text) == (absent.status_code, absent.text)
            assert hidden.status_code == 404 or person is guest
    for method, path, body in [
        ("POST", "groups/{}/join", {}), ("POST", "groups/{}/leave", {}), ("PATCH", "groups/{}", {"title": "x"}),
        ("DELETE", "groups/{}", None), ("POST", "channels/{}/messages", {"text": "x"}),
        ("PUT", "channels/{}/read", {"seq": 1}),
        ("PATCH", "channels/{}/messages/1", {"text": "x"}), ("DELETE", "channels/{}/messages/1", None),
        ("PUT", f"groups/{{}}/bans/{anna.handle}", None), ("DELETE", f"groups/{{}}/members/{anna.handle}", None),
        ("POST", "groups/{}/invites", {}), ("POST", f"groups/{{}}/requests/{anna.handle}", {"decision": "approve"}),
    ]:  # fmt: skip
        hidden, absent = [await zoe.http.request(method, path.format(number), json=body) for number in (secret, 12345)]
        assert (path, hidden.status_code, hidden.text) == (path, absent.status_code, absent.text)
        assert hidden.status_code == 404


@pytest.mark.parametrize("visibility", ["public", "open"])
async def test_an_open_door_is_joined_freely_and_only_members_write(hub: Hub, visibility: str) -> None:
    anna, zoe, guest = await hub.member(), await hub.member(), await hub.browser()
    group = await hub.group(anna, visibility)
    await zoe.post(f"channels/{group}/messages", {"text": "x"}, 403)
    await guest.post(f"groups/{group}/join", status=401)
    assert await zoe.post(f"groups/{group}/join") == {"state": "joined"}
    assert await zoe.post(f"groups/{group}/join") == {"state": "joined"}
    assert await zoe.say(group) == 1


async def test_a_closed_door_is_asked_at_and_opened_from_inside(hub: Hub) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    group = await hub.group(anna, "closed")
    for person in (ben, zoe):
        assert await person.post(f"groups/{group}/join", {"word": "may I?"}) == {"state": "requested"}
    assert not await subscribes(ben, group)
    asked = await anna.get(f"groups/{group}/requests")
    assert page_of(
        shaped({"person": shaped({"id": an_id, "handle": text, "name": text}), "word": text, "at": rfc_3339})
    )(asked)
    assert [(one["person"]["id"], one["word"]) for one in asked["items"]] == [(ben.id, "may I?"), (zoe.id, "may I?")]
    assert await ben.get(f"groups/{group}/requests", 403)
    await anna.post(f"groups/{group}/requests/{ben.handle}", {"decision": "approve"}, 204)
    await anna.post(f"groups/{group}/requests/{zoe.handle}", {"decision": "decline", "word": "not now"}, 204)
    assert await subscribes(ben, group)
    assert not await subscribes(zoe, group)
    again = {"decision": "approve"}
    assert await anna.refused("POST", f"groups/{group}/requests/{ben.handle}", 409, again) == "not_requested"
    assert (await anna.get(f"groups/{group}/requests"))["items"] == []


async def test_a_secret_door_opens_for_who_was_invited_alone(hub: Hub) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    group = await hub.group(anna, "secret")
    await anna.post(f"groups/{group}/invites", {"handle": ben.handle}, 201)
    assert (await ben.get(f"groups/{group}"))["title"] == "A group"
    assert not await subscribes(ben, group)
    assert await lists(ben, group)
    await zoe.post(f"groups/{group}/join", status=404)
    assert await ben.post(f"groups/{group}/join") == {"state": "joined"}
    assert await subscribes(ben, group)


async def test_others_get_a_count_that_tells_nobody_apart(hub: Hub) -> None:
    anna, zoe = await hub.members("anna", "zoe")
    group = await hub.group(anna, "open")
    for count in range(2, 12):
        await (await hub.member()).post(f"groups/{group}/join")
        shown = (await zoe.get(f"groups/{group}"))["members"]
        assert (count, shown) == (count, "fewer than 10" if count < 10 else count)
    await zoe.get(f"groups/{group}/members", 403)


@pytest.mark.parametrize("visibility", ["public", "open"])
async def test_an_open_groups_list_shows_who_wrote_or_chose_to_be_listed(hub: Hub, visibility: str) -> None:
    anna, ben, zoe, mia = await hub.members("anna", "ben", "zoe", "mia")
    group = await hub.group(anna, visibility, ben, zoe, mia)

    async def seen(person: Person) -> set[int]:
        page = await person.get(f"groups/{group}/members")
        entry = shaped({"person": shaped({"id": an_id, "handle": text, "name": text}), "role": text})
        assert page_of(entry)(page)
        return {one["person"]["id"] for one in page["items"]}

    assert not {ben.id, mia.id} & await seen(zoe)
    await ben.say(group)
    await mia.patch(f"groups/{group}/membership", {"listed": True}, 204)
    assert {ben.id, mia.id} <= await seen(zoe)
    assert zoe.id not in await seen(ben)
    assert {anna.id, ben.id, zoe.id, mia.id} == await seen(anna)


@pytest.mark.parametrize("wrong", ["a", "A-group", "-group", "ä-group", "a group", "a" * 32, "a_b", "", "a.b"])
async def test_an_address_has_its_form(hub: Hub, wrong: str) -> None:
    anna = await hub.member()
    body = {"slug": wrong, "title": "A group", "visibility": "open"}
    assert await anna.refused("POST", "groups", 422, body) == "slug_invalid"


async def test_an_address_is_one_groups_and_an_old_one_leads_on(hub: Hub) -> None:
    anna, zoe = await hub.members("anna", "zoe")
    old, new = new_name("old"), new_name("new")
    group = (await anna.post("groups", {"slug": old, "title": "A group", "visibility": "open"}, 201))["id"]
    taken = {"slug": old, "title": "Another", "visibility": "closed"}
    assert await zoe.refused("POST", "groups", 409, taken) == "slug_taken"
    await anna.patch(f"groups/{group}", {"slug": new})
    answer = await zoe.http.get(f"groups/{old}", follow_redirects=True)
    assert (answer.status_code, answer.json()["id"], answer.json()["slug"]) == (200, group, new)
    secret = (await anna.post("groups", {"title": "A secret", "visibility": "secret"}, 201))["slug"]
    assert secret is None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"title": ""}, "title"), ({"visibility": "hidden"}, "visibility"), ({"colour": "red"}, "colour"),
     ({"title": 5}, "title"), ({"history": "some"}, "history"), ({"title": None}, "title")],
)  # fmt: skip
async def test_a_group_that_cannot_be_is_refused_with_the_field(hub: Hub, wrong: dict[str, Any], field: str) -> None:
    anna = await hub.member()
    body = {"slug": new_name("group"), "title": "A group", "visibility": "open", **wrong}
    fault = (await anna.post("groups", body, 422))["error"]
    assert list(fault["fields"]) == [field]
    await (await hub.browser()).post("groups", body, 401)


async def test_a_change_to_a_version_that_is_over_is_refused_with_the_present_one(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    read = await anna.http.get(f"groups/{group}")
    version = {"If-Match": read.headers["etag"]}
    changed = await anna.http.patch(f"groups/{group}", json={"title": "One"}, headers=version)
    assert (changed.status_code, changed.json()["title"]) == (200, "One")
    stale = await anna.http.patch(f"groups/{group}", json={"title": "Two"}, headers=version)
    assert (stale.status_code, stale.json()["error"]["code"]) == (412, "conflict")
    now = (await anna.http.get(f"groups/{group}")).headers["etag"]
    assert now == changed.headers["etag"] != read.headers["etag"]
    assert now.strip('"') in (stale.text + str(stale.headers))
    assert (await anna.get(f"groups/{group}"))["title"] == "One"
    await anna.patch(f"groups/{group}", {"title": "Two"}, headers={"If-Match": now})
