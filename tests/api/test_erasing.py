"""A member deletes their account: asked for their password, out at once, and gone from what others are sent."""

from pathlib import Path
from typing import Any

import httpx2

from hubchat.journal import Erased, Journal
from hubchat.storage.erasures import read_erasure
from hubchat.storage.sessions import hash_secret, insert_session
from tests.api.test_sessions import attempt, change, reason
from tests.flows.live import live
from tests.lines import WAIT_S
from tests.serving import PASSWORD, Served, serve
from tests.waiting import until

WORD = "the words of somebody who leaves"


async def leave(browser: httpx2.AsyncClient, **form: Any) -> httpx2.Response:
    return await browser.request("DELETE", "me", json=form)


async def test_whoever_leaves_is_out_at_once_and_their_words_are_gone_from_every_reader(hub: Served) -> None:
    ana_browser, other = await hub.member("ana"), await hub.sign_in("ana")
    me = (await ana_browser.get("me")).json()
    ben = await hub.community.member("ben")
    room = (await ana_browser.post("groups", json={"slug": "room", "title": "Room", "visibility": "open"})).json()["id"]
    await hub.community.let_in(ben, room, ben)
    async with live(hub.node, hub.port, ben) as at_ben:
        await at_ben.do("subscribe", channel=room)
        said = (await ana_browser.post(f"channels/{room}/messages", json={"text": WORD})).json()
        await at_ben.entry(room, seq=said["seq"])
        preview = (await ana_browser.get("me/erasure")).json()
        assert (preview["going"]["messages"], preview["groups"]) == (1, [{"id": room, "title": "Room"}])
        gone = await leave(ana_browser, messages="erase")
        assert (gone.status_code, gone.json()["messages"], gone.json()["within_hours"]) == (202, "erase", 24)
        assert gone.json()["going"] == preview["going"]
        assert gone.headers["clear-site-data"] == '"cache", "cookies", "storage"'
        assert "Max-Age=0" in gone.headers["set-cookie"]
        assert [(await one.get("me")).status_code for one in (ana_browser, other)] == [401, 401]
        assert reason(await attempt(await hub.browser())) == "sign_in_wrong"
        told = await at_ben.entry(room, kind="delete", target=said["seq"])
        await at_ben.do("subscribe", channel=room, after=0)  # from memory, as far as it has it
        replayed = await at_ben.until(
            lambda m: m.get("seq") == said["seq"] and m.get("channel") == room and m.get("deleted", False)
        )
        assert "text" not in replayed
        people = (await at_ben.do("people", ids=[me["id"]]))["people"]
        assert people == [{"id": me["id"], "handle": f"gone-{me['id']:x}", "name": "", "gone": True}]
        assert told["author"] == me["id"]

    (line,) = Journal(hub.node.settings.journal).read()
    assert isinstance(line, Erased)
    await until(lambda: not hub.node.backlog.waiting, WAIT_S)
    found = await hub.node.database.read(lambda connection: read_erasure(connection, line.account))
    assert found is not None
    assert found.done_at is not None


async def test_leaving_wants_the_password_just_given_and_says_what_becomes_of_words(hub: Served) -> None:
    browser = await hub.member("ana")
    token = (await browser.post("me/tokens", json={"name": "x", "scopes": ["account"]})).json()["token"]
    program = await hub.client(Authorization=f"Bearer {token}")
    assert reason(await leave(program, messages="erase")) == "confirm_needed"
    for form in ({}, {"messages": "all"}, {"messages": None}, {"messages": "erase", "sure": True}):
        assert (await leave(browser, **form)).status_code == 422, form
    await change(hub, "UPDATE session SET confirmed_at = 0")
    assert reason(await leave(browser, messages="erase")) == "confirm_needed"
    assert (await browser.get("me/erasure")).status_code == 200
    await browser.post("session/confirm", json={"password": PASSWORD})
    assert (await leave(browser, messages="keep_without_name")).status_code == 202
    guest = await hub.browser()
    assert [(await one.get("me/erasure")).status_code for one in (browser, guest)] == [401, 401]
    assert (await leave(guest, messages="erase")).status_code == 401
    form = {"handle": "ana", "name": "Ana", "password": PASSWORD, "agreed": True}
    assert reason(await guest.post("signup", json=form)) == "handle_taken"


async def test_nobody_deletes_the_invented_people_of_a_demo(tmp_path: Path) -> None:
    async with serve(None, tmp_path, demo=True) as hub:
        ana = await hub.community.member("ana")
        secret = "s" * 43
        await hub.node.log.write(
            lambda tx: insert_session(tx.connection, ana.account_id, hash_secret(secret), None, tx.now)
        )
        browser = await hub.browser()
        browser.cookies.set(f"hubchat_{hub.port}", secret)
        assert reason(await leave(browser, messages="erase")) == "not_allowed"
