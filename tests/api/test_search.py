"""Search shows what history shows to whoever asks, as it is now, and says plainly what can't be asked."""

import logging
import random
import urllib.parse
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from hubchat.access import VISIBILITIES
from hubchat.actions import conversations, groups, members
from hubchat.actions.groups import GroupChange
from hubchat.api import search
from hubchat.channels.items import Delete, Edit
from hubchat.errors import HubError
from hubchat.storage.channels import update_channel
from hubchat.storage.sessions import Caller
from tests.community import open_community
from tests.flows.asking import Asker, asker, guest
from tests.indexed import index_all
from tests.servers import PostgresServer
from tests.serving import Served, serve

WORDS = ["lung", "café", "opinion", "癌治療", "trial", "the"]


@pytest.fixture(scope="module")
def shared_url(postgres: PostgresServer) -> Iterator[str]:
    """One PostgreSQL database for all these tests, which each leaves empty: a new one takes a second."""
    name = postgres.create_database()
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
async def hub(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Served]:
    """A running hub without members, where anybody may search as fast as tests do."""
    lite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'hub.db'}" if lite else request.getfixturevalue("shared_url")
    async with serve(url, tmp_path, searches_per_10s=0) as served:
        yield served
    if not lite:
        async with open_community(url, tmp_path) as community:
            await community.empty()


async def look(who: Asker, q: str = "", **more: Any) -> list[dict[str, Any]]:
    """Everything that is found, page by page."""
    items, cursor = [], None
    while True:
        asked = {**({"q": q} if q else {}), **more, **({"cursor": cursor} if cursor else {})}
        page = await who.get(f"search?{urllib.parse.urlencode(asked)}")
        items += page["items"]
        if (cursor := page["next"]) is None:
            return items


async def places(who: Asker, q: str = "", **more: Any) -> list[tuple[int, int]]:
    return [(item["channel"]["id"], item["seq"]) for item in await look(who, q, **more)]


# ---------------------------------------------------------------- the law


class Walk:
    """A community in which anything happens to anybody."""

    def __init__(self, hub: Served, people: list[Caller], chance: random.Random) -> None:
        self.hub = hub
        self.people = people
        self.chance = chance
        self.rooms: list[int] = []

    async def begin(self) -> None:
        for visibility in VISIBILITIES:
            for history in ("all", "since_joining"):
                self.rooms.append(await self.hub.community.group(self.people[0], visibility, history=history))
        for number, room in enumerate(self.rooms):
            await self.hub.community.let_in(self.people[0], room, self.people[1 + number % 3])
            for _ in range(3):
                await self.hub.community.say(self.people[0], room, " ".join(self.chance.choices(WORDS, k=2)))
        talk = await conversations.converse(self.hub.node, self.people[0], [self.people[1].handle])
        self.rooms.append(talk)

    async def go_on(self, times: int) -> None:
        for _ in range(times):
            try:
                await self._do(self.chance.choice(self.people), self.chance.choice(self.rooms))
            except HubError:
                continue  # it was not theirs to do

    async def _do(self, who: Caller, room: int) -> None:
        node, chance, other = self.hub.node, self.chance, self.chance.choice(self.people)
        what = chance.choice(
            ["say"] * 8 + ["edit", "delete", "join", "join", "let in", "leave", "remove", "ban", "open"]
        )
        own = [one.seq for one in await self.hub.community.entries(room, "message") if one.author == who.persona_id]
        text = " ".join(chance.choices(WORDS, k=chance.randint(1, 3)))
        if what == "say":
            await self.hub.community.say(who, room, text)
        elif what == "edit" and own:
            seq = chance.choice(own)
            await node.log.append(lambda done: Edit(who.account_id, who.persona_id, room, done, seq, text))
        elif what == "delete" and own:
            seq = chance.choice(own)
            await node.log.append(lambda done: Delete(who.account_id, who.persona_id, room, done, seq))
        elif what == "join":
            await members.join(node, who, room)
        elif what == "let in":
            await self.hub.community.let_in(self.people[0], room, other)
        elif what == "leave":
            await members.leave(node, who, room)
        elif what == "remove":
            await members.remove(node, who, room, other.handle)
        elif what == "ban":
            await members.ban(node, who, room, other.handle)
        elif what == "open" and chance.random() < 0.3:
            visibility = chance.choice(list(VISIBILITIES))
            change = GroupChange(visibility=visibility, slug=f"opened-{room % 10_000}")
            await groups.change(node, self.people[0], room, change)

    async def history(self, who: Asker) -> dict[tuple[int, int], str]:
        """Every text that history pages show to somebody."""
        found = {}
        for room in self.rooms:
            answer = await who.ask("GET", f"channels/{room}/entries?limit=200")
            if answer.status_code == 404:
                continue
            assert not answer.json()["more"], "one page shows all"
            for entry in answer.json()["entries"]:
                if entry["kind"] == "message" and "text" in entry:
                    found[room, entry["seq"]] = entry["text"]
        return found


