"""A hub that is safe for people who are ill, over HTTP and live: who may not, and what is told to whom."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import pytest

from hubchat.access import Scope
from tests.flows.asking import Asker, asker, askers, guest
from tests.flows.live import live
from tests.serving import Served, serve

EVERY: tuple[Scope, ...] = get_args(Scope)
ROWS = (
    ("PATCH", "admin/settings", {"guests": False}),
    ("GET", "admin/settings", None),
    ("GET", "admin/accounts", None),
    ("GET", "admin/audit", None),
    ("GET", "admin/health", None),
    ("POST", "admin/accounts/ben/disable", None),
    ("POST", "admin/accounts/ben/enable", None),
    ("PUT", "admin/accounts/ben/role", {"role": "admin"}),
    ("PUT", "people/ben/badge", {"kind": "clinician", "how": "seen"}),
    ("DELETE", "people/ben/badge", None),
)


sqlite_only = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
"""Where the verbs' tests hold the SQL on both databases."""


@pytest.fixture(params=["sqlite", "postgresql"])
async def hub(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Served]:
    """A running hub without members; its PostgreSQL is the one of the verbs' tests, which each leaves empty."""
    lite = request.param == "sqlite"
    async with serve(None if lite else request.getfixturevalue("shared_url"), tmp_path) as served:
        yield served
        if not lite:
            await served.community.empty()


async def official(hub: Served, handle: str, role: Any) -> Asker:
    return await asker(hub, await hub.community.member(handle, role), *EVERY)


@sqlite_only
async def test_what_is_for_offices_is_refused_to_everybody_else(hub: Served) -> None:
    (ben,) = await askers(hub, "ben")
    member = await asker(hub, ben.who, *EVERY)
    root = await asker(hub, await hub.community.member("root", "admin"))  # a token without the scope
    nobody = await guest(hub)
    for method, path, body in ROWS:
        assert await member.refused(method, path, body) == (403, "not_allowed"), path
        assert await nobody.refused(method, path, body) == (401, "sign_in_needed"), path
        assert await root.refused(method, path, body) == (403, "scope_missing"), path


async def test_administrators_find_disable_and_look_after_the_hub(hub: Served) -> None:
    root, (ben, cem) = await official(hub, "root", "admin"), await askers(hub, "ben", "cem")
    found = await root.get("admin/accounts?q=be")
    assert [(one["person"]["handle"], one["role"], one["state"]) for one in found["items"]] == [
        ("ben", "member", "active")
    ]
    first = await root.get("admin/accounts?limit=2")
    rest = await root.get(f"admin/accounts?limit=2&cursor={first['next']}")
    assert [one["person"]["handle"] for one in first["items"] + rest["items"]] == ["root", "ben", "cem"]
    assert rest["next"] is None
    for odd in ("q=", "q=" + "x" * 61, "limit=0", "cursor=!", "group=1", "q=%00"):
        assert (await root.refused("GET", f"admin/accounts?{odd}"))[0] == 422, odd
    async with live(hub.node, hub.port, ben.who) as line:
        await root.post("admin/accounts/ben/disable")
        assert await line.closed() == 4003
    assert await ben.refused("GET", "me") == (401, "sign_in_ended")
    await root.post("admin/accounts/ben/enable")
    assert (await ben.get("me"))["handle"] == "ben"
    async with live(hub.node, hub.port, cem.who) as line:
        await root.put("admin/accounts/cem/role", {"role": "moderator"})
        assert (await line.signal("inbox"))["changed"] == ["me"]
    assert (await cem.get("me"))["role"] == "moderator"
    assert await root.refused("PUT", "admin/accounts/root/role", {"role": "member"}) == (409, "last_admin")
    assert await root.refused("PUT", "admin/accounts/cem/role", {"role": "guest"}) == (422, "fields_invalid")
    assert await root.refused("POST", "admin/accounts/no%00body/disable") == (404, "thing_unknown")
    told = (await root.get("admin/audit"))["items"]
    assert [(one["action"], one["person"]["handle"]) for one in told] == [
        ("account.moderator", "cem"), ("account.enable", "ben"), ("account.disable", "ben"),
    ]  # fmt: skip
    page = await root.get("admin/audit?limit=1")
    assert (await root.get(f"admin/audit?cursor={page['next']}"))["items"] == told[1:]
    health = await root.get("admin/health")
    assert (health["database"]["kind"], health["bus"], health["waiting"]) == (hub.node.database.dialect, None, 0)
    assert [one["here"] for one in health["nodes"]] == [True]


