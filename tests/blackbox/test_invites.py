"""Invitations by handle and by link: what they show, how often and how long they work, and with whom they die."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.blackbox.hub import PASSWORD, Hub, Person, new_name
from tests.blackbox.shapes import PERSON, an_id, maybe, number, page_of, rfc_3339, shaped, text

INVITE = shaped({"id": an_id, "handle": maybe(text), "uses_left": number, "expires_at": rfc_3339})
MADE = shaped({"id": an_id, "code": text, "url": text, "uses_left": number, "expires_at": rfc_3339})


def later(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat().replace("+00:00", "Z")


async def link(owner: Person, group: int, **body: Any) -> str:
    made = await owner.post(f"groups/{group}/invites", body, 201)
    assert MADE(made)
    return made["code"]  # type: ignore[no-any-return]


async def test_a_link_is_for_one_use_and_seven_days_unless_said(hub: Hub) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    group = await hub.group(anna, "secret")
    made = await anna.post(f"groups/{group}/invites", {}, 201)
    assert MADE(made)
    assert made["uses_left"] == 1
    assert made["url"] == f"{hub.url}/join#{made['code']}"
    assert len(made["code"]) >= 22
    ends = datetime.fromisoformat(made["expires_at"])
    assert abs(ends - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=2)
    joined = await ben.post("invites", {"code": made["code"]})
    assert (joined["id"], joined["membership"]) == (group, "member")
    assert await zoe.refused("POST", "invites", 404, {"code": made["code"]}) == "invite_ended"


async def test_the_list_of_links_shows_no_codes(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "closed", ben)
    code = await link(anna, group, uses=3)
    listed = await anna.get(f"groups/{group}/invites")
    assert page_of(INVITE)(listed)
    assert code not in str(listed)
    await ben.get(f"groups/{group}/invites", 403)
    await anna.delete(f"groups/{group}/invites/{listed['items'][0]['id']}")
    assert await ben.refused("POST", "invites", 404, {"code": code}) == "invite_ended"


async def test_a_preview_shows_what_one_is_invited_to_and_uses_nothing_up(hub: Hub) -> None:
    anna, ben, guest = await hub.member(), await hub.member(), await hub.browser()
    group = await hub.group(anna, "secret", about="what it is for")
    code = await link(anna, group)
    for person in (guest, ben, ben):
        shown = await person.post("invites/preview", {"code": code})
        assert shaped({"title": text, "about": maybe(text), "inviter": PERSON})(shown)
        assert (shown["title"], shown["about"], shown["inviter"]["id"]) == ("A group", "what it is for", anna.id)
    await ben.post("invites", {"code": code})
    assert await guest.refused("POST", "invites/preview", 404, {"code": code}) == "invite_ended"
    assert await guest.refused("POST", "invites/preview", 404, {"code": "nothing"}) == "invite_ended"
    await guest.post("invites", {"code": code}, 401)


async def test_a_link_works_as_often_as_said(hub: Hub) -> None:
    anna, *others = [await hub.member() for _ in range(4)]
    group = await hub.group(anna, "closed")
    code = await link(anna, group, uses=2)
    assert [(await one.http.post("invites", json={"code": code})).status_code for one in others] == [200, 200, 404]


@pytest.mark.parametrize(
    "wrong",
    [
        {"uses": 0},
        {"uses": 101},
        {"uses": -1},
        {"expires_at": "-1"},
        {"expires_at": "31"},
        {"expires_at": "soon"},
        {"role": "owner"},
    ],
)
async def test_a_link_has_its_bounds(hub: Hub, wrong: dict[str, Any]) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "closed")
    days = {"-1": later(days=-1), "31": later(days=31)}
    body = {name: days.get(value, value) for name, value in wrong.items()}
    fault = (await anna.post(f"groups/{group}/invites", body, 422))["error"]
    assert fault["code"] == "bad_request"
    await anna.post(f"groups/{group}/invites", {"uses": 100, "expires_at": later(days=29.9)}, 201)


async def test_a_link_dies_with_its_makers_rights(hub: Hub) -> None:
    anna, ben, zoe, mia = await hub.members("anna", "ben", "zoe", "mia")
    group = await hub.group(anna, "closed", ben, zoe)
    for person in (ben, zoe):
        await anna.put(f"groups/{group}/members/{person.handle}", {"role": "moderator"})
    codes = [await link(ben, group), await link(zoe, group)]
    await anna.put(f"groups/{group}/members/{ben.handle}", {"role": "member"})
    await zoe.post(f"groups/{group}/leave", status=204)
    for code in codes:
        assert await mia.refused("POST", "invites", 404, {"code": code}) == "invite_ended"
        assert await mia.refused("POST", "invites/preview", 404, {"code": code}) == "invite_ended"


async def test_who_keeps_the_group_invites_and_members_of_a_closed_one_do_not(hub: Hub) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    group = await hub.group(anna, "closed", ben)
    await ben.post(f"groups/{group}/invites", {}, 403)
    await ben.post(f"groups/{group}/invites", {"handle": zoe.handle}, 403)
    await zoe.post(f"groups/{group}/invites", {}, 403)
    assert await anna.refused("POST", f"groups/{group}/invites", 409, {"handle": ben.handle}) == "already_member"
    assert await anna.refused("POST", f"groups/{group}/invites", 404, {"handle": "nobody-here"}) == "person_unknown"


async def test_an_invitation_by_handle_is_for_that_person_and_can_be_declined(hub: Hub) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    group = await hub.group(anna, "closed")
    made = await anna.post(f"groups/{group}/invites", {"handle": ben.handle}, 201)
    assert INVITE(made)
    assert made["handle"] == ben.handle
    assert await ben.post(f"groups/{group}/join") == {"state": "joined"}
    await anna.post(f"groups/{group}/invites", {"handle": zoe.handle}, 201)
    await zoe.post(f"groups/{group}/leave", status=204)
    assert await zoe.post(f"groups/{group}/join") == {"state": "requested"}


async def test_one_may_sign_up_with_a_link_and_is_in(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "secret")
    code = await link(anna, group)
    newcomer = await hub.browser()
    form = {"handle": new_name("new"), "name": "New", "password": PASSWORD, "agreed": True, "invite": code}
    await newcomer.post("signup", form, 201)
    assert (await newcomer.get(f"groups/{group}"))["membership"] == "member"
    assert await anna.refused("POST", "invites/preview", 404, {"code": code}) == "invite_ended"
