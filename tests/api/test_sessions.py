"""Signing in and out: cookies, the throttle, recovery, links, and the list of one's browsers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from hubchat.actions import accounts, links, sessions
from hubchat.errors import HubError
from hubchat.storage.accounts import read_me_by_handle
from hubchat.storage.sessions import AGE_MS, UNUSED_MS
from hubchat.throttle import FREE, Throttle
from tests.serving import PASSWORD, Served, serve

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
OTHER = "quiet-lakes-in-winter"


async def attempt(browser: httpx2.AsyncClient, login: str = "ana", password: str = PASSWORD) -> httpx2.Response:
    return await browser.post("session", json={"login": login, "password": password})


def reason(answer: httpx2.Response) -> str:
    return str(answer.json()["error"]["reason"])


async def change(hub: Served, statement: str) -> None:
    """Something that happened meanwhile."""
    await hub.node.log.write(lambda tx: tx.connection.execute(sa.text(statement)))


def watch_hashing(hub: Served, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What passwords are proved against from now on."""
    seen: list[Any] = []
    prove = hub.node.passwords._is_right

    def is_right(hashed: str, password: str) -> bool:
        seen.append(hashed)
        return prove(hashed, password)

    monkeypatch.setattr(hub.node.passwords, "_is_right", is_right)
    return seen


# ---------------------------------------------------------------- signing in


async def test_a_member_signs_in_by_handle_and_password(hub: Served) -> None:
    await hub.member("ana")
    for login in ("ana", "@ana", " Ana "):
        browser = await hub.browser()
        answer = await attempt(browser, login)
        assert (answer.status_code, answer.json()["me"]["handle"]) == (200, "ana")
        assert (await browser.get("me")).json() == answer.json()["me"]


@sqlite_only
async def test_a_page_learns_whether_there_is_a_session_to_ask_after(hub: Served) -> None:
    await hub.member("ana")
    browser = await hub.browser()

    async def brings_session() -> bool:
        return bool((await browser.get("hub")).json()["session"])

    assert not await brings_session()
    await attempt(browser)
    assert await brings_session()
    await change(hub, "DELETE FROM session")
    assert await brings_session(), "the cookie is there still: the page must ask, and have it taken away"
    assert (await browser.get("me")).status_code == 401
    await browser.delete("session")
    assert not await brings_session()


@sqlite_only
async def test_the_cookie_is_for_the_browser_alone(hub: Served) -> None:
    await hub.member("ana")
    answer = await attempt(await hub.browser())
    mine = answer.headers.get_list("set-cookie")
    session = next(line for line in mine if line.startswith(f"hubchat_{hub.port}="))
    device = next(line for line in mine if line.startswith(f"hubchat_device_{hub.port}="))
    for line in (session, device):
        assert "HttpOnly" in line
        assert "SameSite=lax" in line
        assert "Path=/" in line
        assert "Secure" not in line
    assert len(session.partition("=")[2].partition(";")[0]) == 43  # 256 bits
    assert f"Max-Age={AGE_MS // 1000}" in session


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_over_https_the_cookie_is_bound_to_the_host(database_url: str, tmp_path: Path) -> None:
    async with serve(database_url, tmp_path, url="https://hub.example.org") as hub:
        await accounts.create(hub.node, "ana", "Ana", password=PASSWORD)
        program = await hub.client(Host="hub.example.org", Origin="https://hub.example.org")
        answer = await attempt(program)
        lines = answer.headers.get_list("set-cookie")
        assert sorted(line.partition("=")[0] for line in lines) == ["__Host-hubchat", "__Host-hubchat-device"]
        assert all("Secure" in line and "Path=/" in line and "Domain" not in line for line in lines)
        assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_a_session_is_new_at_each_sign_in(hub: Served) -> None:
    ana = await hub.member("ana")
    first = ana.cookies[f"hubchat_{hub.port}"]
    await attempt(ana)
    second = ana.cookies[f"hubchat_{hub.port}"]
    assert first != second
    thief = await hub.browser(Cookie=f"hubchat_{hub.port}={first}")
    assert reason(await thief.get("me")) == "sign_in_ended"


