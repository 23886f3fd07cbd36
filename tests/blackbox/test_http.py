"""The manner of every answer over HTTP: statuses, shapes, lists, versions, repeats, hosts."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from tests.blackbox.hub import PASSWORD, Hub, Person, new_name
from tests.blackbox.raw import Raw


async def test_the_interface_describes_itself(hub: Hub) -> None:
    guest = await hub.browser()
    described = await guest.get("openapi.json")
    assert described["openapi"].startswith("3.1")
    for path in (
        "/signup",
        "/session",
        "/me/tokens",
        "/channels/{id}/entries",
        "/groups/{id}/members/{handle}",
        "/invites",
        "/conversations",
    ):
        assert f"/api/v1{path}" in described["paths"]
    async with await Raw.open(hub.running.port, {"Upgrade": None, "Connection": None}, "/api/docs") as page:
        assert page.status == 200


async def test_the_process_and_its_database_say_that_they_are_well(hub: Hub) -> None:
    guest = await hub.browser()
    for path in ("healthz", "readyz"):
        assert (await guest.http.get(f"{hub.url}/{path}")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("GET", "nothing", {404}),
        ("GET", "groups/12345", {404}),
        ("GET", "groups/../me/nothing", {404}),
        ("PUT", "groups", {405}),
        ("DELETE", "signup", {405}),
        ("GET", "channels/abc", {400, 404, 422}),
        ("GET", "channels/0", {400, 404, 422}),
        ("GET", "channels/9007199254740992", {400, 404, 422}),
        ("GET", "channels/-1", {400, 404, 422}),
        ("GET", "me", {401}),
        ("GET", "channels", {401}),
        ("GET", "groups?limit=0", {400, 422}),
        ("GET", "groups?limit=x", {400, 422}),
        ("GET", "groups?cursor=nothing", {400, 422}),
        ("GET", "groups?colour=red", {400, 422}),
        ("GET", "%00", {400, 404}),
    ],
)
async def test_a_refusal_is_json_with_its_code(hub: Hub, method: str, path: str, statuses: set[int]) -> None:
    answer = await (await hub.browser()).http.request(method, path)
    assert answer.status_code in statuses
    assert answer.json()["error"]["code"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"login": "a", "login": "b"', b"[" * 20000, b'{"login": "\\ud800"}'],
)
async def test_a_body_that_cannot_be_read_is_a_bad_request(hub: Hub, body: bytes) -> None:
    guest = await hub.browser()
    answer = await guest.http.post("session", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code in (400, 422), answer.json()["error"]["code"]) == (True, "bad_request")


async def test_unknown_and_missing_fields_are_named(hub: Hub) -> None:
    guest = await hub.browser()
    unknown = await guest.post("session", {"login": "a", "password": "b", "colour": "red", "size": 3}, 422)
    assert set(unknown["error"]["fields"]) == {"colour", "size"}
    missing = await guest.post("session", {}, 422)
    assert set(missing["error"]["fields"]) == {"login", "password"}


async def test_a_body_that_is_too_large_is_not_taken(hub: Hub) -> None:
    guest = await hub.browser()
    form = {"handle": new_name("new"), "name": "New", "agreed": True}
    answer = await guest.http.post("signup", json={**form, "password": "x" * 5_000_000})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


async def test_get_changes_nothing_and_head_has_no_body(hub: Hub) -> None:
    anna = await hub.member()
    answer = await anna.http.request("HEAD", "me")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_there_is_no_cors(hub: Hub) -> None:
    anna = await hub.member()
    headers = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    for method in ("GET", "OPTIONS"):
        answer = await anna.http.request(method, "groups", headers=headers)
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "host", ["hub.example", "localhost", "localhost:1", "evil.example:{port}", "localhost:{port}.evil.example"]
)
async def test_another_host_is_misdirected(hub: Hub, host: str) -> None:
    headers = {"Host": host.format(port=hub.running.port)}
    for path in ("me", "groups", "openapi.json"):
        answer = await (await hub.browser()).http.get(path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["reason"]) == (421, "host_foreign")


async def test_what_a_proxy_might_say_counts_for_nothing(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    told = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.example"}
    made = await anna.post(f"groups/{group}/invites", {}, 201, headers=told)
    assert made["url"].startswith(hub.url)


async def test_answers_are_not_kept_by_caches(hub: Hub) -> None:
    anna = await hub.member()
    for path in ("me", "groups", "nothing"):
        headers = (await anna.http.get(path)).headers
        assert "no-store" in headers["cache-control"]
        assert headers["x-content-type-options"] == "nosniff"


async def test_ids_are_drawn_and_not_counted(hub: Hub) -> None:
    anna = await hub.member()
    ids = sorted([await hub.group(anna, "open") for _ in range(4)] + [anna.id, anna.inbox])
    assert all(later - earlier > 1_000_000 for earlier, later in pairwise(ids))
    assert ids[-1] > 2**40


async def test_one_says_per_channel_what_one_is_told_of(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    await anna.patch(f"channels/{group}/notify", {"notify": "none"}, 204)
    assert (await anna.get(f"channels/{group}"))["notify"] == "none"
    assert await anna.refused("PATCH", f"channels/{group}/notify", 422, {"notify": "sometimes"}) == "fields_invalid"


async def test_the_nonce_has_the_same_bounds_as_live(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    assert await anna.say(group, nonce="n" * 64) == 1
    for wrong in ("", "n" * 65, "ñ" * 33):
        answer = await anna.http.post(f"channels/{group}/messages", json={"text": "x", "nonce": wrong})
        assert (wrong, answer.status_code in (400, 422)) == (wrong, True)


# Lists


async def pages(person: Person, path: str, limit: int) -> list[list[Any]]:
    found, cursor = [], None
    while True:
        page = await person.get(path, params={"limit": limit, **({"cursor": cursor} if cursor else {})})
        found.append(page["items"])
        if not (cursor := page["next"]):
            return found


async def test_a_list_comes_in_pages_that_hold_each_thing_once(hub: Hub) -> None:
    anna = await hub.member()
    made = {await hub.group(anna, "open") for _ in range(7)}
    found = await pages(anna, "groups", 3)
    assert all(len(page) == 3 for page in found[:-1])
    ids = [one["id"] for page in found for one in page]
    assert len(ids) == len(set(ids))
    assert made <= set(ids)
    mine = [one["id"] for page in await pages(anna, "channels", 3) for one in page]
    assert len(mine) == len(set(mine)) == 8
    assert made < set(mine)


async def test_a_cursor_stays_right_while_things_are_added_and_taken_away(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "closed", *[await hub.member() for _ in range(6)])
    first = await anna.get(f"groups/{group}/members", params={"limit": 3})
    before = {one["person"]["handle"] for one in first["items"]}
    handle = next(one["person"]["handle"] for one in first["items"] if one["person"]["id"] != anna.id)
    await anna.delete(f"groups/{group}/members/{handle}")
    await hub.let_in(anna, group, await hub.member(), "closed")
    rest, cursor = [], first["next"]
    while cursor:
        page = await anna.get(f"groups/{group}/members", params={"limit": 3, "cursor": cursor})
        rest += [one["person"]["handle"] for one in page["items"]]
        cursor = page["next"]
    assert not before & set(rest)
    assert len(rest) == len(set(rest)) >= 4


async def test_a_cursor_of_another_list_or_hand_is_refused_or_harmless(hub: Hub) -> None:
    anna = await hub.member()
    for cursor in ("nothing", "AAAA", "0", "%00", "x" * 201):
        answer = await anna.http.get("groups", params={"cursor": cursor})
        assert answer.status_code in (200, 400, 422)


# Repeats


async def test_a_post_that_is_repeated_with_its_key_is_done_once(hub: Hub) -> None:
    anna = await hub.member()
    body = {"slug": new_name("group"), "title": "A group", "visibility": "open"}
    key = {"Idempotency-Key": "k-1"}
    first = await anna.http.post("groups", json=body, headers=key)
    again = await anna.http.post("groups", json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    other = await anna.http.post("groups", json={**body, "title": "Another"}, headers=key)
    assert (other.status_code, other.json()["error"]["reason"]) == (409, "key_reused")
    group = first.json()["id"]
    for _ in range(2):
        said = await anna.http.post(f"channels/{group}/messages", json={"text": "once"}, headers=key)
        assert (said.status_code, said.json()["seq"]) == (201, 1)


async def test_a_key_is_its_callers_alone(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "open", ben)
    key = {"Idempotency-Key": "k-1"}
    for person in (anna, ben):
        await person.http.post(f"channels/{group}/messages", json={"text": "hello"}, headers=key)
    assert (await anna.get(f"channels/{group}"))["head"] == 2


async def test_no_secret_is_kept_for_a_key(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    key = {"Idempotency-Key": "k-1"}
    for path, secret in (("me/tokens", "token"), (f"groups/{group}/invites", "code")):
        body = {"name": "p"} if secret == "token" else {}
        answers = [await anna.http.post(path, json=body, headers=key) for _ in range(2)]
        assert [one.status_code for one in answers] == [201, 201]
        assert answers[0].json()[secret] != answers[1].json()[secret]
    for _ in range(2):
        form = {"login": anna.handle, "password": PASSWORD}
        assert (await (await hub.browser()).http.post("session", json=form, headers=key)).status_code == 200


async def test_two_equal_posts_at_the_same_time_are_one(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    key = {"Idempotency-Key": "k-1"}
    answers = await asyncio.gather(
        *[anna.http.post(f"channels/{group}/messages", json={"text": "once"}, headers=key) for _ in range(5)]
    )
    assert {one.status_code for one in answers} <= {201, 409}
    assert (await anna.get(f"channels/{group}"))["head"] == 1


async def test_a_request_that_is_none_is_refused_in_json(hub: Hub) -> None:
    async with await Raw.open(hub.running.port, {"X-Long": "x" * 40_000}) as raw:
        assert raw.status in (400, 413, 431)
        assert raw.body["error"]["reason"] == "head_too_large"
