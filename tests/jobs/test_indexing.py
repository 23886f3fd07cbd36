"""The index of texts follows the log: what is written, edited, deleted, and what a tail leaves behind."""

import asyncio
import logging
from pathlib import Path

import pytest
import sqlalchemy as sa

from hubchat.actions import groups, operator
from hubchat.backups import back_up, restore
from hubchat.channels.items import Delete, Edit, React
from hubchat.jobs import indexing
from hubchat.jobs.indexing import Indexing, followed
from hubchat.sought import read_query
from hubchat.storage.channels import update_channel
from hubchat.storage.database import Unavailable, now_ms
from hubchat.storage.fulltext import NO_END, Wanted, fulltext_of
from hubchat.storage.indexing import read_behind
from hubchat.storage.looks import look
from hubchat.storage.opening import open_database
from hubchat.storage.sessions import Caller
from tests.community import Community, open_community
from tests.indexed import index_all
from tests.lines import WAIT_S
from tests.waiting import until


async def found(hub: Community, query: str) -> set[tuple[int, int]]:
    """(channel, seq) of what the index names."""
    wanted = Wanted(read_query(query).terms)
    hits = await hub.read(
        lambda connection: fulltext_of(connection).seek(connection, wanted, above=0, below=NO_END, limit=1_000)
    )
    return {(hit.channel_id, hit.seq) for hit in hits}


async def behind(hub: Community) -> int:
    return sum((await hub.read(read_behind)).values())


async def delete(hub: Community, who: Caller, room: int, seq: int) -> None:
    await hub.node.log.append(lambda done: Delete(who.account_id, who.persona_id, room, done, seq))


async def edit(hub: Community, who: Caller, room: int, seq: int, text: str) -> None:
    await hub.node.log.append(lambda done: Edit(who.account_id, who.persona_id, room, done, seq, text))


async def test_the_index_is_what_texts_are_whatever_happened_before_it_came(
    hub: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "STEP", 4)
    monkeypatch.setattr("hubchat.storage.indexing.STEP_BYTES", 60)
    monkeypatch.setattr("hubchat.storage.indexing.DROPPED", 3)
    ana, ben = await hub.members("ana", "ben")
    room, other = await hub.group(ana, "open", ben), await hub.group(ana, "secret")
    first, second, third = [await hub.say(ana, room, f"apple number {number} of a dozen") for number in range(3)]
    far = await hub.say(ana, other, "apple far away")
    await edit(hub, ana, room, first, "pear now")
    await edit(hub, ana, room, first, "plum now")
    await delete(hub, ana, room, second)
    await hub.node.log.append(lambda done: React(ana.account_id, ana.persona_id, room, done, third, "❤", True))
    assert await behind(hub) > 0
    await index_all(hub.node)
    assert await behind(hub) == 0
    assert await found(hub, "apple") == {(room, third), (other, far)}
    assert await found(hub, "plum") == {(room, first)}
    assert await found(hub, "pear") == set()

    await edit(hub, ana, room, third, "cherry")
    await delete(hub, ana, room, first)
    await delete(hub, ana, other, far)
    await index_all(hub.node)
    assert (await found(hub, "apple"), await found(hub, "plum")) == (set(), set())
    assert await found(hub, "cherry") == {(room, third)}

    kept = [await hub.say(ben, room, f"fig {number}") for number in range(8)]
    await index_all(hub.node)
    await hub.node.database.write(lambda connection: update_channel(connection, room, tail=kept[6]))
    assert await behind(hub) == 0
    await index_all(hub.node)
    assert await found(hub, "fig") == {(room, seq) for seq in kept[6:]}
    assert await found(hub, "cherry") == set()
    assert {channel for channel, _ in await found(hub, "joined")} == set(), "what rosters and inboxes tell is not text"

    await groups.delete(hub.node, ana, room)
    await index_all(hub.node)
    assert await found(hub, "fig") == set()
    assert await hub.read(read_behind) == {}


async def test_what_this_node_commits_is_found_soon_and_what_others_left_at_the_start(
    hub: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "GATHER_S", 0.02)
    ana = await hub.member("ana")
    room = await hub.group(ana)
    left = await hub.say(ana, room, "left by a command")
    async with followed(hub.node):
        counts = hub.node.hub.counts

        async def comes(query: str, seq: int) -> None:
            async with asyncio.timeout(WAIT_S):
                while await found(hub, query) != {(room, seq)}:
                    await asyncio.sleep(0.01)

        await comes("command", left)
        await comes("live", await hub.say(ana, room, "written live"))
        await until(lambda: counts.index_behind == 0, WAIT_S)
        assert next(iter(counts.index_s.collect())).samples
        assert await operator.reindex(hub.node) == 2
        assert await found(hub, "live") == set()
        await index_all(hub.node)
        assert len(await found(hub, "written")) == 1
    await hub.say(ana, room, "after its end")
    assert hub.node.log.on_stored == []


