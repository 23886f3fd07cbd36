"""kill -9 of the server under load: what was acknowledged is there, and every reader has each entry once, in order."""

import asyncio
import contextlib
import signal
from pathlib import Path

from hubchat.client import Client, Ended
from tests.program import Program
from tests.servers import free_port

SENDERS = 5
KILLS = 2


class Sender:
    """Writes without pause; what is acknowledged is noted."""

    def __init__(self, client: Client, room: int, name: str) -> None:
        self.client, self.room, self.name = client, room, name
        self.acknowledged: dict[int, str] = {}
        self.enough = False

    async def run(self) -> None:
        for n in range(1_000_000):
            if self.enough:
                return
            text = f"{self.name} {n}"
            self.acknowledged[(await self.client.send(self.room, text))["seq"]] = text


class Listener:
    """Follows the room through everything."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.heard: list[tuple[int, str]] = []

    async def run(self) -> None:
        with contextlib.suppress(Ended):
            async for entry in self.client.entries():
                self.heard.append((entry["seq"], entry.get("text", "")))


def _make_community(hubchat: Program) -> tuple[str, int]:
    """A member's token, and a room of theirs."""
    hubchat.tell("user", "add", "ana", "--email", "ana@example.org", "--role", "member")
    room = hubchat.tell("group", "add", "room", "--title", "A room", "--visibility", "public", "--owner", "ana")
    return hubchat.tell("token", "ana"), int(room)


async def test_what_was_acknowledged_survives_kill_9_and_readers_miss_and_double_nothing(
    database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    settings = dict.fromkeys(("COMMANDS_PER_10S", "CONNECTIONS_PER_MEMBER", "CONNECTIONS_PER_ADDRESS"), "0")
    hubchat = Program(
        tmp_path / "data",
        {"HUBCHAT_DATABASE_URL": database_url} | {f"HUBCHAT_{name}": value for name, value in settings.items()},
    )
    token, room = await asyncio.to_thread(_make_community, hubchat)
    async with contextlib.AsyncExitStack() as stack:
        server = stack.enter_context(contextlib.ExitStack())
        running = await asyncio.to_thread(server.enter_context, hubchat.serving(port=port))
        clients = [await stack.enter_async_context(Client(running.url, token)) for _ in range(SENDERS)]
        senders = [Sender(client, room, f"sender {n}") for n, client in enumerate(clients)]
        guests = [await stack.enter_async_context(Client(running.url)) for _ in range(3)]
        listeners = [Listener(client) for client in guests]
        starts = [(await listener.client.subscribe(room))["head"] for listener in listeners]
        tasks = [asyncio.create_task(sender.run()) for sender in senders]
        tasks += [asyncio.create_task(listener.run()) for listener in listeners]
        for _ in range(KILLS):
            await asyncio.sleep(0.7)
            before = sum(len(sender.acknowledged) for sender in senders)
            running.process.send_signal(signal.SIGKILL)
            server.pop_all().close()
            running = await asyncio.to_thread(server.enter_context, hubchat.serving(port=port))
            async with asyncio.timeout(40):
                while sum(len(sender.acknowledged) for sender in senders) < before + 5 * SENDERS:
                    await asyncio.sleep(0.05)
        for sender in senders:
            sender.enough = True
        async with asyncio.timeout(40):
            await asyncio.gather(*tasks[:SENDERS])
        stored = await _history(guests[0], room)
        async with asyncio.timeout(40):
            while any(not listener.heard or listener.heard[-1][0] < max(stored) for listener in listeners):
                await asyncio.sleep(0.05)
    for sender in senders:
        assert {seq: stored.get(seq) for seq in sender.acknowledged} == sender.acknowledged
    assert len(set(stored.values())) == len(stored), "a message that was sent again after a kill is stored once"
    for start, listener in zip(starts, listeners, strict=True):
        assert listener.heard == [(seq, text) for seq, text in sorted(stored.items()) if seq > start]


async def _history(client: Client, room: int) -> dict[int, str]:
    """Every message of the room, by seq."""
    stored: dict[int, str] = {}
    after, more = 0, True
    while more:
        page = await client.command("history", channel=room, after=after, limit=200)
        stored |= {entry["seq"]: entry["text"] for entry in page["entries"] if entry["kind"] == "message"}
        after, more = (page["entries"] or [{"seq": after}])[-1]["seq"], page["more"]
    return stored
