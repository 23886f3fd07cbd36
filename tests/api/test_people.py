"""Who is seen by whom."""

from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from hubchat import access
from hubchat.access import Place, Presets, Standing
from hubchat.actions import conversations, groups
from hubchat.actions.groups import GroupChange
from hubchat.storage.people import read_people
from hubchat.storage.sessions import Caller
from tests.serving import Served

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Asker:
    """Somebody, as the community knows them and as the HTTP interface does."""

    def __init__(self, caller: Caller, browser: httpx2.AsyncClient) -> None:
        self.caller = caller
        self.browser = browser

    async def ask(self, **query: Any) -> list[str]:
        answer = await self.browser.get("people", params=query)
        assert answer.status_code == 200, answer.text
        return sorted(item["handle"] for item in answer.json()["items"])


async def join(hub: Served, handle: str, **more: Any) -> Asker:
    """A new member."""
    browser = await hub.member(handle, **more)
    query = sa.text("SELECT account_id, id, inbox_id FROM persona WHERE handle = :handle")
    row = await hub.community.read(lambda connection: connection.execute(query, {"handle": handle}).one())
    caller = Caller(
        row.account_id, row.id, handle, handle.title(), row.inbox_id, "member", "shared", 1, None,
        frozenset(access.SCOPES), 0, 0,
    )  # fmt: skip
    return Asker(caller, browser)


async def test_an_exact_handle_always_finds(hub: Served) -> None:
    ana, ben = await join(hub, "ana"), await join(hub, "ben", name="Ben K.")
    answer = await ana.browser.get("people/ben")
    assert answer.json() == {"id": ben.caller.persona_id, "handle": "ben", "name": "Ben K."}
    assert (await ana.browser.get("people/BEN")).status_code == 200
    assert await ana.ask(q="ben") == ["ben"]
    assert await ana.ask(q="@ben") == ["ben"]
    assert await ana.ask(q="be") == []
    missing = await ana.browser.get("people/nobody-here")
    assert (missing.status_code, missing.json()["error"]["reason"]) == (404, "person_unknown")
    assert (await (await hub.client()).get("people/ben")).status_code == 401


async def test_few_letters_find_who_shares_a_group_or_chose_to_be_found(hub: Served) -> None:
    ana, ben, mia = [await join(hub, handle) for handle in ("ana", "ben", "mia")]
    assert await ana.ask(q="be") == await ana.ask(q="mi") == []
    await hub.community.group(ana.caller, "closed", ben.caller)
    assert await ana.ask(q="be") == await ana.ask(q="EN") == ["ben"]
    assert await ben.ask(q="an") == ["ana", "ben"][:1]
    await mia.browser.patch("me", json={"findable": True})
    assert await ana.ask(q="mi") == ["mia"]
    assert await mia.ask(q="an") == []  # who is found does not find


async def test_joining_an_open_group_does_not_tell_who_else_did(hub: Served) -> None:
    ana, ben, eve = [await join(hub, handle) for handle in ("ana", "ben", "eve")]
    group = await hub.community.group(ana.caller, "open", ben.caller, eve.caller)
    assert await eve.ask(q="ben") == ["ben"]  # an exact handle says nothing about the group
    assert await eve.ask(q="be") == await eve.ask(ids=ben.caller.persona_id) == []
    await hub.community.say(ben.caller, group)
    assert await eve.ask(q="be") == await eve.ask(ids=ben.caller.persona_id) == ["ben"]


async def test_letters_are_letters_and_no_patterns(hub: Served) -> None:
    ana = await join(hub, "ana")
    for handle, name in (("ben", "100% Ben"), ("mia", "Лена_И"), ("eve", "Åsa")):
        other = await join(hub, handle, name=name)
        await other.browser.patch("me", json={"findable": True})
    assert await ana.ask(q="0% b") == ["ben"]
    assert await ana.ask(q="%") == ["ben"]
    assert await ana.ask(q="_") == ["mia"]
    assert await ana.ask(q="!") == []
    assert await ana.ask(q="лена") == ["mia"]
    assert await ana.ask(q="åsa") == await ana.ask(q="Åsa") == ["eve"]
    assert (await (await hub.client()).get("people?q=b")).status_code == 401


async def test_ids_are_answered_for_those_who_wrote_where_one_may_read(hub: Served) -> None:
    ana, ben, eve = [await join(hub, handle) for handle in ("ana", "ben", "eve")]
    guest = Asker(eve.caller, await hub.client())
    closed = await hub.community.group(ana.caller, "closed")
    ids = ",".join(str(who.caller.persona_id) for who in (ana, ben, eve)) + ",1,9007199254740991"
    assert await eve.ask(ids=ids) == ["eve"]
    await hub.community.say(ana.caller, closed)
    assert await eve.ask(ids=ids) == ["eve"]
    opened = await hub.community.group(ana.caller, "open")
    await hub.community.say(ana.caller, opened)
    assert await eve.ask(ids=ids) == ["ana", "eve"]
    assert await guest.ask(ids=ids) == []
    public = await hub.community.group(ben.caller, "public")
    await hub.community.say(ben.caller, public)
    assert await guest.ask(ids=ids) == ["ben"]


