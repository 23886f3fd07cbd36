"""Tokens: scopes, ends, and what no token may do."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.blackbox.client import Refused
from tests.blackbox.hub import PASSWORD, Hub, Person
from tests.blackbox.shapes import an_id, list_of, maybe, page_of, rfc_3339, shaped, text

TOKEN = shaped(
    {"id": an_id, "name": text, "scopes": list_of(text), "created_at": rfc_3339, "expires_at": maybe(rfc_3339)}
)


async def program(hub: Hub, person: Person, *scopes: str, **more: Any) -> Person:
    body = {"name": "a program", **({"scopes": list(scopes)} if scopes else {}), **more}
    return await hub.bearer((await person.post("me/tokens", body, 201))["token"])


async def test_a_token_is_shown_once_and_has_three_scopes_unless_said(hub: Hub) -> None:
    anna = await hub.member()
    made = await anna.post("me/tokens", {"name": "a program"}, 201)
    assert TOKEN(made)
    assert sorted(made["scopes"]) == ["groups", "read", "write"]
    listed = await anna.get("me/tokens")
    assert page_of(TOKEN)(listed)
    assert made["token"] not in str(listed)
    assert (await (await hub.bearer(made["token"])).get("channels"))["items"]


async def test_a_token_lasts_a_year_at_most(hub: Hub) -> None:
    anna = await hub.member()
    ends = datetime.fromisoformat((await anna.post("me/tokens", {"name": "p"}, 201))["expires_at"])
    assert ends - datetime.now(UTC) < timedelta(days=367)
    for days in (400, -1):
        late = (datetime.now(UTC) + timedelta(days=days)).isoformat().replace("+00:00", "Z")
        answer = await anna.http.post("me/tokens", json={"name": "p", "expires_at": late})
        ended = answer.json().get("expires_at", "")
        assert answer.status_code == 422 or ended < (datetime.now(UTC) + timedelta(days=367)).isoformat()
    wrongs: tuple[dict[str, Any], ...] = (
        {"scopes": ["everything"]}, {"scopes": []}, {"name": ""}, {"expires_at": "soon"}, {"more": 1},
    )  # fmt: skip
    for wrong in wrongs:
        await anna.post("me/tokens", {"name": "p", **wrong}, 422)


async def test_a_token_does_what_its_scopes_say(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    await anna.say(group)
    reader, writer = await program(hub, anna, "read"), await program(hub, anna, "read", "write")
    reads, writes = await reader.live(group), await writer.live(group)
    await writes.send(group, "by a program")
    await reads.until_heard()
    with pytest.raises(Refused) as refused:
        await reads.do("send", channel=group, nonce="n", text="x")
    assert (refused.value.code, refused.value.reason) == ("forbidden", "scope_missing")
    assert await reader.refused("POST", f"channels/{group}/messages", 403, {"text": "x"}) == "scope_missing"
    assert await writer.refused("POST", f"groups/{group}/leave", 403, {}) == "scope_missing"
    assert await writer.refused("PATCH", "me", 403, {"name": "Other"}) == "scope_missing"
    blind = await program(hub, anna, "write")
    assert await blind.refused("GET", f"channels/{group}/entries", 403) == "scope_missing"


async def test_a_token_scoped_to_the_account_changes_it(hub: Hub) -> None:
    anna = await hub.member()
    keeper = await program(hub, anna, "read", "account")
    assert (await keeper.patch("me", {"name": "Other"}))["name"] == "Other"


async def test_no_token_makes_tokens_or_changes_a_password(hub: Hub) -> None:
    anna = await hub.member()
    everything = await program(hub, anna, "read", "write", "groups", "account")
    await everything.post("me/tokens", {"name": "another"}, 403)
    other = {"old": PASSWORD, "password": "eleven-herons-by-the-lake"}
    await everything.post("me/password", other, 403)
    await everything.patch("me", {"email": "other@example.org"}, 403)
    await (await hub.browser()).post("session", {"login": anna.handle, "password": PASSWORD})


async def test_a_token_that_is_taken_away_ends_its_connections(hub: Hub) -> None:
    anna = await hub.member()
    made = await anna.post("me/tokens", {"name": "a program"}, 201)
    bot, other = await hub.bearer(made["token"]), await program(hub, anna)
    line, others = await bot.live(), await other.live()
    await anna.delete(f"me/tokens/{made['id']}")
    assert await line.until_ended() == 4001
    await bot.get("groups", 401)
    await others.do("ping")
    ben = await hub.member()
    await ben.delete(f"me/tokens/{made['id']}", 404)


async def test_so_does_one_that_runs_out(hub: Hub) -> None:
    anna = await hub.member()
    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat().replace("+00:00", "Z")
    bot = await program(hub, anna, expires_at=soon)
    line = await bot.live()
    await line.do("ping")
    assert await line.until_ended() == 4001
    await asyncio.sleep(0.1)
    await bot.get("me", 401)
