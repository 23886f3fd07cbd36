"""A database that is full, locked, read-only or gone in the middle: told, nothing lost, no restart needed."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from hubchat.storage import sqlite
from hubchat.storage.sqlite import SqliteDatabase
from tests.community import Community, open_community
from tests.lines import Line, Lines
from tests.servers import PostgresServer

STOP_S = 10.0
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def _room(hub: Community, lines: Lines) -> tuple[Line, int, int]:
    """Ana's line in a room of hers, and its head."""
    ana = await hub.member("ana")
    room = await hub.group(ana, "open")
    line = lines.open(ana)
    return line, room, (await line.do("subscribe", channel=room))["head"]


async def _pragma(hub: Community, statement: str) -> Any:
    """Runs a PRAGMA on the connection that writes."""

    def run() -> Any:
        file = hub.node.database
        assert isinstance(file, SqliteDatabase)
        result = file._connection().exec_driver_sql(statement)
        return result.scalar() if result.returns_rows else None

    return await asyncio.get_running_loop().run_in_executor(hub.node.database._writer, run)  # type: ignore[attr-defined]


async def _until_sent(line: Line, room: int, nonce: str) -> dict[str, Any]:
    """Sends the same message again until it is stored, as clients do."""
    async with asyncio.timeout(30):
        while True:
            answer = await line.do("send", channel=room, nonce=nonce, text="after all")
            if "seq" in answer:
                return answer
            assert answer["code"] == "unavailable"
            await asyncio.sleep(0.1)


@SQLITE
async def test_a_full_disk_is_told_and_when_there_is_room_again_it_goes_on(hub: Community, lines: Lines) -> None:
    line, room, _ = await _room(hub, lines)
    start = (await line.do("send", channel=room, nonce="before", text="before"))["seq"]
    pages = await _pragma(hub, "PRAGMA page_count")
    await _pragma(hub, f"PRAGMA max_page_count = {pages}")
    told = [await line.do("send", channel=room, nonce=f"n{n}", text="x" * 16_000) for n in range(20)]
    refused = [n for n, answer in enumerate(told) if "code" in answer]
    assert refused, "the disk was not full"
    assert {told[n]["reason"] for n in refused} == {"database_unavailable"}
    assert (await line.do("history", channel=room))["entries"], "reading goes on"
    await _pragma(hub, "PRAGMA max_page_count = 1000000")
    assert (await _until_sent(line, room, "later"))["seq"] == start + 1 + 20 - len(refused)


@SQLITE
async def test_a_database_that_cannot_be_written_is_told(hub: Community, lines: Lines) -> None:
    line, room, start = await _room(hub, lines)
    await _pragma(hub, "PRAGMA query_only = ON")
    assert (await line.do("send", channel=room, nonce="n", text="hello"))["reason"] == "database_unavailable"
    await _pragma(hub, "PRAGMA query_only = OFF")
    assert (await _until_sent(line, room, "n"))["seq"] == start + 1


