"""Everything of a member as one file: all of it, of one moment, and no word of others."""

import asyncio
import io
import json
import re
import threading
import zipfile
from typing import Any

import httpx2
import pytest

from hubchat.channels.items import Delete, Edit, React
from hubchat.storage import exports as stored
from hubchat.storage.belongings import TABLES
from tests.api.test_sessions import change, reason
from tests.serving import Served

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
OTHERS = "what somebody else said"
HOSTILE = '<script>alert(1)</script> & "quotes"'


def files(answer: httpx2.Response) -> dict[str, Any]:
    """File → what is in it."""
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert packed.testzip() is None
        texts = {name: packed.read(name).decode() for name in packed.namelist()}
    return {name: json.loads(text) if name.endswith(".json") else text for name, text in texts.items()}


async def test_all_of_a_member_and_no_word_of_others(hub: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "PAGE", 2)
    monkeypatch.setattr(stored, "WINDOW", 4)
    browser = await hub.member("ana", industry=True, email="ana@example.org")
    await browser.patch("me", json={"kind": "patient", "about": HOSTILE, "lang": "de"})
    ben = await hub.community.member("ben")
    log = hub.node.log
    persona = (await browser.get("me")).json()["id"]
    rooms = [await hub.community.group(ben, "open") for _ in range(3)]
    for room in rooms:
        await browser.post(f"groups/{room}/join")
    theirs = await hub.community.say(ben, rooms[0], OTHERS)
    own = []
    for number in range(7):
        form = {"text": f"message {number} {HOSTILE}", "reply_to": theirs}
        own.append((await browser.post(f"channels/{rooms[0]}/messages", json=form)).json()["seq"])
    await browser.post(f"channels/{rooms[1]}/messages", json={"text": "elsewhere"})
    await browser.patch(f"channels/{rooms[0]}/messages/{own[0]}", json={"text": "mended"})
    await browser.put(f"channels/{rooms[0]}/messages/{theirs}/reactions/👍")
    await log.append(lambda done: React(ben.account_id, ben.persona_id, rooms[0], done, own[0], "💙", True))
    await log.append(lambda done: Edit(ben.account_id, ben.persona_id, rooms[0], done, theirs, f"{OTHERS}!"))
    await browser.delete(f"channels/{rooms[0]}/messages/{own[1]}")
    talk = (await browser.post("conversations", json={"handles": ["ben"]})).json()["id"]
    await browser.post(f"channels/{talk}/messages", json={"text": "in private"})
    await hub.community.say(ben, rooms[0], f"@ana {OTHERS}")
    await browser.put(f"channels/{rooms[0]}/read", json={"seq": theirs})
    await browser.post("me/tokens", json={"name": "a bot"})
    await browser.post(f"groups/{rooms[0]}/invites", json={"uses": 3})
    await browser.get("channels")
    answer = await browser.get("me/export")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert "ana" not in answer.headers["content-disposition"]
    found = files(answer)
    assert set(found) == {fate.exported for fate in TABLES.values() if fate.exported} | {"index.html", "notices.json"}
    assert OTHERS not in str(found)
    account = found["account.json"]
    assert (account["account"]["kind"], account["account"]["industry"]) == ("patient", True)
    assert (account["personas"][0]["id"], account["personas"][0]["about"]) == (persona, HOSTILE)
    assert {one["what"] for one in found["consents.json"]["consents"]} == {"rules", "privacy"}
    assert found["sessions.json"]["ways_to_sign_in"] == {"passwords": 1, "recovery_codes": 10, "known_browsers": 1}
    assert [one["name"] for one in found["sessions.json"]["tokens"]] == ["a bot"]
    assert not re.search(r"[0-9a-f]{64}|argon2", str(found)), "no hash of a secret"
    joined = {one["channel"]: one for one in found["memberships.json"]["memberships"]}
    assert set(joined) == {*rooms, talk}
    assert (joined[talk]["with"], joined[rooms[0]]["title"]) == (["ana", "ben"], "A group")
    assert [one["uses_left"] for one in found["memberships.json"]["invitations"]] == [3]
    messages = found["messages.json"]["messages"]
    assert {(one["channel"], one["seq"]) for one in messages if one["channel"] == rooms[0]} == {
        (rooms[0], seq) for seq in own if seq != own[1]
    }  # fmt: skip
    assert {one["text"] for one in messages if one["channel"] != rooms[0]} == {"elsewhere", "in private"}
    first = next(one for one in messages if one["seq"] == own[0] and one["channel"] == rooms[0])
    assert (first["text"], first["reply_to"], first["reactions"]) == ("mended", theirs, {"💙": 1})
    assert [one["text"] for one in first["former"]] == [f"message 0 {HOSTILE}"]
    assert [(one["seq"], one["emoji"]) for one in found["reactions.json"]["reactions"]] == [(theirs, "👍")]
    assert [one["reason"] for one in found["notices.json"]["notices"]] == ["mention"]
    page = found["index.html"]
    assert page.startswith('<!doctype html><html lang="de">')
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not re.search(r"<script|<img|<link|https?://|javascript:|\son\w+=", page)
    assert page.count("<article>") == len(messages) == 8


