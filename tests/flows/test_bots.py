"""The bot of docs/bots.md, run as it stands there; and the client through losses that it must survive."""

import asyncio
import re
import shlex
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hubchat.actions import members
from hubchat.actions.tokens import make_token
from hubchat.client import QUEUED, Client, Ended, Refused
from hubchat.errors import HubError
from hubchat.gateway.session import Session
from hubchat.storage.channels import read_channel
from hubchat.storage.database import new_id
from hubchat.storage.schema import write_hub
from hubchat.storage.sessions import Caller
from tests.serving import Served

BOTS = Path(__file__).resolve().parents[2] / "docs" / "bots.md"


async def _token(hub: Served, who: Caller) -> str:
    return (await make_token(hub.node, who.account_id, "test"))[0]


async def test_the_bot_of_the_documentation_answers_who_names_it(hub: Served, tmp_path: Path) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", BOTS.read_text("utf-8"), re.DOTALL)
    assert len([line for line in source.splitlines() if line.strip()]) <= 12
    script = tmp_path / "bot.py"
    script.write_text(source, "utf-8")
    ana, echo = await hub.community.members("ana", "echo")
    room = await hub.community.group(ana, "open", echo)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), hub.url, await _token(hub, echo), str(room)
    )
    try:
        async with Client(hub.url, await _token(hub, ana)) as client:
            await client.subscribe(room)
            while echo.account_id not in hub.node.hub.accounts:
                await asyncio.sleep(0.02)
            while len(hub.node.hub.channels[room].subscriptions) < 2:
                await asyncio.sleep(0.02)
            sent = await client.send(room, "are you there, @echo?")
            async with asyncio.timeout(20):
                async for entry in client.entries():
                    if entry["author"] == echo.persona_id:
                        assert (entry["text"], entry["reply_to"]) == ("I heard you.", sent["seq"])
                        break
    finally:
        process.kill()
        await process.wait()


async def test_the_requests_of_the_documentation_find_a_channel_and_join_it(hub: Served) -> None:
    ana, echo = await hub.community.members("ana", "echo")
    room = await hub.community.group(ana, "open")
    channel = await hub.node.database.read(lambda connection: read_channel(connection, room))
    assert channel is not None
    program = await hub.client(Authorization=f"Bearer {await _token(hub, echo)}")
    asked = [shlex.split(line) for line in re.findall(r"^ +(curl .*)$", BOTS.read_text("utf-8"), re.MULTILINE)]
    answers = []
    for words in asked:
        assert words[words.index("-H") + 1].startswith("Authorization: Bearer ")
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        path = words[-1].removeprefix("http://localhost:8000").replace("lobby", str(channel.slug))
        answers.append((await program.request(method, hub.url + path)).json())
    assert answers[0]["id"] == room
    assert answers[1:] == [{"state": "joined"}]


async def test_a_client_whose_connection_breaks_comes_back_and_misses_nothing(hub: Served) -> None:
    ana, ben = await hub.community.members("ana", "ben")
    room = await hub.community.group(ana, "open", ben)
    async with Client(hub.url, await _token(hub, ben), dialect="json") as client:
        start = (await client.subscribe(room))["head"]
        heard: list[int] = []
        for n in range(30):
            await hub.community.say(ana, room, f"line {n}")
            if n % 10 == 5:
                _cut(hub, ben)
        async with asyncio.timeout(30):
            async for entry in client.entries():
                heard.append(entry["seq"])
                if len(heard) == 30:
                    break
        assert heard == list(range(start + 1, start + 31))


def _cut(hub: Served, who: Caller) -> None:
    for reader in hub.node.hub.accounts.get(who.account_id, ()):
        reader.link.abort()  # type: ignore[attr-defined]  # a Session, whose wire is cut