async def test_search_shows_exactly_what_history_shows(hub: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "ROUND", 5)
    monkeypatch.setattr(search, "ROUNDS", 100)
    people = await hub.community.members("ana", "ben", "cem", "dora")
    walk = Walk(hub, people, random.Random(1))
    await walk.begin()
    callers = [*[await asker(hub, who) for who in people], await guest(hub)]
    await walk.go_on(150)
    await index_all(hub.node)
    shown = [await walk.history(who) for who in callers]
    assert len(shown[-1]) > 2
    assert len(shown[0]) > len(shown[-1])
    for marked in (256, 2):  # few rooms are looked for in the index, of many its finds are sieved
        monkeypatch.setattr("hubchat.storage.search.MARKED", marked)
        monkeypatch.setattr("hubchat.storage.fulltext.MARKED", marked)
        for who, texts in zip(callers, shown, strict=True):
            for word in WORDS[:3]:
                expected = {place for place, text in texts.items() if word in text.split()}
                found = await places(who, f'"{word}"', limit=25)
                assert set(found) == expected
                assert len(found) == len(expected), "nothing comes twice"
            both = {place for place, text in texts.items() if {"lung", "the"} <= set(text.split())}
            assert set(await places(who, "lung the", sort="best", limit=4)) == both
            phrase = {place for place, text in texts.items() if "lung the" in text}
            assert set(await places(who, '"lung the"')) == phrase
    await walk.go_on(60)  # whatever the index knows of this by now
    await hub.node.database.write(lambda connection: update_channel(connection, walk.rooms[0], tail=5))
    for who in callers:
        texts = await walk.history(who)
        for word in WORDS:
            for channel, seq in await places(who, f'"{word}"', limit=50):
                assert word in texts[channel, seq].split()


async def test_what_is_lost_or_deleted_is_not_found_from_that_moment_on(hub: Served) -> None:
    ana, ben = await hub.community.members("ana", "ben")
    room = await hub.community.group(ana, "closed", ben)
    first, second = [await hub.community.say(ana, room, f"sarcoma {number}") for number in range(2)]
    await index_all(hub.node)
    at_ana, at_ben = await asker(hub, ana), await asker(hub, ben)
    assert await places(at_ben, "sarcoma") == [(room, second), (room, first)]
    told, hub.node.log.on_stored = hub.node.log.on_stored, []  # the index learns of nothing any more
    await at_ana.delete(f"channels/{room}/messages/{second}")
    await at_ana.patch(f"channels/{room}/messages/{first}", {"text": "carcinoma"})
    assert await places(at_ben, "sarcoma") == []
    await members.leave(hub.node, ben, room)
    hub.node.log.on_stored = told
    await index_all(hub.node)
    assert await places(at_ana, "carcinoma") == [(room, first)]
    assert await places(at_ben, "carcinoma") == []


# ---------------------------------------------------------------- the interface