async def test_what_a_member_may_not_see_any_more_is_not_named(hub: Served) -> None:
    browser = await hub.member("ana")
    ben = await hub.community.member("ben")
    secret = await hub.community.group(ben, "closed")
    await browser.post(f"groups/{secret}/join")
    await change(hub, f"UPDATE membership SET state = 'member' WHERE access_id = {secret}")
    said = (await browser.post(f"channels/{secret}/messages", json={"text": "my own words"})).json()["seq"]
    await hub.node.log.append(lambda done: React(ben.account_id, ben.persona_id, secret, done, said, "💙", True))
    await browser.post(f"groups/{secret}/leave")
    await change(hub, f"UPDATE channel SET listed = 'invited', joining = 'invitation', slug = NULL WHERE id = {secret}")
    (message,) = files(await browser.get("me/export"))["messages.json"]["messages"]
    assert (message["text"], message["title"], message["with"]) == ("my own words", None, [])
    assert message["reactions"] == {}, "what others do there is theirs"
    await hub.node.log.append(lambda done: Delete(ben.account_id, ben.persona_id, secret, done, said))
    assert files(await browser.get("me/export"))["messages.json"]["messages"] == [], "deleted is gone here too"


@sqlite_only
async def test_an_export_wants_the_password_just_given_and_its_turn(hub: Served) -> None:
    browser = await hub.member("ana")
    token = (await browser.post("me/tokens", json={"name": "x", "scopes": ["account"]})).json()["token"]
    program = await hub.client(Authorization=f"Bearer {token}")
    assert reason(await program.get("me/export")) == "confirm_needed"
    assert (await (await hub.client()).get("me/export")).status_code == 401
    await change(hub, "UPDATE session SET confirmed_at = 0")
    assert reason(await browser.get("me/export")) == "confirm_needed"
    await change(hub, "UPDATE session SET confirmed_at = created_at")
    async with hub.node.exports, hub.node.exports:
        busy = await browser.get("me/export")
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "10")
    before = set(hub.node.settings.data.iterdir())
    assert len(files(await browser.get("me/export"))["messages.json"]["messages"]) == 0
    assert set(hub.node.settings.data.iterdir()) <= before, "it leaves no file behind"


async def test_an_export_is_of_one_moment(hub: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = await hub.member("ana")
    room = (await browser.post("groups", json={"slug": "room", "title": "R", "visibility": "open"})).json()["id"]
    await browser.post(f"channels/{room}/messages", json={"text": "before"})
    begin, loop = stored.begin_export, asyncio.get_running_loop()
    begun, written = asyncio.Event(), threading.Event()

    def begin_and_wait(connection: Any) -> None:
        """Others write when the moment is taken, and have written when it is looked at."""
        begin(connection)
        connection.exec_driver_sql("SELECT count(*) FROM entry").scalar_one()
        loop.call_soon_threadsafe(begun.set)
        while not written.is_set():
            if connection.dialect.name == "sqlite":
                assert written.wait(20)
            else:
                connection.exec_driver_sql("SELECT pg_sleep(0.01)")

    monkeypatch.setattr(stored, "begin_export", begin_and_wait)

    async def write() -> None:
        await begun.wait()
        await browser.post(f"channels/{room}/messages", json={"text": "meanwhile"})
        written.set()

    answer, _ = await asyncio.gather(browser.get("me/export"), write())
    assert [one["text"] for one in files(answer)["messages.json"]["messages"]] == ["before"]