@sqlite_only
async def test_closing_the_hub_to_guests_ends_what_they_read(hub: Served) -> None:
    root, nobody = await official(hub, "root", "admin"), await guest(hub)
    room = await hub.community.group(root.who, "public")
    shown = await root.get("admin/settings")
    assert (shown["asked"], shown["fixed"], shown["guests"], shown["minimum_age"]) == (False, [], True, 16)
    async with live(hub.node, hub.port) as line, live(hub.node, hub.port, root.who) as other:
        await line.do("subscribe", channel=room)
        given = {"guests": False, "contact": " help@hub.example ", "emergency": "112", "imprint": "", "minimum_age": 18}
        shown = await root.patch("admin/settings", given)
        assert (shown["asked"], shown["contact"], shown["imprint"]) == (True, "help@hub.example", None)
        assert await line.closed() == 4001
        assert (await other.do("ping"))["time"]
    assert await nobody.refused("GET", f"channels/{room}") == (401, "members_only")
    told = await nobody.get("hub")
    assert {name: told[name] for name in ("guests", "contact", "emergency", "imprint", "minimum_age")} == {
        "guests": False, "contact": "help@hub.example", "emergency": "112", "imprint": None, "minimum_age": 18,
    }  # fmt: skip
    await root.patch("admin/settings", {"signup": "closed", "guests": True})
    assert (await nobody.refused("POST", "signup", {"handle": "x1", "name": "X", "password": "p", "agreed": True}))[
        1
    ] == ("signup_closed")
    await nobody.get(f"channels/{room}")
    for odd in ({"guests": "no"}, {"minimum_age": -1}, {"contact": "x" * 201}, {"port": 1}, {"contact": "a\0"}):
        assert (await root.refused("PATCH", "admin/settings", odd))[0] == 422, odd