async def test_what_was_found_is_told_with_where_by_whom_and_why(hub: Served) -> None:
    ana, ben = await hub.community.members("ana", "ben")
    room = await hub.community.group(ana, "public", ben)
    talk = await conversations.converse(hub.node, ana, ["ben"])
    said = await hub.community.say(ben, room, "A **second opinion** helped me: https://example.org")
    await hub.community.say(ana, room, "nothing of the kind")
    private = await hub.community.say(ana, talk, "my opinion")
    await hub.node.log.append(lambda done: Edit(ana.account_id, ana.persona_id, talk, done, private, "my own opinion"))
    await index_all(hub.node)
    at_ana, anybody = await asker(hub, ana), await guest(hub)
    page = await at_ana.get("search?q=opin")
    adapter: TypeAdapter[Any] = TypeAdapter(search.FoundsShown)
    assert adapter.validate_python(page, strict=True) == page
    in_talk, in_room = page["items"]
    slug = (await hub.community.channel(room)).slug
    assert in_room["channel"] == {"id": room, "kind": "group", "slug": slug, "title": "A group"}
    assert (in_room["seq"], in_room["author"]) == (said, {"id": ben.persona_id, "handle": "ben", "name": "Ben"})
    assert in_room["at"].endswith("Z")
    assert "edited_at" not in in_room
    assert in_room["excerpt"] == [
        {"text": "A **second "}, {"text": "opinion", "hit": True}, {"text": "** helped me: https://example.org"},
    ]  # fmt: skip
    assert in_talk["channel"]["slug"] is None
    assert [person["handle"] for person in in_talk["channel"]["people"]] == ["ana", "ben"]
    assert in_talk["edited_at"]
    assert await places(anybody, "opin") == [(room, said)]
    assert (await anybody.get("search?q=opin"))["items"] == [in_room]


async def test_filters_narrow_in_the_query_and_beside_it(hub: Served) -> None:
    ana, ben = await hub.community.members("ana", "ben")
    rooms = [await hub.community.group(ana, "public", ben) for _ in range(2)]
    talk = await conversations.converse(hub.node, ana, ["ben"])
    day = 86_400_000
    said: list[tuple[int, int]] = []
    hub.node.log.clock = lambda: 1_893_456_000_000 + len(said) * day  # 2030-01-01
    for who, channel in ((ana, rooms[0]), (ben, rooms[0]), (ben, rooms[1]), (ana, talk)):
        text = f"word {len(said)}" + " www.a.org" * (channel == rooms[1])
        said.append((channel, await hub.community.say(who, channel, text)))
    await index_all(hub.node)
    slug = (await hub.community.channel(rooms[1])).slug
    old = (await hub.community.channel(rooms[0])).slug
    await groups.change(hub.node, ana, rooms[0], GroupChange(slug="a-new-one"))
    at_ben = await asker(hub, ben)
    for q, more, expected in (
        ("word", {}, [3, 2, 1, 0]),
        ("word from:ana", {}, [3, 0]),
        ("word from:@ANA from:ben", {}, [3, 2, 1, 0]),
        ("word", {"from": "ben"}, [2, 1]),
        ("word from:me", {}, [2, 1]),
        ("from:nobody-here word", {}, []),
        (f"word in:{slug}", {}, [2]),
        ("word", {"in": f"~{talk}"}, [3]),
        ("word", {"in": "groups"}, [2, 1, 0]),
        ("in:conversations", {}, [3]),
        (f"in:{old}", {}, [1, 0]),
        ("in:a-new-one in:conversations word", {}, [3, 1, 0]),
        ("in:~999999999999999999999 word", {}, []),
        ("word", {"channel": rooms[0]}, [1, 0]),
        ("", {"channel": talk}, [3]),
        ("word", {"channel": 12345}, []),
        ("after:2030-01-02", {}, [3, 2, 1]),
        ("word before:2030-01-03", {"after": "2030-01-02"}, [1]),
        ("word", {"before": "2030-01-02T01:00:00+01:00"}, [0]),
        ("has:link", {}, [2]),
        ("word from:ben has:link after:2030-01-01", {"in": "groups", "channel": rooms[1]}, [2]),
        ('from:"ben" "word 2"', {}, [2]),
    ):
        assert await places(at_ben, q, **more) == [said[number] for number in expected], (q, more)
        assert await places(at_ben, q, **more, limit=1) == [said[number] for number in expected], (q, more)
    ours = await places(await guest(hub), "word from:me")
    assert ours == [], "a guest is nobody"


async def test_a_page_stays_right_while_things_are_added(hub: Served) -> None:
    ana = await hub.community.member("ana")
    room = await hub.community.group(ana, "public")
    before = [await hub.community.say(ana, room, "bone " * (1 + number % 3)) for number in range(9)]
    await index_all(hub.node)
    at_ana = await asker(hub, ana)
    for sort in ("newest", "best"):
        whole = await places(at_ana, "bone", sort=sort)
        page = await at_ana.get(f"search?q=bone&sort={sort}&limit=4")
        added = await hub.community.say(ana, room, "bone bone bone bone")
        await index_all(hub.node)
        found = [(item["channel"]["id"], item["seq"]) for item in page["items"]]
        while page["next"]:
            page = await at_ana.get(f"search?q=bone&sort={sort}&limit=4&cursor={page['next']}")
            found += [(item["channel"]["id"], item["seq"]) for item in page["items"]]
        assert found == whole
        assert (room, added) not in found
    assert {seq for _, seq in whole} > set(before)


