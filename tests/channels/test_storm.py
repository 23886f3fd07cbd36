"""Hundreds of members come back at once: SQL is asked for no entry that is at hand, and for the rest in one go."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from hubchat.actions import sessions
from hubchat.channels import catchup
from hubchat.storage.accounts import NewAccount, insert_account
from hubchat.storage.entries import read_range
from hubchat.storage.postgres import PostgresDatabase
from hubchat.storage.sessions import Caller, hash_secret
from hubchat.storage.sqlite import SqliteDatabase
from hubchat.storage.tokens import insert_token
from tests.community import Community
from tests.lines import Line, Lines

MEMBERS = 300
ROOMS = 5
MISSED = 4  # in each room
STATEMENTS = 30  # for all of them: a few rounds of sign-ins and of rights, two statements each, the node's own
WRITES = 3  # to each: the welcome, what its subscriptions bring, how many are in the rooms by then


@contextmanager
def _statements(hub: Community) -> Iterator[list[str]]:
    """Every statement that the node sends to its database meanwhile."""
    database = hub.node.database
    assert isinstance(database, SqliteDatabase | PostgresDatabase)
    engine = database.engine if isinstance(database, SqliteDatabase) else database.engine.sync_engine
    said: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(("BEGIN", "COMMIT", "PRAGMA")):
            said.append(statement)

    sa.event.listen(engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        sa.event.remove(engine, "before_cursor_execute", hear)


async def _crowd(hub: Community) -> None:
    """Many members with a token each, made in one transaction."""

    def make(connection: sa.Connection) -> None:
        for number in range(MEMBERS):
            made = insert_account(connection, NewAccount(f"crowd-{number}", f"Member {number}", trusted=True), 1)
            assert made is not None
            insert_token(
                connection, made.account_id,
                hashed=hash_secret(f"token-{number}"), name="t", scopes=["read"], expires_at=2**53 - 1, now=1,
            )  # fmt: skip

    await hub.node.database.write(make)


async def _rooms(hub: Community, ana: Caller, lines: Lines) -> dict[int, int]:
    """Rooms that one member goes on following, with what was said there since: by room, its head before that."""
    staying, rooms = lines.open(ana), {}
    for room in [await hub.group(ana, "public") for _ in range(ROOMS)]:
        await hub.say(ana, room, "before")
        rooms[room] = (await staying.do("subscribe", channel=room))["head"]
        for number in range(MISSED):
            await staying.until_seq(room, await hub.say(ana, room, f"missed {number}"))
    return rooms


async def _come_back(hub: Community, lines: Lines, number: int, rooms: dict[int, int]) -> Line:
    caller = await sessions.identify(hub.node, "token", f"token-{number}")
    line = lines.open(caller, address=f"10.0.0.{number % 250}")
    asked = [line.send("subscribe", channel=room, after=head) for room, head in rooms.items()]
    for command in asked:
        await line.reply(command)
    for room, head in rooms.items():
        await line.until_seq(room, head + MISSED)
    return line


async def test_a_storm_asks_sql_for_no_entry_that_the_node_has_and_for_all_rights_together(
    hub: Community, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await hub.member("ana")
    await _crowd(hub)
    rooms = await _rooms(hub, ana, lines)
    monkeypatch.setattr(catchup, "read_range", lambda *_: pytest.fail("a replay was read from SQL"))
    with _statements(hub) as said:
        back = await asyncio.gather(*(_come_back(hub, lines, number, rooms) for number in range(MEMBERS)))
    for line in back:
        for room, head in rooms.items():
            assert line.seqs(room) == list(range(head + 1, head + MISSED + 1))
    assert len(said) <= STATEMENTS < MEMBERS
    assert hub.node.catchup.pages_read == 0
    assert max(line.writes for line in back) <= WRITES < ROOMS


async def test_what_the_node_has_not_at_hand_is_read_once_for_all_who_stand_at_the_same_place(
    hub: Community, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await hub.member("ana")
    await _crowd(hub)
    rooms = await _rooms(hub, ana, lines)
    hub.node.hub.recent.clear()
    read = list[int]()

    def count(connection: sa.Connection, channel: int, *more: int) -> Any:
        read.append(channel)
        return read_range(connection, channel, *more)

    monkeypatch.setattr(catchup, "read_range", count)
    back = await asyncio.gather(*(_come_back(hub, lines, number, rooms) for number in range(MEMBERS)))
    for line in back:
        for room, head in rooms.items():
            assert line.seqs(room) == list(range(head + 1, head + MISSED + 1))
    assert set(read) == set(rooms)
    assert len(read) == hub.node.catchup.pages_read <= STATEMENTS < MEMBERS