async def test_a_block_is_known_to_ones_own_devices_and_to_nobody_else(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    mine = await asker(hub, ada.who, *EVERY)
    room = await hub.community.group(ada.who, "closed", ben.who)
    async with live(hub.node, hub.port, ada.who) as here, live(hub.node, hub.port, ben.who) as there:
        await there.do("watch", people=[ada.id])
        await here.do("watch", people=[ben.id])
        for _ in range(2):
            await mine.put("me/blocks/BEN")
        assert (await here.signal("inbox"))["changed"] == ["blocks"]
        assert [one["person"]["id"] for one in (await mine.get("me/blocks"))["items"]] == [ben.id]
        await there.signal("presence", people={str(ada.id): "offline"})
        await here.signal("presence", people={str(ben.id): "offline"})
        before = len(here.heard)
        await ben.post(f"channels/{room}/messages", {"text": "@ada are you there?"})
        await ben.post("conversations", {"handles": ["ada"]})
        assert (await here.do("ping"))["time"]
        heard = [message for message in here.heard[before:] if "re" not in message]
        assert heard == [], "neither notice, count nor conversation"
        assert not [message for message in there.heard if message.get("signal") == "inbox"]
    await mine.delete("me/blocks/ben")
    assert (await mine.get("me/blocks"))["items"] == []
    assert await ada.refused("GET", "me/blocks") == (403, "scope_missing")
    assert await mine.refused("PUT", "me/blocks/ada") == (403, "not_allowed")
    assert await mine.refused("PUT", "me/blocks/nobody") == (404, "person_unknown")


@sqlite_only
async def test_a_report_goes_its_way_over_http(hub: Served) -> None:
    ada, ben, cem, eve = await askers(hub, "ada", "ben", "cem", "eve")
    mod = await official(hub, "mod", "moderator")
    room = await hub.community.group(ada.who, "closed", ben.who, cem.who)
    seqs = [await hub.community.say(ben.who, room, f"{n}") for n in range(3)]
    async with live(hub.node, hub.port, ada.who) as line:
        await line.do("subscribe", channel=ada.who.inbox_id)
        what = {"channel": room, "seq": seqs[1], "reason": "abuse", "text": "look"}
        made = await cem.ask("POST", "reports", what)
        assert made.status_code == 201
        again = await cem.ask("POST", "reports", what)
        assert (again.status_code, again.json()) == (200, made.json())
        report_id = made.json()["id"]
        notice = await line.entry(ada.who.inbox_id, kind="notice", reason="report")
        assert (notice["about"], notice["report"], notice["author"]) == (
            {"channel": room, "seq": seqs[1]},
            report_id,
            None,
        )
    (one,) = (await ada.get("moderation/queue"))["items"]
    assert (one["id"], one["kind"], one["state"], one["person"]["handle"]) == (report_id, "message", "open", "ben")
    assert "reporter" not in one
    whole = await ada.get(f"moderation/{report_id}")
    assert [(line["author"]["handle"], line["text"]) for line in whole["lines"]] == [("ben", f"{n}") for n in range(3)]
    assert whole["can"] == ["dismissed", "warned", "removed_message", "removed_member", "banned"]
    for who in (ben, cem, eve, mod):
        assert (await who.get("moderation/queue"))["items"] == []
        assert await who.refused("GET", f"moderation/{report_id}") == (404, "thing_unknown")
        answer = await who.refused("POST", f"moderation/{report_id}", {"decision": "dismissed", "reason": "x"})
        assert answer == (404, "thing_unknown")
    await ada.post(f"moderation/{report_id}", {"decision": "removed_message", "reason": "no abuse here"})
    assert (await ada.get("moderation/queue"))["items"] == []
    (one,) = (await ada.get("moderation/queue?state=decided"))["items"]
    assert (one["decision"], one["word"]) == ("removed_message", "no abuse here")
    answer = await ada.refused("POST", f"moderation/{report_id}", {"decision": "dismissed", "reason": "x"})
    assert answer == (409, "already_decided")
    await eve.post("reports", {"person": ben.id, "reason": "other"})
    (one,) = (await mod.get("moderation/queue"))["items"]
    assert (one["kind"], one["channel"], one["reporter"]["handle"]) == ("person", None, "eve")
    for odd in (
        {}, {"reason": "abuse"}, {"channel": room}, {"channel": "1", "reason": "abuse"},
        {"person": 0, "reason": "abuse"}, {"channel": room, "reason": "dislike"},
        {"channel": room, "reason": "abuse", "text": "x" * 9_000},
        {"person": ben.id, "reason": "abuse", "text": "a\0"}, {"person": ben.id, "reason": "abuse", "more": 1},
    ):  # fmt: skip
        assert (await cem.refused("POST", "reports", odd))[0] == 422, odd
    assert await eve.refused("POST", "reports", {"channel": room, "seq": 1, "reason": "abuse"}) == (
        404,
        "channel_unknown",
    )
    for state in ("all", "", "open&more=1"):
        assert (await ada.refused("GET", f"moderation/queue?state={state}"))[0] == 422
    nobody = await guest(hub)
    assert await nobody.refused("POST", "reports", {"person": ben.id, "reason": "abuse"}) == (401, "sign_in_needed")
    assert await nobody.refused("GET", "moderation/queue") == (401, "sign_in_needed")


async def test_the_queue_comes_in_pages(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    room = await hub.community.group(ada.who, "open", ben.who)
    for _ in range(3):
        seq = await hub.community.say(ben.who, room)
        await ada.post("reports", {"channel": room, "seq": seq, "reason": "spam"})
    whole = [one["id"] for one in (await ada.get("moderation/queue"))["items"]]
    for state in ("open", "decided"):
        first = await ada.get(f"moderation/queue?state={state}&limit=2")
        rest = await ada.get(f"moderation/queue?state={state}&limit=2&cursor={first['next']}")
        assert [one["id"] for one in first["items"] + rest["items"]] == (whole if state == "open" else whole[::-1])
        assert rest["next"] is None
        if state == "open":
            for which in whole:
                await ada.post(f"moderation/{which}", {"decision": "dismissed", "reason": "no"})


@sqlite_only
async def test_somebody_who_signs_up_by_themselves_is_told_of_their_first_day(hub: Served) -> None:
    (ada,) = await askers(hub, "ada")
    new = await hub.member("mia")
    me = (await new.get("me")).json()
    assert me["newcomer_until"] > me["created_at"]
    room = await hub.community.group(ada.who, "public")
    assert (await new.post(f"groups/{room}/join")).status_code == 200
    answer = await new.post(f"channels/{room}/messages", json={"text": "see https://x.example"})
    assert (answer.status_code, answer.json()["error"]["reason"]) == (403, "newcomer_links")
    link = await ada.post(f"groups/{room}/invites", {})
    invited = await hub.member("guest-of-ada", invite=link["code"])
    assert (await invited.get("me")).json()["newcomer_until"] is None
    answer = await invited.post(f"channels/{room}/messages", json={"text": "see https://x.example"})
    assert answer.status_code == 201


@sqlite_only
async def test_a_room_that_is_slowed_or_quiet_says_so(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    room = await hub.community.group(ada.who, "public", ben.who)
    async with live(hub.node, hub.port, ben.who) as line:
        await line.do("subscribe", channel=room)
        shown = await ada.patch(f"groups/{room}", {"slow_s": 30, "writers": "moderators"})
        assert (shown["slow_s"], shown["writers"], shown["visibility"]) == (30, "moderators", "public")
        assert (await line.entry(room, kind="channel"))["change"] == "writing"
        seen = await ben.get(f"groups/{room}")
        assert not {"send", "send_freely"} & set(seen["can"])
        assert {"send", "send_freely"} <= set(shown["can"])
        assert (await line.do("send", channel=room, nonce="1", text="x"))["reason"] == "not_writable"
        await ada.patch(f"groups/{room}", {"writers": "members"})
        assert (await line.do("send", channel=room, nonce="2", text="x"))["seq"]
        refused = await line.do("send", channel=room, nonce="3", text="x")
        assert (refused["code"], refused["reason"], refused["facts"]) == ("rate_limited", "slow_mode", {"slow_s": 30})
        assert 0 < refused["retry_after_ms"] <= 30_000
        assert (await line.do("send", channel=room, nonce="2", text="x"))["seq"], "what is stored is not slowed"
    for odd in ({"slow_s": 5}, {"slow_s": "30"}, {"slow_s": 2**60}, {"writers": "nobody"}, {"writers": 1}):
        assert (await ada.refused("PATCH", f"groups/{room}", odd))[0] == 422, odd
    tag = (await ada.ask("GET", f"groups/{room}")).headers["etag"]
    await ada.patch(f"groups/{room}", {"slow_s": 0})
    stale = await ada.ask("PATCH", f"groups/{room}", {"slow_s": 60}, **{"If-Match": tag})
    assert stale.status_code == 412


@sqlite_only
async def test_a_request_shows_how_much_it_still_holds(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    made = await ada.post("conversations", {"handles": ["ben"]})
    assert made["waiting"] == 3
    await ada.post(f"channels/{made['id']}/messages", {"text": "may I ask you something?"})
    assert (await ada.get(f"channels/{made['id']}"))["waiting"] == 2
    assert "waiting" not in await ben.get(f"channels/{made['id']}")
    await ben.post(f"conversations/{made['id']}/accept")
    assert "waiting" not in await ada.get(f"channels/{made['id']}")
    mine = await asker(hub, ben.who, *EVERY)
    assert (await mine.patch("me", {"writing": "nobody"}))["writing"] == "nobody"
    assert (await mine.refused("PATCH", "me", {"writing": "friends"}))[0] == 422
    (cem,) = await askers(hub, "cem")
    assert await cem.refused("POST", "conversations", {"handles": ["ben"]}) == (403, "takes_no_messages")


@sqlite_only
async def test_a_muted_room_tells_nothing_and_other_devices_hear_that_it_is(hub: Served) -> None:
    ada, ben = await askers(hub, "ada", "ben")
    room = await hub.community.group(ada.who, "closed", ben.who)
    async with live(hub.node, hub.port, ada.who) as line:
        await ada.patch(f"channels/{room}/notify", {"notify": "none"})
        assert (await line.signal("inbox"))["changed"] == ["channels"]
        assert (await ada.get(f"channels/{room}"))["notify"] == "none"
        before = len(line.heard)
        await hub.community.say(ben.who, room, "@ada hello")
        assert (await line.do("ping"))["time"]
        assert [message for message in line.heard[before:] if "re" not in message] == []
        await ada.patch(f"channels/{room}/notify", {"notify": "mentions"})
        seq = await hub.community.say(ben.who, room, "@ada hello again")
        await line.until(lambda m: m.get("unread") == {str(room): 2}, before)
        await ada.put(f"channels/{room}/read", {"seq": seq})
        await line.until(lambda m: m.get("unread") == {str(room): 0}, before)
        again = len(line.heard)
        await ada.put(f"channels/{room}/unread", {"seq": seq})
        await line.until(lambda m: m.get("unread") == {str(room): 1}, again)
    assert (await ada.get(f"channels/{room}"))["unread"] == 1
    for odd in ({"seq": 0}, {"seq": "1"}, {}, {"seq": 2**60}):
        assert (await ada.refused("PUT", f"channels/{room}/unread", odd))[0] == 422
    (eve,) = await askers(hub, "eve")
    assert await eve.refused("PUT", f"channels/{room}/unread", {"seq": 1}) == (404, "channel_unknown")


@sqlite_only
async def test_badges_are_seen_where_they_belong(hub: Served) -> None:
    ada, ben, eve = await askers(hub, "ada", "ben", "eve")
    mod = await official(hub, "mod", "moderator")
    room = await hub.community.group(ada.who, "public", ben.who)
    await hub.community.say(ben.who, room)
    until = "2100-01-01T00:00:00.000Z"
    await mod.put("people/ben/badge", {"kind": "clinician", "how": "a licence", "until": until})
    seen = await ada.get("people/ben")
    assert (seen["badge"], seen["attested"]["by"]["handle"], seen["attested"]["until"]) == ("clinician", "mod", until)
    assert "how" not in seen["attested"]
    assert (await mod.get("people/ben"))["attested"]["how"] == "a licence"
    await ben.patch(f"groups/{room}/membership", {"badge": "carer"})
    listed = (await ada.get(f"groups/{room}/members"))["items"]
    assert [one["person"].get("group_badge") for one in listed] == [None, "carer"]
    assert (await ada.get(f"people?ids={ben.id}&channel={room}"))["items"][0]["group_badge"] == "carer"
    assert "group_badge" not in (await eve.get(f"people?ids={ben.id}&channel={room}"))["items"][0]
    async with live(hub.node, hub.port, ada.who) as here, live(hub.node, hub.port, eve.who) as there:
        (told,) = (await here.do("people", ids=[ben.id], channel=room))["people"]
        assert (told["badge"], told["group_badge"]) == ("clinician", "carer")
        for line, more in ((here, {}), (there, {"channel": room})):
            (told,) = (await line.do("people", ids=[ben.id], **more))["people"]
            assert "group_badge" not in told
        assert (await here.do("people", ids=[ben.id], channel="x"))["reason"] == "field_invalid"
    for odd in ({"badge": "clinician"}, {"badge": 1}, {"badge": "carer", "more": 1}):
        assert (await ben.refused("PATCH", f"groups/{room}/membership", odd))[0] == 422
    await ben.patch(f"groups/{room}/membership", {"badge": None})
    listed = (await ada.get(f"groups/{room}/members"))["items"]
    assert [one["person"].get("group_badge") for one in listed] == [None, None]
    for odd in (
        {"kind": "doctor", "how": "x"},
        {"kind": "scientist"},
        {"kind": "scientist", "how": "x", "until": "soon"},
    ):
        assert (await mod.refused("PUT", "people/ben/badge", odd))[0] == 422
    await mod.delete("people/ben/badge")
    assert "badge" not in await ada.get("people/ben")