BAD: list[tuple[str, dict[str, object], str]] = [
    ("", {}, "q"),
    ("   ", {}, "q"),
    ("?!", {"channel": 1}, "q"),
    ("x" * 401, {}, "q"),
    (" ".join(f"w{number}" for number in range(40)), {}, "q"),
    ("word before:soon", {}, "q"),
    ("word", {"before": "soon"}, "before"),
    ("word", {"after": "2026-02-30"}, "after"),
    ("word", {"from": ""}, "from"),
    ("word", {"in": "x" * 101}, "in"),
    ("word", {"channel": "all"}, "channel"),
    ("word", {"channel": 2**53}, "channel"),
    ("word", {"sort": "oldest"}, "sort"),
    ("word", {"limit": 51}, "limit"),
    ("word", {"limit": 0}, "limit"),
    ("word", {"cursor": "not-a-cursor"}, "cursor"),
    ("word", {"cursor": "MSwyLDM"}, "cursor"),
    ("word", {"sort": "best", "cursor": "MQ"}, "cursor"),
    ("nul\0", {}, "q"),
    ("word", {"order": "best"}, "order"),
]
HARMLESS = [
    '"', '""" word', "word*", "a AND NOT (b", "word:*", "'; DROP TABLE fulltext --", "#c1", "^x", "-y", "{a b}",
    "words : x", "\ud7ff\ue000", "👩‍⚕️ x", "from:", "from:'ana", 'in:"', "has:", "%_%", "\\", "NEAR(a b, 2)",
]  # fmt: skip


async def test_what_cannot_be_asked_is_named_and_the_rest_is_harmless(
    hub: Served, caplog: pytest.LogCaptureFixture
) -> None:
    ana = await hub.community.member("ana")
    room = await hub.community.group(ana, "public")
    await hub.community.say(ana, room, "quiet")
    await index_all(hub.node)
    at_ana = await asker(hub, ana)
    with caplog.at_level(logging.DEBUG):
        for q, more, field in BAD:
            answer = await at_ana.ask("GET", f"search?{urllib.parse.urlencode({'q': q} | more)}")
            told = answer.json()["error"]
            assert (answer.status_code, list(told["fields"])) == (422, [field]), (q, more)
            assert q.strip() in ("", "?!") or q not in answer.text
        for q in HARMLESS:
            answer = await at_ana.ask("GET", f"search?{urllib.parse.urlencode({'q': q})}")
            assert answer.status_code == 200 or answer.json()["error"]["fields"] == {"q": "no word to look for"}, q
            assert answer.json().get("items", []) == [], q
        await at_ana.get("search?q=Ixmarkedword&from=marked-person&in=marked-slug")
    said = "\n".join(str(record.__dict__) for record in caplog.records if record.name.startswith("hubchat"))
    assert "answered" in said
    for word in ("ixmarkedword", "marked-person", "marked-slug", "drop table"):
        assert word not in said.lower()


async def test_who_may_not_ask_is_told_so(tmp_path: Path) -> None:
    async with serve(None, tmp_path, guests=False, searches_per_10s=3) as hub:
        ana, ben = await hub.community.members("ana", "ben")
        assert await (await guest(hub)).refused("GET", "search?q=word") == (401, "members_only")
        writer = await asker(hub, ana, "write")
        assert await writer.refused("GET", "search?q=word") == (403, "scope_missing")
        at_ana, at_ben = await asker(hub, ana), await asker(hub, ben)
        for _ in range(3):
            assert await at_ana.get("search?q=word") == {"items": [], "next": None}
        answer = await at_ana.ask("GET", "search?q=word")
        assert (answer.status_code, answer.json()["error"]["reason"]) == (429, "too_fast")
        assert int(answer.headers["Retry-After"]) >= 1
        assert (await at_ben.get("search?q=word"))["items"] == [], "one does not wait for another"