async def test_two_nodes_never_double_or_leave_anything(hub: Community, tmp_path: Path) -> None:
    ana = await hub.member("ana")
    rooms = [await hub.group(ana) for _ in range(3)]
    async with open_community(hub.node.settings.database_url or "", tmp_path) as other:
        said = set()
        for number in range(30):
            room = rooms[number % 3]
            said.add((room, await (hub, other)[number % 2].say(ana, room, f"word {number}")))
        await asyncio.gather(index_all(hub.node), index_all(other.node), index_all(hub.node))
        assert await found(hub, "word") == said
        count = sa.text("SELECT count(*) FROM fulltext WHERE channel_id IN (:a, :b, :c)")
        keys = dict(zip("abc", rooms, strict=True))
        assert await hub.read(lambda connection: connection.execute(count, keys).scalar()) == len(said)


async def test_a_trouble_is_told_once_and_outlived(
    hub: Community, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(indexing, "GATHER_S", 0.01)
    ana = await hub.member("ana")
    room = await hub.group(ana)
    seq = await hub.say(ana, room, "unmistakable")
    tries = 0

    def away(*_: object) -> None:
        nonlocal tries
        tries += 1
        raise Unavailable

    with caplog.at_level(logging.WARNING), monkeypatch.context() as patch:
        patch.setattr("hubchat.storage.indexing.step", away)
        async with followed(hub.node):
            await until(lambda: tries > 3, WAIT_S)
            patch.undo()
            monkeypatch.setattr(indexing, "GATHER_S", 0.01)
            async with asyncio.timeout(WAIT_S):
                while await found(hub, "unmistakable") != {(room, seq)}:
                    await asyncio.sleep(0.01)
    assert [record.message for record in caplog.records if record.name == indexing.__name__] == [
        "search can't follow the log"
    ]
    assert "unmistakable" not in caplog.text


@pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
async def test_a_copy_has_no_index_and_it_is_made_anew_where_it_was_put_back(hub: Community, tmp_path: Path) -> None:
    ana = await hub.member("ana")
    room = await hub.group(ana)
    seq = await hub.say(ana, room, "put back")
    await index_all(hub.node)
    copied = await back_up(hub.node.database, tmp_path / "copy", [])
    assert not [table for table in copied if table.startswith("fulltext")]
    database = open_database(f"sqlite:///{tmp_path / 'restored.db'}", tmp_path)
    await restore(database, tmp_path / "copy", [])
    assert (await database.read(look)).unindexed == (await hub.channel(room)).head
    await database.close()
    async with open_community(f"sqlite:///{tmp_path / 'restored.db'}", tmp_path) as restored:
        assert await found(restored, "put") == set()
        await index_all(restored.node)
        assert await found(restored, "put") == {(room, seq)}


@pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
async def test_no_file_holds_a_word_that_was_deleted_once_the_index_is_tidied(hub: Community, tmp_path: Path) -> None:
    ana = await hub.member("ana")
    room = await hub.group(ana)
    one = Indexing(hub.node)

    async def follow() -> None:
        await one.scan()
        await one.catch_up()

    for number in range(40):
        await hub.say(ana, room, f"ordinary words number{number}")
    gone = await hub.say(ana, room, "Xylocarpine, they said")
    edited = await hub.say(ana, room, "Quvorestat at first")
    await follow()
    assert kept(tmp_path, b"xylocarpine")
    assert kept(tmp_path, b"quvorestat")
    await delete(hub, ana, room, gone)
    await edit(hub, ana, room, edited, "something else")
    await delete(hub, ana, room, edited)
    await follow()
    assert await found(hub, "xylocarpine") == set()
    await one.tidy()
    assert not [word for word in (b"xylocarp", b"Xylocarp", b"quvorest", b"Quvorest") if kept(tmp_path, word)]
    assert len(await found(hub, "ordinary")) == 40


def kept(folder: Path, word: bytes) -> list[str]:
    """The database's files that hold a word."""
    return [path.name for path in folder.glob("hub.db*") if word in path.read_bytes()]


@pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
async def test_it_is_tidied_each_day_and_after_many_deletions_and_again_soon_where_it_could_not_be(
    hub: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Indexing(hub.node)
    assert not await one._is_untidy(), "a new one is tidy"
    one._removed = indexing.REMOVED
    assert await one._is_untidy()
    await one.tidy()
    assert not await one._is_untidy()
    now = now_ms()
    monkeypatch.setattr(indexing, "now_ms", lambda: now + indexing.TIDY_MS + 1)
    assert await one._is_untidy()
    assert await Indexing(hub.node)._is_untidy(), "a restart does not forget it"

    async def busy() -> bool:
        return False

    monkeypatch.setattr(hub.node.database, "tidy", busy)
    await one.tidy()
    assert not await one._is_untidy()
    monkeypatch.setattr(indexing, "now_ms", lambda: now + indexing.TIDY_MS + indexing.AGAIN_MS + 2)
    assert await one._is_untidy()