@SQLITE
async def test_a_database_that_another_process_holds_is_told_and_then_goes_on(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_MS", 200)
    async with open_community(database_url, tmp_path) as hub:
        line, room, start = await _room(hub, Lines(hub.node))
        assert isinstance(hub.node.database, SqliteDatabase)
        with hub.node.database.engine.connect() as other:
            other.exec_driver_sql("BEGIN IMMEDIATE")
            assert (await line.do("send", channel=room, nonce="n", text="hello"))["reason"] == "database_unavailable"
            assert (await line.do("history", channel=room))["head"] == start
            other.exec_driver_sql("ROLLBACK")
        assert (await _until_sent(line, room, "n"))["seq"] == start + 1


@SQLITE
@pytest.mark.parametrize("another", [False, True], ids=["deleted", "replaced"])
async def test_a_database_file_that_is_gone_is_told_at_once_and_counts_again_when_it_is_back(
    hub: Community, lines: Lines, tmp_path: Path, caplog: pytest.LogCaptureFixture, another: bool
) -> None:
    line, room, start = await _room(hub, lines)
    file, aside = tmp_path / "hub.db", tmp_path / "aside"
    file.rename(aside)
    if another:
        shutil.copy(aside, file)
    for nonce in ("a", "b"):
        assert (await line.do("send", channel=room, nonce=nonce, text="hello"))["reason"] == "database_unavailable"
    assert (await line.do("history", channel=room))["code"] == "unavailable"
    assert file.exists() == another, "nothing is begun in its place"
    assert [record.levelname for record in caplog.records if "database file" in record.message] == ["ERROR"]
    aside.rename(file)
    assert (await _until_sent(line, room, "b"))["seq"] == start + 1


@pytest.fixture
async def mortal(tmp_path: Path) -> AsyncIterator[tuple[PostgresServer, Community]]:
    """A hub on a PostgreSQL that a test may stop."""
    with PostgresServer() as server:
        async with open_community(server.url(server.create_database()), tmp_path) as hub:
            yield server, hub


async def test_a_hub_whose_database_is_gone_stops_in_good_order(tmp_path: Path) -> None:
    with PostgresServer() as server:
        async with open_community(server.url(server.create_database()), tmp_path) as hub:
            line, room, _ = await _room(hub, Lines(hub.node))
            seq = (await line.do("send", channel=room, nonce="n", text="hello"))["seq"]
            assert await line.do("read", channel=room, seq=seq) == {}
            server.crash()


async def test_a_hub_whose_database_hangs_stops_within_10_s_and_answers_what_waited(tmp_path: Path) -> None:
    with PostgresServer() as server:
        async with AsyncExitStack() as stack:
            hub = await stack.enter_async_context(open_community(server.url(server.create_database()), tmp_path))
            line, room, _ = await _room(hub, Lines(hub.node))
            seq = (await line.do("send", channel=room, nonce="n", text="hello"))["seq"]
            assert await line.do("read", channel=room, seq=seq) == {}
            server.hang()
            waits = line.send("send", channel=room, nonce="w", text="hello")
            async with asyncio.timeout(STOP_S):
                await stack.aclose()
            assert (await line.reply(waits))["code"] == "unavailable"


async def test_postgresql_that_stops_and_starts_again_costs_nothing_that_was_acknowledged(
    mortal: tuple[PostgresServer, Community],
) -> None:
    server, hub = mortal
    line, room, start = await _room(hub, Lines(hub.node))
    acknowledged = [(await line.do("send", channel=room, nonce=f"a{n}", text="before"))["seq"] for n in range(3)]
    await asyncio.to_thread(server.crash)
    assert (await line.do("send", channel=room, nonce="b", text="meanwhile"))["code"] == "unavailable"
    assert (await line.do("history", channel=room))["code"] == "unavailable"
    await asyncio.to_thread(server.start)
    after = (await _until_sent(line, room, "b"))["seq"]
    assert acknowledged == [start + 1, start + 2, start + 3]
    assert after == start + 4
    assert await line.until_seq(room, after) == [start + 1, start + 2, start + 3, start + 4]


async def test_a_node_that_does_not_know_who_lost_a_right_hands_out_nothing(hub: Community, lines: Lines) -> None:
    line, room, start = await _room(hub, lines)
    hub.node.hub.fresh_at -= 10  # as if it had slept
    hub.node.hub.freshen, freshen = (lambda asked_at: False), hub.node.hub.freshen  # type: ignore[method-assign]
    sent = await line.do("send", channel=room, nonce="n", text="hello")
    await asyncio.sleep(0.3)
    assert line.seqs(room) == []
    hub.node.hub.freshen = freshen  # type: ignore[method-assign]
    assert await line.until_seq(room, sent["seq"]) == [start + 1]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer for everything
async def test_a_channel_that_another_transaction_holds_delays_no_other(hub: Community, lines: Lines) -> None:
    line, room, start = await _room(hub, lines)
    assert line.session.caller is not None
    other = await hub.group(line.session.caller, "open")
    other_head = (await hub.channel(other)).head
    held, let_go = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with hub.node.database.engine.connect() as connection:  # type: ignore[attr-defined]
            await connection.exec_driver_sql(f"SELECT 1 FROM channel WHERE id = {room} FOR UPDATE")
            held.set()
            await let_go.wait()

    holder = asyncio.create_task(hold())
    await held.wait()
    waiting = [line.send("send", channel=room, nonce=f"n{n}", text=f"{n}") for n in range(3)]
    assert (await line.do("send", channel=other, nonce="n", text="hello"))["seq"] == other_head + 1
    assert not any(message.get("re") in waiting for message in line.heard)
    let_go.set()
    await holder
    assert [(await line.reply(one))["seq"] for one in waiting] == [start + 1, start + 2, start + 3]
