"""Tokens: what programs hold."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from hubchat.actions import tokens
from tests.serving import PASSWORD, Served

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_token_is_shown_once_and_asks_as_its_owner(hub: Served) -> None:
    ana = await hub.member("ana")
    answer = await ana.post("me/tokens", json={"name": "a script"})
    assert answer.status_code == 201
    made = answer.json()
    assert made["token"].startswith("hct_")
    assert (made["scopes"], made["used_at"]) == (["read", "write", "groups"], None)
    assert _in_days(made["expires_at"]) == 365
    script = await hub.client(Authorization=f"Bearer {made['token']}")
    assert (await script.get("me")).json()["handle"] == "ana"
    await hub.node.uses.close()  # stores what is noted
    listed = (await ana.get("me/tokens")).json()["items"]
    assert [item["id"] for item in listed] == [made["id"]]
    assert listed[0]["used_at"] is not None
    assert made["token"] not in str(listed)
    kept = sa.text("SELECT hash FROM token")
    assert made["token"] not in await hub.node.database.read(lambda connection: connection.execute(kept).scalar_one())


async def test_a_token_does_only_what_its_scopes_say(hub: Served) -> None:
    ana = await hub.member("ana")
    reader = (await ana.post("me/tokens", json={"name": "r", "scopes": ["read"]})).json()["token"]
    script = await hub.client(Authorization=f"Bearer {reader}")
    assert (await script.get("me")).status_code == 200
    for method, path in (("PATCH", "me"), ("GET", "me/sessions"), ("GET", "me/tokens")):
        answer = await script.request(method, path, json={} if method == "PATCH" else None)
        assert (answer.status_code, answer.json()["error"]["reason"]) == (403, "scope_missing")
    keeper = (await ana.post("me/tokens", json={"name": "a", "scopes": ["account", "read"]})).json()
    assert keeper["scopes"] == ["read", "account"]
    script = await hub.client(Authorization=f"Bearer {keeper['token']}")
    assert (await script.patch("me", json={"name": "Ana B"})).status_code == 200


async def test_no_token_makes_tokens_or_changes_a_password_or_an_address(hub: Served) -> None:
    ana = await hub.member("ana")
    scopes = ["read", "write", "groups", "account", "admin"]
    token = (await ana.post("me/tokens", json={"name": "all", "scopes": scopes})).json()["token"]
    script = await hub.client(Authorization=f"Bearer {token}")
    for answer in (
        await script.post("me/tokens", json={"name": "more"}),
        await script.post("me/password", json={"old": PASSWORD, "password": "quiet-lakes-in-winter"}),
        await script.post("me/recovery-codes"),
        await script.patch("me", json={"email": "mine@example.org"}),
    ):
        assert (answer.status_code, answer.json()["error"]["reason"]) == (403, "confirm_needed")


async def test_an_ended_token_is_no_guest(hub: Served) -> None:
    ana = await hub.member("ana")
    made = [(await ana.post("me/tokens", json={"name": f"script {at}"})).json() for at in range(2)]
    first, second = [await hub.client(Authorization=f"Bearer {each['token']}") for each in made]
    ben = await hub.member("ben")
    assert (await ben.delete(f"me/tokens/{made[0]['id']}")).status_code == 404
    assert (await ana.delete(f"me/tokens/{made[0]['id']}")).status_code == 204
    assert (await hub.community.revocations())[-1] == {"reason": "ended", "token": made[0]["id"]}
    past = sa.text("UPDATE token SET expires_at = 1")
    await hub.node.log.write(lambda tx: tx.connection.execute(past))
    forged = await hub.client(Authorization="Bearer hct_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
    basic = await hub.client(Authorization="Basic YW5hOnNlY3JldA==")
    for script in (first, second, forged, basic):
        answer = await script.get("people?ids=1")
        assert (answer.status_code, answer.json()["error"]["reason"]) == (401, "sign_in_ended")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_token_wins_over_a_cookie(hub: Served) -> None:
    ana, ben = await hub.member("ana"), await hub.member("ben")
    token = (await ben.post("me/tokens", json={"name": "a script"})).json()["token"]
    answer = await ana.get("me", headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["handle"] == "ben"
    assert (await ana.get("me", headers={"Authorization": "Bearer hct_wrong"})).status_code == 401


@sqlite_only
async def test_a_token_lives_a_year_at_most(hub: Served) -> None:
    ana = await hub.member("ana")
    now = datetime.now(UTC)
    for wrong in (now + timedelta(days=366), now - timedelta(seconds=1)):
        answer = await ana.post("me/tokens", json={"name": "x", "expires_at": wrong.isoformat()})
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (422, ["expires_at"])
    week = await ana.post("me/tokens", json={"name": "x", "expires_at": (now + timedelta(days=7)).isoformat()})
    assert _in_days(week.json()["expires_at"]) == 7


@sqlite_only
async def test_what_is_no_token_names_its_field(hub: Served) -> None:
    ana = await hub.member("ana")
    for form, field in (
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["everything"]}, "scopes.0"),
        ({"name": "x", "expires_at": "tomorrow"}, "expires_at"),
        ({"name": "x", "expires_at": "2027-01-01T00:00:00"}, "expires_at"),
        ({"name": "x", "expires_at": 1}, "expires_at"),
    ):
        answer = await ana.post("me/tokens", json=form)
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (422, [field])


@sqlite_only
async def test_an_account_has_only_so_many_tokens(hub: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tokens.TOKENS == 100
    monkeypatch.setattr(tokens, "TOKENS", 3)
    ana = await hub.member("ana")
    for at in range(3):
        assert (await ana.post("me/tokens", json={"name": f"{at}"})).status_code == 201
    full = await ana.post("me/tokens", json={"name": "one more"})
    assert (full.status_code, full.json()["error"]["reason"]) == (409, "too_many")


def _in_days(time: str) -> int:
    return round((datetime.fromisoformat(time) - datetime.now(UTC)) / timedelta(days=1))
