"""Signing up, and what members change of themselves."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hubchat import starting
from hubchat.actions import accounts, invites, links
from hubchat.storage.channels import ACCESS, read_channel
from hubchat.storage.database import Unavailable
from hubchat.wire import MAX_ID
from tests.serving import PASSWORD, Served, serve

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def form(handle: str = "ana", **more: Any) -> dict[str, Any]:
    return {"handle": handle, "name": "Ana", "password": PASSWORD, "agreed": True, **more}


async def refused(hub: Served, **more: Any) -> tuple[int, dict[str, Any]]:
    """How the hub refuses somebody who signs up like this."""
    answer = await (await hub.browser()).post("signup", json=form(**more))
    assert answer.status_code >= 400, answer.text
    return answer.status_code, answer.json()["error"]


async def rows(hub: Served, query: str) -> list[Any]:
    return await hub.node.database.read(lambda connection: list(connection.execute(sa.text(query))))


async def test_a_newcomer_signs_up_and_is_signed_in(hub: Served) -> None:
    browser = await hub.browser()
    answer = await browser.post("signup", json=form(email="ana@example.org"))
    assert answer.status_code == 201
    me = answer.json()["me"]
    assert (me["handle"], me["name"], me["role"], me["presence"]) == ("ana", "Ana", "member", "shared")
    assert (me["email"], me["email_confirmed"]) == ("ana@example.org", False)
    assert 1 <= me["id"] <= MAX_ID
    assert (await browser.get("me")).json() == me
    assert len(set(answer.json()["recovery_codes"])) == 10


async def test_the_inbox_is_a_channel_that_its_owner_reads(hub: Served) -> None:
    ana = await hub.member("ana")
    inbox = (await ana.get("me")).json()["inbox"]
    channel = await hub.node.database.read(lambda connection: read_channel(connection, inbox))
    assert channel is not None
    assert (channel.kind, channel.access_id, channel.readers) == ("inbox", inbox, "members")
    assert [tuple(row) for row in await rows(hub, f"SELECT state FROM membership WHERE access_id = {inbox}")] == [
        ("member",)
    ]


async def test_nothing_that_is_stored_is_a_secret_as_it_was_given(hub: Served) -> None:
    browser = await hub.browser()
    codes = (await browser.post("signup", json=form())).json()["recovery_codes"]
    secrets = {PASSWORD, *codes, *browser.cookies.values()}
    kept = await rows(
        hub, "SELECT secret FROM credential UNION ALL SELECT hash FROM session UNION ALL SELECT hash FROM device"
    )
    assert len(kept) == 13  # a password, ten codes, a session and a browser
    assert not any(secret.replace("-", "") in row[0] for row in kept for secret in secrets)
    assert sum(row[0].startswith("$argon2id$") for row in kept) == 1


async def test_what_was_agreed_to_is_kept(hub: Served) -> None:
    await hub.member("ana")
    kept = await rows(hub, "SELECT what FROM consent WHERE withdrawn_at IS NULL ORDER BY what")
    assert [row.what for row in kept] == ["privacy", "rules"], "what else is asked by itself was not asked"


@sqlite_only
async def test_nobody_signs_up_without_agreeing(hub: Served) -> None:
    assert await refused(hub, agreed=False) == (422, {
        "code": "bad_request", "reason": "not_agreed", "message": "`agreed` must be true",
        "fields": {"agreed": "must be true"},
    })  # fmt: skip
    answer = await (await hub.browser()).post("signup", json={k: v for k, v in form().items() if k != "agreed"})
    assert (answer.status_code, answer.json()["error"]["fields"]) == (422, {"agreed": "missing"})


async def test_a_handle_is_given_once(hub: Served) -> None:
    await hub.member("dr-ebert")
    for twin in ("dr-ebert", "drebert", "dr-e-bert"):
        assert (await refused(hub, handle=twin))[1]["reason"] == "handle_taken"
    await hub.member("anna10")
    assert (await refused(hub, handle="annalo"))[1]["reason"] == "handle_taken"
    await hub.member("annalu")


async def test_of_two_who_ask_for_a_handle_at_once_one_gets_it(hub: Served) -> None:
    browsers = [await hub.browser() for _ in range(6)]
    answers = await asyncio.gather(*(browser.post("signup", json=form()) for browser in browsers))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
    assert (await rows(hub, "SELECT count(*) FROM account"))[0][0] == 1


@sqlite_only
async def test_what_can_be_no_name_names_its_field(hub: Served) -> None:
    """What is refused, and why, is in tests/actions/test_names.py."""
    for field, given, reason in (
        ("handle", "Ana", "handle_invalid"),
        ("name", "Ana\u202egnp", "name_invalid"),
        ("email", "nowhere", "email_invalid"),
        ("password", "password123", "password_weak"),
    ):
        status, error = await refused(hub, **{field: given})
        assert (status, error["reason"], list(error["fields"])) == (422, reason, [field])
    assert await rows(hub, "SELECT 1 FROM account") == []


@sqlite_only
async def test_a_password_is_not_made_of_what_others_know(hub: Served) -> None:
    mine = {"handle": "xq7-vrrw", "name": "Xq7 Vrrw", "email": "kzt0h.pwd9@example.org"}
    assert (await refused(hub, **mine, password="xq7-vrrw"))[1]["reason"] == "password_weak"
    assert (await refused(hub, **mine, password="kzt0h.pwd9"))[1]["reason"] == "password_weak"


@sqlite_only
async def test_a_long_password_counts_whole_and_a_huge_one_is_never_hashed(
    hub: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = f"{PASSWORD}{'ä' * 500}"  # 1,024 bytes
    await hub.member("ana", password=longest)
    await hub.sign_in("ana", longest)
    wrong = await (await hub.browser()).post("session", json={"login": "ana", "password": longest[:-1] + "?"})
    assert wrong.status_code == 401

    monkeypatch.setattr(hub.node.passwords, "_run", None)  # whatever would be hashed or judged now breaks
    assert (await refused(hub, handle="ben", password=longest + "x"))[1]["reason"] == "password_too_large"
    assert (await refused(hub, handle="ben", password="x" * 1_000_000))[1]["reason"] == "body_too_large"
    answer = await (await hub.browser()).post("session", json={"login": "ana", "password": longest + "x"})
    assert (answer.status_code, answer.json()["error"]["reason"]) == (413, "password_too_large")


async def test_an_address_belongs_to_nobody(hub: Served) -> None:
    """Two give the same one, neither hears of the other, and nobody signs in by it."""
    await hub.member("ana", email="us@example.org")
    await hub.member("ben", email="us@example.org")
    answer = await (await hub.browser()).post("session", json={"login": "us@example.org", "password": PASSWORD})
    assert answer.json()["error"]["reason"] == "sign_in_wrong"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_who_may_sign_up_is_a_setting(database_url: str, tmp_path: Path) -> None:
    async with serve(database_url, tmp_path, signup="closed") as hub:
        assert (await refused(hub))[1]["reason"] == "signup_closed"
        assert (await refused(hub, invite="x" * 22))[1]["reason"] == "signup_closed"
    async with serve(database_url, tmp_path, signup="invited") as hub:
        assert (await refused(hub))[1]["reason"] == "signup_invited"
        assert (await refused(hub, invite="x" * 22))[1]["reason"] == "invite_ended"
    async with serve(database_url, tmp_path, signup="open") as hub:
        assert (await refused(hub, invite="x" * 22))[1]["reason"] == "invite_ended"
        await hub.member("ana")


async def test_an_invitation_lets_in_where_only_the_invited_may(database_url: str, tmp_path: Path) -> None:
    async with serve(database_url, tmp_path, signup="invited") as hub:
        olga = await hub.community.member("olga")
        group = await hub.community.group(olga, "closed")
        link = await invites.make_link(hub.node, olga, group, uses=1)
        ana = await hub.member("ana", invite=link.code)
        me = (await ana.get("me")).json()
        members = await rows(hub, f"SELECT persona_id FROM membership WHERE access_id = {group} AND state = 'member'")
        assert {row.persona_id for row in members} == {olga.persona_id, me["id"]}
        assert (await refused(hub, handle="ben", invite=link.code))[1]["reason"] == "invite_ended"
        assert not await rows(hub, "SELECT 1 FROM persona WHERE handle = 'ben'")


async def test_who_signs_up_by_an_invitation_is_told_the_group(hub: Served) -> None:
    olga = await hub.community.member("olga")
    group = await hub.community.group(olga, "secret")
    link = await invites.make_link(hub.node, olga, group, uses=1)
    answers = [
        (await (await hub.browser()).post("signup", json=form(handle, **more))).json()
        for handle, more in (("ana", {"invite": link.code}), ("ben", {}))
    ]
    assert [answer["group"] for answer in answers] == [group, None]


async def test_what_a_code_opens_is_told_before_a_form_is_filled_in(database_url: str, tmp_path: Path) -> None:
    async with serve(database_url, tmp_path, signup="invited") as hub:
        guest = await hub.browser()

        async def preview(code: str) -> Any:
            answer = (await guest.post("signup/preview", json={"code": code})).json()
            return answer["error"]["reason"] if "error" in answer else answer

        first = str(await links.first_admin_link(hub.node, hub.port)).partition("#")[2]
        assert await preview(first) == {"role": "admin", "invite": None}
        olga = await hub.community.member("olga")
        group = await hub.community.group(olga, "secret")
        link = await invites.make_link(hub.node, olga, group, uses=1)
        opened = await preview(link.code)
        assert (opened["role"], opened["invite"]["id"], opened["invite"]["inviter"]["handle"]) == (
            "member", group, "olga",
        )  # fmt: skip

        await hub.member("ana", invite=link.code)
        await hub.member("ben", invite=first)
        assert [await preview(code) for code in (link.code, first, "x" * 22)] == ["invite_ended"] * 3
    async with serve(database_url, tmp_path, signup="closed") as hub:
        guest = await hub.browser()
        assert await preview("x" * 22) == "signup_closed"


async def test_of_two_who_share_one_invitation_one_gets_in(database_url: str, tmp_path: Path) -> None:
    async with serve(database_url, tmp_path, signup="invited") as hub:
        olga = await hub.community.member("olga")
        link = await invites.make_link(hub.node, olga, await hub.community.group(olga, "closed"), uses=1)
        browsers = [await hub.browser() for _ in range(4)]
        answers = await asyncio.gather(
            *(browser.post("signup", json=form(f"m-{at}", invite=link.code)) for at, browser in enumerate(browsers))
        )
        assert sorted(answer.status_code for answer in answers) == [201, 404, 404, 404]
        assert (await rows(hub, "SELECT count(*) FROM account"))[0][0] == 2


async def test_the_first_administrator_comes_by_a_link_once(database_url: str, tmp_path: Path) -> None:
    async with serve(database_url, tmp_path, signup="closed") as hub:
        link = await links.first_admin_link(hub.node, hub.port)
        assert link is not None
        address, _, code = link.partition("#")
        assert address == f"http://localhost:{hub.port}/sign-up"
        ana = await hub.member("ana", invite=code)
        assert (await ana.get("me")).json()["role"] == "admin"
        assert (await refused(hub, handle="ben", invite=code))[1]["reason"] == "signup_closed"
        assert await links.first_admin_link(hub.node, hub.port) is None


async def test_a_database_that_is_away_at_the_start_keeps_the_first_administrators_link_for_the_next(
    hub: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def write(*_: object) -> None:
        raise Unavailable

    monkeypatch.setattr(hub.node.log, "write", write)
    await starting._greet(hub.node, hub.port)
    assert [line.message for line in caplog.records] == [
        "the link to become administrator could not be made; the next start makes one"
    ]


async def test_of_two_who_use_the_first_administrators_link_at_once_one_becomes_it(hub: Served) -> None:
    code = str(await links.first_admin_link(hub.node, hub.port)).partition("#")[2]
    browsers = [await hub.browser() for _ in range(3)]
    answers = await asyncio.gather(
        *(browser.post("signup", json=form(f"m-{at}", invite=code)) for at, browser in enumerate(browsers))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 404, 404]
    assert [row.role for row in await rows(hub, "SELECT role FROM account")] == ["admin"]


async def test_the_first_administrators_link_dies_with_time_a_newer_one_or_an_administrator(hub: Served) -> None:
    older = str(await links.first_admin_link(hub.node, hub.port)).partition("#")[2]
    newer = str(await links.first_admin_link(hub.node, hub.port)).partition("#")[2]
    assert (await refused(hub, invite=older))[1]["reason"] == "invite_ended"
    await hub.node.log.write(
        lambda tx: tx.connection.execute(sa.text("UPDATE link SET expires_at = expires_at - 3600001"))
    )
    assert (await refused(hub, invite=newer))[1]["reason"] == "invite_ended"
    newest = str(await links.first_admin_link(hub.node, hub.port)).partition("#")[2]
    await accounts.create(hub.node, "olga", "Olga", role="admin")
    assert (await refused(hub, invite=newest))[1]["reason"] == "invite_ended"


def test_the_first_administrators_link_is_written_for_the_hubs_own_user_alone(tmp_path: Path) -> None:
    (tmp_path / "first-admin").write_text("an old one, readable by all")
    path = links.write_first_admin(tmp_path, "http://localhost:8000/sign-up#code")
    assert path == tmp_path / "first-admin"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == "http://localhost:8000/sign-up#code\n"


# ---------------------------------------------------------------- changing oneself


async def test_a_member_changes_what_others_see(hub: Served) -> None:
    ana = await hub.member("ana")
    change = {"name": "Ana M.", "about": "Here for my mother.", "lang": "pt-BR", "presence": "nobody", "findable": True}
    answer = await ana.patch("me", json=change)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in change} == change
    assert (await ana.patch("me", json={"about": "", "lang": ""})).json()["about"] is None
    assert (await ana.get("me")).json()["name"] == "Ana M."


async def test_what_others_may_see_of_somebodys_presence_is_asked_again_when_it_changes(hub: Served) -> None:
    ana = await hub.member("ana")
    before = len(await hub.community.entries(ACCESS))
    await ana.patch("me", json={"presence": "conversations"})
    (told,) = (await hub.community.entries(ACCESS))[before:]
    assert told.data is not None
    assert (told.data["reason"], list(told.data["about"])) == ("presence", ["account"])


@sqlite_only
async def test_a_change_that_makes_no_sense_names_its_field(hub: Served) -> None:
    ana = await hub.member("ana")
    before = (await ana.get("me")).json()
    for change in (
        {"presence": "loud"}, {"name": ""}, {"lang": "../en"}, {"handle": "ben"}, {"role": "admin"}, {"name": 7},
        {"about": "x" * 501}, {"about": "a\u202eb"}, {"findable": "yes"}, {"industry": False},
    ):  # fmt: skip
        answer = await ana.patch("me", json=change)
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (422, list(change))
    assert (await ana.get("me")).json() == before


@sqlite_only
async def test_who_works_for_industry_keeps_the_badge(hub: Served) -> None:
    ana = await hub.member("ana", industry=True)
    assert (await ana.get("people/ana")).json()["badge"] == "industry"
    assert (await ana.patch("me", json={"industry": False})).status_code == 422
    assert (await ana.get("people/ana")).json()["badge"] == "industry"


async def test_a_new_address_wants_the_password_just_given(hub: Served) -> None:
    ana = await hub.member("ana")
    assert (await ana.patch("me", json={"email": "new@example.org"})).json()["email"] == "new@example.org"
    await _wait_ten_minutes(hub)
    answer = await ana.patch("me", json={"email": "other@example.org"})
    assert (answer.status_code, answer.json()["error"]["reason"]) == (403, "confirm_needed")
    assert (await ana.post("session/confirm", json={"password": PASSWORD})).status_code == 204
    assert (await ana.patch("me", json={"email": ""})).json()["email"] is None


async def test_a_password_change_ends_the_other_sessions(hub: Served) -> None:
    ana = await hub.member("ana")
    phone = await hub.sign_in("ana")
    answer = await ana.post("me/password", json={"old": PASSWORD, "password": "quiet-lakes-in-winter"})
    assert answer.status_code == 204
    assert (await phone.get("me")).json()["error"]["reason"] == "sign_in_ended"
    assert (await ana.get("me")).status_code == 200
    await hub.sign_in("ana", "quiet-lakes-in-winter")
    old = await (await hub.browser()).post("session", json={"login": "ana", "password": PASSWORD})
    assert old.status_code == 401


async def test_a_password_is_not_changed_without_the_old_one(hub: Served) -> None:
    ana = await hub.member("ana")
    wrong = await ana.post("me/password", json={"old": "not-this-one", "password": "quiet-lakes-in-winter"})
    assert (wrong.status_code, wrong.json()["error"]["reason"]) == (401, "sign_in_wrong")
    await _wait_ten_minutes(hub)
    none = await ana.post("me/password", json={"password": "quiet-lakes-in-winter"})
    assert (none.status_code, none.json()["error"]["reason"]) == (403, "confirm_needed")
    weak = await ana.post("me/password", json={"old": PASSWORD, "password": "ana12345"})
    assert weak.json()["error"]["reason"] == "password_weak"
    await hub.sign_in("ana")


async def test_new_recovery_codes_end_the_old_ones(hub: Served) -> None:
    browser = await hub.browser()
    old = (await browser.post("signup", json=form())).json()["recovery_codes"]
    new = (await browser.post("me/recovery-codes")).json()["recovery_codes"]
    assert not set(old) & set(new)
    lost = await hub.browser()
    attempt = {"login": "ana", "password": "quiet-lakes-in-winter"}
    assert (await lost.post("session/recover", json={**attempt, "recovery_code": old[0]})).status_code == 401
    assert (await lost.post("session/recover", json={**attempt, "recovery_code": new[0]})).status_code == 200


async def _wait_ten_minutes(hub: Served) -> None:
    """As if ten minutes had passed since every session's password was given."""
    await hub.node.log.write(
        lambda tx: tx.connection.execute(sa.text("UPDATE session SET confirmed_at = confirmed_at - 600001"))
    )
