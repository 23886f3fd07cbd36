"""Accounts: signing up and in, cookies, sessions, passwords, recovery codes, and what ends with them."""

from typing import Any

import pytest

from tests.blackbox.hub import PASSWORD, Hub, Person, new_name
from tests.blackbox.shapes import an_id, boolean, handle, list_of, maybe, one_of, page_of, rfc_3339, shaped, text

OTHER_PASSWORD = "eleven-herons-by-the-lake"
ME = shaped(
    {"id": an_id, "handle": handle, "name": text, "role": one_of("member", "moderator", "admin"), "inbox": an_id,
     "email": maybe(text), "presence": one_of("shared", "conversations", "nobody")}
)  # fmt: skip
SESSION = shaped({"id": an_id, "current": boolean, "created_at": rfc_3339, "used_at": rfc_3339})
DAY_S = 86_400


def form(**given: Any) -> dict[str, Any]:
    return {"handle": new_name("new"), "name": "New", "password": PASSWORD, "agreed": True, **given}


def session_cookie(hub: Hub, answer: Any) -> tuple[str, dict[str, str]]:
    """Value and attributes of the session's cookie as it was set."""
    name = f"hubchat_{hub.running.port}="
    (line,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith(name)]
    value, *attributes = line.removeprefix(name).split("; ")
    pairs = [one.partition("=") for one in attributes]
    return value, {key.lower(): given.lower() for key, _, given in pairs}


async def sign_in(hub: Hub, person: Person, password: str = PASSWORD) -> Person:
    """The same member at another browser."""
    other = await hub.browser()
    done = await other.post("session", {"login": person.handle, "password": password})
    assert ME(done["me"])
    other.handle, other.id, other.inbox = person.handle, person.id, person.inbox
    return other


async def test_who_signs_up_is_in_and_gets_ten_recovery_codes(hub: Hub) -> None:
    browser = await hub.browser()
    made = await browser.post("signup", form(handle="fresh-member", name="  Zoë  Ångström ".strip()), 201)
    assert ME(made["me"])
    assert list_of(text)(made["recovery_codes"])
    assert len(set(made["recovery_codes"])) == 10
    assert (await browser.get("me")) == made["me"]
    assert made["me"]["handle"] == "fresh-member"


async def test_the_cookie_of_a_session_keeps_its_promises(hub: Hub) -> None:
    browser = await hub.browser()
    account = form()
    answers = [await browser.http.post("signup", json=account)]
    answers.append(await browser.http.post("session", json={"login": account["handle"], "password": PASSWORD}))
    values = []
    for answer in answers:
        value, attributes = session_cookie(hub, answer)
        values.append(value)
        assert len(value) >= 43
        assert "httponly" in attributes
        assert (attributes["samesite"], attributes["path"]) == ("lax", "/")
        assert "domain" not in attributes
        assert 0 < int(attributes["max-age"]) <= 180 * DAY_S
    assert values[0] != values[1]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [({"handle": "A"}, "handle_invalid"), ({"handle": "a"}, "handle_invalid"), ({"handle": "ünder"}, "handle_invalid"),
     ({"handle": "-ab"}, "handle_invalid"), ({"handle": "a" * 32}, "handle_invalid"),
     ({"handle": "a_b"}, "handle_invalid"),
     ({"handle": "admin"}, "handle_reserved"), ({"name": ""}, "name_invalid"), ({"name": " "}, "name_invalid"),
     ({"name": "a" * 61}, "name_invalid"), ({"name": "a\u202eb"}, "name_invalid"), ({"name": "a\nb"}, "name_invalid"),
     ({"name": "a\x00b"}, "fields_invalid"), ({"password": "password"}, "password_weak"),
     ({"password": ""}, "password_weak"), ({"password": "x" * 1025}, "password_too_large"),
     ({"agreed": False}, "not_agreed"), ({"email": "nowhere"}, "email_invalid"),
     ({"age": 50}, "field_unknown"), ({"handle": 5}, "fields_invalid"), ({"agreed": "yes"}, "fields_invalid")],
)  # fmt: skip
async def test_a_form_that_is_wrong_makes_no_account(hub: Hub, wrong: dict[str, Any], reason: str) -> None:
    browser = await hub.browser()
    answer = await browser.http.post("signup", json=form(**wrong))
    assert answer.json()["error"]["reason"] == reason
    assert "set-cookie" not in answer.headers
    await browser.get("me", 401)


async def test_a_handle_is_one_persons(hub: Hub) -> None:
    anna, browser = await hub.member(), await hub.browser()
    assert await browser.refused("POST", "signup", 409, form(handle=anna.handle)) == "handle_taken"


async def test_names_are_in_any_script_and_composed(hub: Hub) -> None:
    for name, kept in (
        ("Ἀθηνᾶ", "Ἀθηνᾶ"),
        ("王小明", "王小明"),
        ("Zoe\u0308", "Zoë"),
        ("a" * 60, "a" * 60),
        ("محمد", "محمد"),
    ):
        made = await (await hub.browser()).post("signup", form(name=name), 201)
        assert made["me"]["name"] == kept


async def test_an_address_is_nobodys_until_confirmed(hub: Hub) -> None:
    address = "somebody@example.org"
    for _ in range(2):
        made = await (await hub.browser()).post("signup", form(email=address), 201)
        assert made["me"]["email"] == address
    unknown = await (await hub.browser()).http.post("session", json={"login": address, "password": PASSWORD})
    assert unknown.status_code == 401


