"""A hub for members only, behind a proxy, that takes whom its members invite."""

from typing import Any

import pytest

from tests.blackbox.hub import PASSWORD, Hub, Person, new_name
from tests.blackbox.raw import Raw
from tests.blackbox.shapes import check_fault
from tests.program import Program, Running

ADDRESS = "https://hub.example.org"
SETTINGS = {
    "HUBCHAT_URL": ADDRESS,
    "HUBCHAT_GUESTS": "false",
    "HUBCHAT_SIGNUP": "invited",
    "HUBCHAT_TRUSTED_PROXIES": "127.0.0.1,::1",
}
PROXIED = {"Host": "hub.example.org", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}


async def visitor(hub: Hub, **headers: str) -> Person:
    return await hub.somebody({**PROXIED, "Origin": ADDRESS, **headers})


@pytest.fixture(scope="module")
def token(program: Program, running: Running) -> str:
    """A member's, made on the command line, since nobody signs up here alone."""
    program.tell("user", "add", "anna")
    return program.tell("token", "anna")


async def test_a_guest_is_refused_with_401_everywhere(hub: Hub) -> None:
    guest = await visitor(hub)
    for path in ("groups", "groups/1", "channels/1/entries", "people/anna", "me"):
        await guest.get(path, 401)
    async with await Raw.open(hub.running.port, dict(PROXIED)) as raw:
        check_fault(raw.status, raw.headers, raw.body)
        assert (raw.status, raw.body["error"]["reason"]) == (401, "members_only")
    assert (await guest.get("hub"))["guests"] is False


async def test_who_has_no_invitation_does_not_sign_up(hub: Hub, token: str) -> None:
    anna = await visitor(hub, Authorization=f"Bearer {token}")
    form: dict[str, Any] = {"handle": new_name("new"), "name": "New", "password": PASSWORD, "agreed": True}
    assert await (await visitor(hub)).refused("POST", "signup", 403, form) == "signup_invited"
    made = await anna.post("groups", {"title": "A group", "visibility": "secret"}, 201)
    invite = await anna.post(f"groups/{made['id']}/invites", {}, 201)
    newcomer = await visitor(hub)
    answer = await newcomer.http.post("signup", json={**form, "invite": invite["code"]})
    assert answer.status_code == 201
    (cookie,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith("__Host-hubchat=")]
    attributes = cookie.lower().split("; ")
    assert {"httponly", "secure", "path=/", "samesite=lax"} <= set(attributes)
    assert not [one for one in attributes if one.startswith("domain")]


async def test_links_come_from_the_hubs_address_alone(hub: Hub, token: str) -> None:
    anna = await visitor(hub, Authorization=f"Bearer {token}")
    made = await anna.post("groups", {"title": "A group", "visibility": "secret"}, 201)
    invite = await anna.post(f"groups/{made['id']}/invites", {}, 201, headers={"X-Forwarded-Host": "evil.example"})
    assert invite["url"] == f"{ADDRESS}/join#{invite['code']}"
    for host in (
        f"localhost:{hub.running.port}",
        f"127.0.0.1:{hub.running.port}",
        "hub.example.org:8443",
        "evil.example",
    ):
        assert await anna.refused("GET", "me", 421, headers={"Host": host}) == "host_foreign"


async def test_a_live_connection_goes_by_the_same_address(hub: Hub, token: str) -> None:
    bearer = {"Authorization": f"Bearer {token}"}
    async with await Raw.open(hub.running.port, {**PROXIED, **bearer}) as raw:
        assert (await raw.hear_map())["welcome"]["user"]
    async with await Raw.open(hub.running.port, dict(bearer)) as raw:
        assert (raw.status, raw.body["error"]["reason"]) == (421, "host_foreign")
