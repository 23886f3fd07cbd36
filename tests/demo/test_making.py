"""The demo as it is made on both databases: once, whole, and as the story tells."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from hubchat import settings
from hubchat.actions import sessions
from hubchat.actions.operator import act_as
from hubchat.actions.proofs import Browser
from hubchat.demo.door import continue_as
from hubchat.demo.ground import demo_settings, open_demo, open_ground
from hubchat.demo.making import tell
from hubchat.demo.story import DAY_MS, Story, read_people, read_story
from hubchat.errors import HubError
from hubchat.node import Node, open_node
from hubchat.settings import Settings
from hubchat.storage.accounts import NewAccount, insert_account
from hubchat.storage.channels import read_by_slug
from hubchat.storage.database import now_ms
from hubchat.storage.demo import read_state
from hubchat.storage.readings import read_mine
from tests.servers import PostgresServer

HERE = Browser("127.0.0.1")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A demo that was made, once for all who only look at it."""
    url = None
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.url(server.create_database())

    async def make(found: Settings) -> Settings:
        async with open_demo(found):
            return found

    return asyncio.run(make(chosen_for(tmp_path_factory.mktemp("demo"), url)))


@pytest.fixture
async def demo(made: Settings) -> AsyncIterator[Node]:
    async with open_demo(made) as node:
        yield node


@pytest.fixture
def fresh(tmp_path: Path, database_url: str) -> Settings:
    """A demo that is still to be made."""
    return chosen_for(tmp_path, database_url)


def chosen_for(folder: Path, url: str | None) -> Settings:
    found = demo_settings(settings.load(data=folder, database_url=url, argon2_memory_kib=8))
    open_ground(found.data)
    return found


async def counted(node: Node, query: str) -> int:
    return int(await node.database.read(lambda connection: connection.execute(sa.text(query)).scalar_one()))


async def test_everybody_and_everything_of_the_story_is_there(demo: Node) -> None:
    story = read_story(now_ms())
    lines = sum(map(len, [*(place.lines for place in story.places), *(talk.lines for talk in story.talks)]))
    assert await counted(demo, "SELECT count(*) FROM account") == len(story.people)
    assert await counted(demo, "SELECT count(*) FROM channel WHERE kind = 'group'") == len(story.places)
    assert await counted(demo, "SELECT count(*) FROM channel WHERE kind = 'conversation'") == len(story.talks)
    assert await counted(demo, "SELECT count(*) FROM entry WHERE kind = 'message'") == lines
    assert await counted(demo, "SELECT count(*) FROM entry WHERE pinned_at IS NOT NULL") == len(story.places)
    assert await counted(demo, "SELECT count(*) FROM entry WHERE edited_at IS NOT NULL") >= 1
    assert await counted(demo, "SELECT count(*) FROM reaction") > 100
    assert await counted(demo, "SELECT count(*) FROM mention") >= 5


async def test_its_messages_lie_days_apart_and_none_lies_ahead(demo: Node) -> None:
    times = "FROM entry WHERE kind = 'message'"
    assert await counted(demo, f"SELECT max(at) {times}") < now_ms()
    assert await counted(demo, f"SELECT max(at) - min(at) {times}") > 7 * DAY_MS
    sent = await counted(demo, f"SELECT count(DISTINCT at / 60000) {times}")
    assert sent > 200  # not all in the minutes in which it was made


async def test_the_clock_is_the_hubs_own_again(demo: Node) -> None:
    ana = await act_as(demo, "ana")
    began = now_ms()
    await demo.log.write(
        lambda tx: tx.lock(ana.inbox_id) and tx.append(ana.inbox_id, "notice", data={"reason": "alert"})
    )
    assert await counted(demo, f"SELECT head_at FROM channel WHERE id = {ana.inbox_id}") >= began


async def test_something_is_unread_somebody_asks_and_somebody_is_invited(demo: Node) -> None:
    ana = await act_as(demo, "ana")
    positions = await demo.database.read(lambda connection: read_mine(connection, ana.account_id, limit=100))
    assert any(position.unread for position in positions if position.channel.kind == "group")
    assert any(not position.unread for position in positions if position.channel.kind == "group")
    states = (
        "SELECT count(*) FROM membership JOIN channel ON channel.id = membership.access_id WHERE kind = 'group' AND"
    )
    assert await counted(demo, f"{states} membership.state = 'requested'") == 1
    assert await counted(demo, f"{states} membership.state = 'invited'") == 1
    assert await counted(demo, f"{states.replace('group', 'conversation')} membership.state = 'invited'") == 1


async def test_nobody_has_a_password_and_one_comes_in_as_the_invented_alone(demo: Node) -> None:
    assert await counted(demo, "SELECT count(*) FROM credential") == 0
    started = await continue_as(demo, "ben", HERE)
    assert started.me.handle == "ben"
    for password in ("", "ben", "password"):
        with pytest.raises(HubError, match="sign_in_wrong"):
            await sessions.sign_in(demo, "ben", password, HERE)
    await demo.log.write(lambda tx: _somebody_else(tx.connection))
    for handle in ("zoe", "pip", "nobody"):
        with pytest.raises(HubError, match="person_unknown"):
            await continue_as(demo, handle, HERE)


async def test_without_demo_its_people_cannot_be_continued_as(made: Settings) -> None:
    async with open_node(made.model_copy(update={"demo": False})) as node:
        assert (await act_as(node, "ben")).handle == "ben"
        with pytest.raises(HubError, match="demo_only"):
            await continue_as(node, "ben", HERE)


async def test_it_is_made_once(made: Settings) -> None:
    async with open_demo(made) as node:
        before = await counted(node, "SELECT sum(head) FROM channel")
        log_id = node.hub.log_id
    async with open_demo(made) as node:
        assert await counted(node, "SELECT sum(head) FROM channel") == before
        assert node.hub.log_id == log_id


async def test_a_half_made_one_is_begun_anew(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def end_meanwhile(node: Node, story: Story) -> None:
        telling = asyncio.create_task(tell(node, story))
        while await counted(node, "SELECT count(*) FROM entry WHERE kind = 'message'") == 0:
            await asyncio.sleep(0.01)
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        raise KeyboardInterrupt

    monkeypatch.setattr("hubchat.demo.ground.tell", end_meanwhile)
    with pytest.raises(KeyboardInterrupt):
        async with open_demo(fresh):
            raise AssertionError("it was not ended")
    monkeypatch.undo()
    async with open_demo(fresh) as node:
        assert await counted(node, "SELECT count(*) FROM account") == len(read_people())
        assert await node.database.read(read_state) == "whole"


async def test_of_two_that_start_at_once_the_second_finds_it_made(fresh: Settings) -> None:
    async def start() -> tuple[int, int]:
        async with open_demo(fresh) as node:
            return node.hub.log_id, await counted(node, "SELECT count(*) FROM account")

    first, second = await asyncio.gather(start(), start())
    assert first == second
    assert first[1] == len(read_people())


async def test_the_secret_group_has_no_address_and_the_table_has_one(demo: Node) -> None:
    assert await demo.database.read(lambda connection: read_by_slug(connection, "kitchen-table")) is not None
    assert await counted(demo, "SELECT count(*) FROM channel WHERE title = 'Night watch' AND slug IS NULL") == 1


def _somebody_else(connection: sa.Connection) -> None:
    insert_account(connection, NewAccount("zoe", "Zoe"), now_ms())