async def test_a_wrong_password_and_an_unknown_handle_are_answered_alike(hub: Hub) -> None:
    anna, browser = await hub.member(), await hub.browser()
    wrong = await browser.http.post("session", json={"login": anna.handle, "password": "wrong"})
    unknown = await browser.http.post("session", json={"login": new_name("unknown"), "password": "wrong"})
    assert (wrong.status_code, wrong.text) == (unknown.status_code, unknown.text)
    assert (wrong.status_code, wrong.json()["error"]["reason"]) == (401, "sign_in_wrong")


async def test_signing_out_ends_the_session_and_its_connections(hub: Hub) -> None:
    anna = await hub.member()
    other = await sign_in(hub, anna)
    line, others = await anna.live(), await other.live()
    headers = anna.headers
    await anna.delete("session")
    assert await line.until_ended() == 4001
    assert line.heard[-1]["bye"]["code"] == 4001
    await others.do("ping")
    late = await hub.somebody(headers)
    await late.get("me", 401)
    await late.get("groups", 401)


async def test_ones_sessions_are_listed_and_ended_one_by_one(hub: Hub) -> None:
    anna = await hub.member()
    phone = await sign_in(hub, anna)
    line = await phone.live()
    listed = await anna.get("me/sessions")
    assert page_of(SESSION)(listed)
    assert sorted(one["current"] for one in listed["items"]) == [False, True]
    (theirs,) = [one["id"] for one in listed["items"] if not one["current"]]
    ben = await hub.member()
    await ben.delete(f"me/sessions/{theirs}", 404)
    await anna.delete(f"me/sessions/{theirs}")
    assert await line.until_ended() == 4001
    await phone.get("me", 401)
    await anna.get("me")


async def test_a_new_password_ends_the_other_sessions(hub: Hub) -> None:
    anna = await hub.member()
    phone = await sign_in(hub, anna)
    line = await phone.live()
    assert (await anna.http.post("me/password", json={"old": "wrong", "password": OTHER_PASSWORD})).status_code in (
        401,
        403,
    )
    await anna.post("me/password", {"old": PASSWORD, "password": "password"}, 422)
    await anna.post("me/password", {"old": PASSWORD, "password": OTHER_PASSWORD}, 204)
    assert await line.until_ended() == 4001
    await phone.get("me", 401)
    await anna.get("me")
    await (await hub.browser()).post("session", {"login": anna.handle, "password": PASSWORD}, 401)
    await sign_in(hub, anna, OTHER_PASSWORD)


async def test_a_recovery_code_works_once(hub: Hub) -> None:
    anna, browser = await hub.member(), await hub.browser()
    line = await anna.live()
    body = {"login": anna.handle, "recovery_code": anna.codes[0], "password": OTHER_PASSWORD}
    wrong = await browser.http.post("session/recover", json={**body, "recovery_code": "aaaa-aaaa-aaaa-aaaa"})
    unknown = await browser.http.post("session/recover", json={**body, "login": new_name("unknown")})
    assert (wrong.status_code, wrong.text) == (unknown.status_code, unknown.text)
    assert wrong.status_code == 401
    done = await browser.post("session/recover", body)
    assert ME(done["me"])
    assert await line.until_ended() == 4001
    assert (await browser.get("me"))["id"] == anna.id
    await (await hub.browser()).post("session/recover", body, 401)
    await sign_in(hub, anna, OTHER_PASSWORD)


async def test_one_changes_what_one_shows_of_oneself(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "closed", ben)
    await anna.say(group)
    changed = await anna.patch("me", {"name": "Anna Ångström", "presence": "conversations"})
    assert ME(changed)
    assert (changed["name"], changed["presence"]) == ("Anna Ångström", "conversations")
    found = await (await ben.live()).do("people", ids=[anna.id])
    assert found["people"][0]["name"] == "Anna Ångström"
    assert (await anna.live()).welcome
    for wrong in ({"presence": "always"}, {"name": ""}, {"handle": "other"}, {"role": "admin"}):
        assert (await anna.http.patch("me", json=wrong)).status_code in (400, 422)
    assert (await anna.get("me"))["name"] == "Anna Ångström"


async def test_a_cookie_needs_our_origin_for_all_but_reading(hub: Hub) -> None:
    anna = await hub.member()
    cookie = anna.headers["Cookie"]
    for origin in ({}, {"Origin": "https://elsewhere.example"}, {"Origin": "null"}):
        elsewhere = await hub.somebody({"Cookie": cookie, **origin})
        assert (await elsewhere.get("me"))["id"] == anna.id
        for method, path in (("PATCH", "me"), ("POST", "groups"), ("DELETE", "session"), ("PUT", "channels/1/read")):
            assert await elsewhere.refused(method, path, 403, {}) == "origin_foreign"
    assert (await anna.get("me"))["id"] == anna.id


async def test_tries_that_go_on_failing_are_slowed_down_and_no_account_is_locked(hub: Hub) -> None:
    anna = await hub.member()
    stranger = await hub.browser()
    answers = []
    for _ in range(30):
        answers.append(await stranger.http.post("session", json={"login": anna.handle, "password": "wrong"}))
        if answers[-1].status_code == 429:
            break
    assert [one.status_code for one in answers][-1] == 429
    assert answers[-1].json()["error"]["reason"] == "too_many_tries"
    assert int(answers[-1].headers["retry-after"]) >= 1
    again = await anna.http.post("session", json={"login": anna.handle, "password": PASSWORD})
    assert again.status_code == 200