async def test_a_client_goes_on_following_though_the_hub_can_not_tell_its_rights_just_then(
    hub: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = await hub.community.members("ana", "ben")
    room = await hub.community.group(ana, "open", ben)
    asked = [2]
    seats = hub.node.seats.get

    async def away(key: tuple[int, int]) -> Any:
        if asked[0]:
            asked[0] -= 1
            raise HubError("database_unavailable", retry_after_ms=10)
        return await seats(key)

    async with Client(hub.url, await _token(hub, ben)) as client:
        head = (await client.subscribe(room))["head"]
        monkeypatch.setattr(hub.node.seats, "get", away)
        _cut(hub, ben)
        await hub.community.say(ana, room)
        async with asyncio.timeout(30):
            assert [entry["seq"] async for entry in _first(client, 1)] == [head + 1]
    assert asked == [0]


async def test_a_client_is_told_of_a_right_that_it_lost_while_it_was_away(
    hub: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = await hub.community.members("ana", "ben")
    room = await hub.community.group(ana, "closed", ben)
    async with Client(hub.url, await _token(hub, ben)) as client:
        await client.subscribe(room)
        monkeypatch.setattr(Session, "revoke", lambda *_: None)  # the hub's word is lost with the wire
        await members.remove(hub.node, ana, room, ben.handle)
        _cut(hub, ben)
        async with asyncio.timeout(30):
            told = await anext(client.signals())
        assert told == {"revoked": {"channel": room, "reason": "channel_unknown"}}


async def test_a_client_follows_another_history_from_its_head(hub: Served) -> None:
    ana, ben = await hub.community.members("ana", "ben")
    room = await hub.community.group(ana, "open", ben)
    async with Client(hub.url, await _token(hub, ben)) as client:
        await client.subscribe(room)
        known = client.welcome
        other = new_id()  # as a restore gives it
        await hub.node.database.write(lambda connection: write_hub(connection, "log", str(other)))
        await hub.node.hub.start_anew(other)
        async with asyncio.timeout(30):
            while room not in hub.node.hub.channels or not hub.node.hub.channels[room].readers:
                await asyncio.sleep(0.02)
            assert client.welcome["log"] == other != known["log"]
            seq = await hub.community.say(ana, room)
            assert [entry["seq"] async for entry in _first(client, 1)] == [seq]


async def test_a_client_that_takes_entries_slowly_still_gets_every_one(hub: Served) -> None:
    ana, ben = await hub.community.members("ana", "ben")
    room = await hub.community.group(ana, "open", ben)
    most = QUEUED + 300
    async with Client(hub.url, await _token(hub, ben)) as client:
        start = (await client.subscribe(room))["head"]
        for _ in range(0, most, 100):
            await asyncio.gather(*(hub.community.say(ana, room, "line") for _ in range(100)))
        async with asyncio.timeout(60):
            seqs = [entry["seq"] async for entry in _first(client, most)]
        assert seqs == list(range(start + 1, start + most + 1))


async def _first(client: Client, count: int) -> AsyncIterator[dict[str, Any]]:
    async for entry in client.entries():
        yield entry
        count -= 1
        if not count:
            return


async def test_a_send_that_is_refused_says_why_and_leaves_the_outbox(hub: Served) -> None:
    ana, ben = await hub.community.members("ana", "ben")
    room = await hub.community.group(ana, "closed")
    async with Client(hub.url, await _token(hub, ben)) as client:
        with pytest.raises(Refused) as refused:
            await client.send(room, "hello?")
        assert refused.value.reason == "channel_unknown"
        assert client.unsent == []


async def test_who_is_signed_out_is_told_and_does_not_come_back(hub: Served) -> None:
    ana = await hub.community.member("ana")
    async with Client(hub.url, await _token(hub, ana)) as client:
        await hub.node.log.write(lambda tx: tx.revoke("ended", account=ana.account_id))
        with pytest.raises(Ended, match="4003"):
            async for _ in client.entries():
                pass
    with pytest.raises(Ended, match="401"):
        async with Client(hub.url, "hct_nonsense"):
            pass