async def test_signing_out_ends_the_session_and_takes_the_cookie(hub: Served) -> None:
    ana = await hub.member("ana")
    kept = ana.cookies[f"hubchat_{hub.port}"]
    assert (await ana.delete("session")).status_code == 204
    assert f"hubchat_{hub.port}" not in ana.cookies
    thief = await hub.browser(Cookie=f"hubchat_{hub.port}={kept}")
    assert reason(await thief.get("me")) == "sign_in_ended"
    assert (await thief.delete("session")).status_code == 204  # it has ended already: as good


@sqlite_only
async def test_an_unknown_and_a_known_handle_get_the_same_answer_for_the_same_work(
    hub: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hub.member("ana")
    await accounts.create(hub.node, "demo-ben", "Ben")  # who has no password
    await hub.member("gone")
    await change(
        hub, "UPDATE account SET state = 'disabled' WHERE id = (SELECT account_id FROM persona WHERE handle = 'gone')"
    )
    seen = watch_hashing(hub, monkeypatch)
    answers = [
        await attempt(await hub.browser(), login, password)
        for login, password in (("ana", OTHER), ("nobody-here", OTHER), ("demo-ben", OTHER), ("gone", PASSWORD))
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    assert reason(answers[0]) == "sign_in_wrong"
    assert len(seen) == 4  # a hash each
    assert len({hashed.rpartition("$")[0].rpartition("$")[0] for hashed in seen}) == 1  # of the same cost


async def test_a_password_is_hashed_anew_when_the_settings_ask_for_more(database_url: str, tmp_path: Path) -> None:
    async def kept(hub: Served) -> str:
        query = sa.text("SELECT secret FROM credential WHERE kind = 'password'")
        return str(await hub.node.database.read(lambda connection: connection.execute(query).scalar_one()))

    async with serve(database_url, tmp_path) as hub:
        await hub.member("ana")
        assert "m=8,t=1" in await kept(hub)
    async with serve(database_url, tmp_path, argon2_memory_kib=16) as hub:
        assert reason(await attempt(await hub.browser(), password=OTHER)) == "sign_in_wrong"
        assert "m=8,t=1" in await kept(hub)
        await hub.sign_in("ana")
        assert "m=16,t=1" in (before := await kept(hub))
        await hub.sign_in("ana")
        assert await kept(hub) == before
    async with serve(database_url, tmp_path) as hub:
        await hub.sign_in("ana")
        assert "m=16,t=1" in await kept(hub)  # never weaker


# ---------------------------------------------------------------- guessing


@sqlite_only
async def test_guessing_slows_down_for_a_handle_from_an_address(hub: Served) -> None:
    await hub.member("ana")
    clock = _stop_clock(hub)
    guesser = await hub.client()
    for _ in range(FREE):
        assert reason(await attempt(guesser, password=OTHER)) == "sign_in_wrong"
    slowed = await attempt(guesser)  # the right one too: guessing on would pay otherwise
    assert (slowed.status_code, reason(slowed)) == (429, "too_many_tries")
    assert slowed.headers["retry-after"] == "2"
    assert slowed.json()["error"]["retry_after_ms"] == 1_001
    clock(1.1)
    assert (await attempt(guesser)).status_code == 200


@sqlite_only
async def test_guessing_slows_down_the_same_for_a_handle_that_is_not_there(hub: Served) -> None:
    _stop_clock(hub)
    answers = [await attempt(await hub.client(), "nobody-here", OTHER) for _ in range(FREE + 1)]
    assert [answer.status_code for answer in answers] == [401] * FREE + [429]


async def test_a_browser_that_signed_in_before_is_not_kept_out_by_others_guesses(hub: Served) -> None:
    ana = await hub.member("ana")
    await ana.delete("session")
    _stop_clock(hub)
    guesser = await hub.client()
    for _ in range(FREE):
        await attempt(guesser, password=OTHER)
    assert (await attempt(guesser)).status_code == 429
    assert (await attempt(await hub.browser())).status_code == 429
    assert (await attempt(ana)).status_code == 200


async def test_a_browser_that_signed_in_before_has_an_allowance_and_no_more(hub: Served) -> None:
    ana = await hub.member("ana")
    _stop_clock(hub)
    for _ in range(FREE):
        assert (await attempt(ana, password=OTHER)).status_code == 401
    assert (await attempt(ana)).status_code == 429
    await hub.member("ben")
    assert (await attempt(ana, "ben", OTHER)).status_code == 401  # to others' accounts it is a stranger


@sqlite_only
async def test_full_hands_are_told_as_unavailable(database_url: str, tmp_path: Path) -> None:
    async with serve(database_url, tmp_path, password_queue=1) as hub:
        await hub.member("ana")
        hub.node.passwords._under_way = 2
        answer = await attempt(await hub.browser())
        assert (answer.status_code, reason(answer), answer.headers["retry-after"]) == (503, "overloaded", "2")
        hub.node.passwords._under_way = 0
        assert (await attempt(await hub.browser())).status_code == 200


# ---------------------------------------------------------------- ends


@pytest.mark.parametrize(("column", "age_ms"), [("used_at", UNUSED_MS), ("created_at", AGE_MS)])
@sqlite_only
async def test_a_session_ends_unused_or_old(hub: Served, column: str, age_ms: int) -> None:
    ana = await hub.member("ana")
    await change(hub, f"UPDATE session SET {column} = {column} - {age_ms - 60_000}")
    assert (await ana.get("me")).status_code == 200
    await change(hub, f"UPDATE session SET {column} = {column} - {age_ms}")
    assert (await ana.get("me")).status_code == 401
    assert reason(await ana.get("people?ids=1")) == "sign_in_ended"  # never a guest


async def test_the_last_use_of_a_session_is_kept_to_the_hour(hub: Served) -> None:
    ana = await hub.member("ana")

    async def used_at() -> int:
        query = sa.text("SELECT used_at FROM session")
        return int(await hub.node.database.read(lambda connection: connection.execute(query).scalar_one()))

    before = await used_at()
    await ana.get("me")
    assert await used_at() == before
    await change(hub, "UPDATE session SET used_at = used_at - 3600001")
    await ana.get("me")
    await hub.node.uses.close()  # stores what is noted
    assert await used_at() >= before


async def test_a_member_sees_and_ends_their_browsers(hub: Served) -> None:
    ana = await hub.member("ana")
    phone = await hub.browser(**{"User-Agent": "Mozilla/5.0 (Android 16; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"})
    await attempt(phone)
    ben = await hub.member("ben")
    mine = (await ana.get("me/sessions")).json()["items"]
    assert {item["device"] for item in mine} == {"Python", "Firefox, Android"}
    assert [item["current"] for item in mine].count(True) == 1
    other = next(item["id"] for item in mine if not item["current"])
    assert reason(await ben.delete(f"me/sessions/{other}")) == "thing_unknown"
    assert (await ana.delete(f"me/sessions/{other}")).status_code == 204
    assert reason(await phone.get("me")) == "sign_in_ended"
    assert (await ana.get("me")).status_code == 200
    assert reason(await ana.delete(f"me/sessions/{other}")) == "thing_unknown"
    assert (await hub.community.revocations())[-1] == {"reason": "ended", "session": other}


async def test_a_member_signs_out_everywhere_else(hub: Served) -> None:
    ana = await hub.member("ana")
    phone, tablet = await hub.sign_in("ana"), await hub.sign_in("ana")
    ben = await hub.member("ben")
    assert (await ana.delete("me/sessions")).status_code == 204
    for ended in (phone, tablet):
        assert reason(await ended.get("me")) == "sign_in_ended"
    (left,) = (await ana.get("me/sessions")).json()["items"]
    assert left["current"]
    assert (await ben.get("me")).status_code == 200


async def test_a_session_that_ended_by_itself_is_not_listed_and_goes_with_the_next_sign_in(hub: Served) -> None:
    await hub.member("ana")
    await change(hub, f"UPDATE session SET used_at = used_at - {UNUSED_MS}")
    phone = await hub.sign_in("ana")
    assert [item["current"] for item in (await phone.get("me/sessions")).json()["items"]] == [True]
    count = sa.text("SELECT count(*) FROM session")
    assert await hub.node.database.read(lambda connection: connection.execute(count).scalar_one()) == 1
    # a connection that is still open by it is closed now
    assert [entry["reason"] for entry in await hub.community.revocations()] == ["ended"]


async def test_a_password_change_forgets_the_other_browsers(hub: Served) -> None:
    """Whoever signed in with a stolen password has no allowance of guesses left by it."""
    ana = await hub.member("ana")
    thief = await hub.sign_in("ana")
    await ana.post("me/password", json={"old": PASSWORD, "password": OTHER})
    _stop_clock(hub)
    for _ in range(FREE):
        await attempt(await hub.client(), password="wrong")
    assert (await attempt(thief, password=OTHER)).status_code == 429
    assert (await attempt(ana, password=OTHER)).status_code == 200


@sqlite_only
async def test_an_account_has_only_so_many_sessions(hub: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sessions.SESSIONS == 50
    monkeypatch.setattr(sessions, "SESSIONS", 3)
    ana = await hub.member("ana")
    for _ in range(3):
        await hub.sign_in("ana")
    assert reason(await ana.get("me")) == "sign_in_ended"  # the one unused for longest
    last = await hub.sign_in("ana")
    assert len((await last.get("me/sessions")).json()["items"]) == 3


# ---------------------------------------------------------------- the ways back in


async def test_a_recovery_code_lets_in_once_and_sets_the_password(hub: Served) -> None:
    browser = await hub.browser()
    form = {"handle": "ana", "name": "Ana", "password": PASSWORD, "agreed": True}
    code = (await browser.post("signup", json=form)).json()["recovery_codes"][3]
    lost = await hub.browser()
    typed = {"login": "ana", "recovery_code": f" {code.upper().replace('-', ' ')}", "password": OTHER}
    answer = await lost.post("session/recover", json=typed)
    assert (answer.status_code, answer.json()["recovery_codes_left"]) == (200, 9)
    assert (await lost.get("me")).json() == answer.json()["me"]
    assert reason(await browser.get("me")) == "sign_in_ended"
    await hub.sign_in("ana", OTHER)
    again = await (await hub.browser()).post("session/recover", json=typed)
    assert (again.status_code, reason(again)) == (401, "sign_in_wrong")


@sqlite_only
async def test_recovery_does_the_same_work_for_a_handle_that_is_not_there(
    hub: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hub.member("ana")
    hashed: list[str] = []
    hash_ = hub.node.passwords.hash

    async def count(password: str) -> str:
        hashed.append(password)
        return await hash_(password)

    monkeypatch.setattr(hub.node.passwords, "hash", count)
    form = {"recovery_code": "aaaa-bbbb-cccc-dddd", "password": OTHER}
    answers = [
        await (await hub.client()).post("session/recover", json={**form, "login": login})
        for login in ("ana", "nobody-here")
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    assert hashed == [OTHER, OTHER]


@sqlite_only
async def test_recovery_codes_are_guessed_as_slowly_as_passwords(hub: Served) -> None:
    await hub.member("ana")
    _stop_clock(hub)
    guesser = await hub.client()
    form = {"login": "ana", "recovery_code": "aaaa-bbbb-cccc-dddd", "password": OTHER}
    answers = [await guesser.post("session/recover", json=form) for _ in range(FREE + 1)]
    assert [answer.status_code for answer in answers] == [401] * FREE + [429]
    weak = await (await hub.client()).post("session/recover", json={**form, "password": "weak"})
    assert reason(weak) == "password_weak"


async def test_an_operators_link_signs_in_once_and_lets_a_password_be_set(hub: Served) -> None:
    made = await accounts.create(hub.node, "ana", "Ana")
    link = await links.sign_in_link(hub.node, hub.port, made.account_id)
    address, _, code = link.partition("#")
    assert address == f"http://localhost:{hub.port}/sign-in"
    browser = await hub.browser()
    assert (await browser.post("session/link", json={"code": code})).json()["me"]["handle"] == "ana"
    assert (await browser.post("me/password", json={"password": OTHER})).status_code == 204
    await hub.sign_in("ana", OTHER)
    again = await (await hub.browser()).post("session/link", json={"code": code})
    assert (again.status_code, reason(again)) == (404, "link_ended")


async def test_a_member_is_told_whether_there_is_a_password_and_whether_the_old_one_is_asked_for(hub: Served) -> None:
    await accounts.create(hub.node, "ana", "Ana")
    me = await hub.node.database.read(lambda connection: read_me_by_handle(connection, "ana"))
    assert me is not None
    link = await links.sign_in_link(hub.node, hub.port, me.account_id)
    browser = await hub.browser()
    shown = (await browser.post("session/link", json={"code": link.partition("#")[2]})).json()["me"]
    assert (shown["has_password"], shown["confirmed"]) == (False, True)
    assert (await browser.get("me")).json() == shown

    assert (await browser.post("me/password", json={"password": OTHER})).status_code == 204
    assert (await browser.get("me")).json()["has_password"] is True
    token = (await browser.post("me/tokens", json={"name": "x"})).json()["token"]
    program = await hub.client(Authorization=f"Bearer {token}")
    assert (await program.get("me")).json()["confirmed"] is False

    await change(hub, "UPDATE session SET confirmed_at = confirmed_at - 600001")
    assert (await browser.get("me")).json()["confirmed"] is False
    assert reason(await browser.post("me/password", json={"password": PASSWORD})) == "confirm_needed"
    await browser.post("session/confirm", json={"password": OTHER})
    assert (await browser.get("me")).json()["confirmed"] is True


async def test_an_operators_link_ends_after_an_hour_and_with_the_next_one(hub: Served) -> None:
    made = await accounts.create(hub.node, "ana", "Ana")
    older = (await links.sign_in_link(hub.node, hub.port, made.account_id)).partition("#")[2]
    newer = (await links.sign_in_link(hub.node, hub.port, made.account_id)).partition("#")[2]
    browser = await hub.browser()
    assert reason(await browser.post("session/link", json={"code": older})) == "link_ended"
    await change(hub, "UPDATE link SET expires_at = expires_at - 3600001")
    assert reason(await browser.post("session/link", json={"code": newer})) == "link_ended"


async def test_the_operator_sets_a_password_and_ends_all_sessions(hub: Served) -> None:
    ana = await hub.member("ana")
    await accounts.set_password(hub.node, "ana", OTHER)
    assert reason(await ana.get("me")) == "sign_in_ended"
    await hub.sign_in("ana", OTHER)
    with pytest.raises(HubError, match="person_unknown"):
        await accounts.set_password(hub.node, "ben", OTHER)


@sqlite_only
async def test_an_account_of_the_operators_may_have_any_free_handle(hub: Served) -> None:
    await accounts.create(hub.node, "admin", "Admin", role="admin", password=OTHER)
    assert (await (await hub.sign_in("admin", OTHER)).get("me")).json()["role"] == "admin"
    for handle, why in (("admin", "handle_taken"), ("Admin", "handle_invalid")):
        with pytest.raises(HubError, match=why):
            await accounts.create(hub.node, handle, "Admin")
    with pytest.raises(HubError, match="password_too_large"):
        await accounts.create(hub.node, "ben", "Ben", password="x" * 1_000_000)


@sqlite_only
async def test_confirming_wants_the_right_password_and_no_token_does_it(hub: Served) -> None:
    ana = await hub.member("ana")
    wrong = await ana.post("session/confirm", json={"password": OTHER})
    assert (wrong.status_code, reason(wrong)) == (401, "sign_in_wrong")
    assert (await ana.get("me")).status_code == 200  # the session goes on
    form = {"name": "a script", "scopes": ["read", "account"]}
    token = (await ana.post("me/tokens", json=form)).json()["token"]
    script = await hub.client(Authorization=f"Bearer {token}")
    assert (await script.post("session/confirm", json={"password": PASSWORD})).status_code == 403


def _stop_clock(hub: Served) -> Callable[[float], None]:
    """A throttle whose time passes only when told, by seconds."""
    now = [1_000.0]
    hub.node.throttle = Throttle(lambda: now[0])

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    return pass_by