async def test_who_wrote_before_one_may_read_is_not_seen(hub: Served) -> None:
    ana, ben, eve = [await join(hub, handle) for handle in ("ana", "ben", "eve")]
    guest = Asker(eve.caller, await hub.client())
    group = await hub.community.group(ana.caller, "closed", ben.caller)
    await hub.community.say(ben.caller, group)
    await groups.change(hub.node, ana.caller, group, GroupChange(visibility="public"))
    await hub.community.say(ana.caller, group)
    assert await guest.ask(ids=f"{ana.caller.persona_id},{ben.caller.persona_id}") == ["ana"]
    await hub.community.let_in(ana.caller, group, eve.caller)
    assert await eve.ask(ids=f"{ana.caller.persona_id},{ben.caller.persona_id}") == ["ana"]


async def test_ids_are_answered_for_those_in_ones_conversations(hub: Served) -> None:
    ana, ben, eve = [await join(hub, handle) for handle in ("ana", "ben", "eve")]
    assert await ben.ask(ids=ana.caller.persona_id) == []
    await conversations.converse(hub.node, ana.caller, ["ben"])
    assert await ben.ask(ids=ana.caller.persona_id) == ["ana"]
    assert await eve.ask(ids=ana.caller.persona_id) == []


@sqlite_only
async def test_who_wrote_there_is_seen_by_exactly_those_who_may_read(hub: Served) -> None:
    """The query's own reading of rights against `access.can`, for every kind of reader and standing."""
    author, reader = await hub.community.members("author", "reader")
    group = await hub.community.group(author, "closed")
    await hub.community.say(author, group)
    audiences: tuple[access.Audience, ...] = ("everybody", "signed_in", "invited", "members", "nobody")
    states: tuple[access.MemberState, ...] = ("none", "requested", "invited", "member", "banned")
    seen = 0
    for audience in audiences:
        for state in states:
            for viewer in (reader.account_id, None):
                await _set(hub, group, reader, audience, state)
                people = await hub.community.read(lambda c, v=viewer: read_people(c, v, [author.persona_id]))  # type: ignore[misc]
                who = Standing("member" if viewer else "guest", state if viewer else "none")
                place = Place(Presets("nobody", audience, "request", "members"))
                # whoever shares a group is seen anyhow, also where a preset would let nobody read
                expected = access.can("read", who, place) or (viewer is not None and state == "member")
                assert bool(people) == expected, (audience, state, viewer)
                seen += expected
    assert seen > 10


async def _set(hub: Served, group: int, who: Caller, audience: str, state: str) -> None:
    def change(tx: Any) -> None:
        for statement in (
            "UPDATE channel SET readers = :audience WHERE id = :id",
            "DELETE FROM membership WHERE access_id = :id AND account_id = :account_id",
            "INSERT INTO membership (access_id, account_id, persona_id, role, state, joined_at, first_seq, listed) "
            "SELECT :id, :account_id, :persona_id, 'member', :state, 0, 1, true WHERE :state <> 'none'",
        ):
            keys = {"audience": audience, "id": group, "account_id": who.account_id, "persona_id": who.persona_id}
            tx.connection.execute(sa.text(statement), {**keys, "state": state})

    await hub.node.log.write(change)


@sqlite_only
async def test_at_most_a_hundred_ids_are_asked_for(hub: Served) -> None:
    client = await hub.client()
    assert (await client.get("people", params={"ids": ",".join(["1"] * 100)})).status_code == 200
    for ids in (",".join(["1"] * 101), "0", "9007199254740992", "1,", ",1", "1;2", "-1"):
        answer = await client.get("people", params={"ids": ids})
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (422, ["ids"])


async def test_many_letters_give_at_most_twenty(hub: Served) -> None:
    ana = await join(hub, "ana")
    others = await hub.community.members(*(f"zoe-{at}" for at in range(25)))
    await hub.community.group(ana.caller, "secret", *others)
    assert len(await ana.ask(q="zo")) == 20
    assert await ana.ask(q="zoe-7") == ["zoe-7"]


@sqlite_only
async def test_others_see_no_address(hub: Served) -> None:
    ana = await join(hub, "ana", email="ana@example.org")
    shown = (await ana.browser.get("people/ana")).text
    assert "example.org" not in shown
