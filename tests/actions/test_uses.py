"""When a sign-in was last used is kept to the hour, and nobody waits for it."""

import asyncio

from hubchat.actions.sessions import USED_EVERY_MS, identify
from hubchat.storage.database import Connection, now_ms
from hubchat.storage.sessions import hash_secret, insert_session, read_sessions
from tests.community import Community
from tests.lines import WAIT_S, Gate

SESSIONS = 50


async def _sessions(hub: Community, used_at: int) -> tuple[int, list[str]]:
    """An account that signed in on many devices, all last used then; and the secrets of its cookies."""
    ana = await hub.member("ana")
    secrets = [f"secret {n}" for n in range(SESSIONS)]

    def begin(connection: Connection) -> None:
        for secret in secrets:
            insert_session(connection, ana.account_id, hash_secret(secret), None, used_at)

    await hub.node.database.write(begin)
    return ana.account_id, secrets


async def _used(hub: Community, account_id: int) -> list[int]:
    """When each of them was used last (ms), the latest first."""
    return [row.used_at for row in await hub.read(lambda connection: read_sessions(connection, account_id, now_ms()))]


async def test_in_the_morning_all_are_let_in_at_once_and_their_uses_are_kept_together(hub: Community) -> None:
    long_ago = now_ms() - USED_EVERY_MS - 60_000
    account_id, secrets = await _sessions(hub, long_ago)
    hub.node.database.write = gate = Gate(hub.node.database.write)  # type: ignore[method-assign]
    async with asyncio.timeout(WAIT_S):
        callers = await asyncio.gather(*(identify(hub.node, "session", secret) for secret in secrets))
        assert {caller.account_id for caller in callers} == {account_id}
        await gate.arrived.wait()
        assert await _used(hub, account_id) == [long_ago] * SESSIONS, "nothing could be written yet"
        gate.open()
        while long_ago in await _used(hub, account_id):
            await asyncio.sleep(0.02)


async def test_within_an_hour_a_use_is_not_written_again(hub: Community) -> None:
    just_now = now_ms() - USED_EVERY_MS + 60_000
    account_id, secrets = await _sessions(hub, just_now)
    await asyncio.gather(*(identify(hub.node, "session", secret) for secret in secrets))
    await hub.node.uses.close()  # stores what waits
    assert await _used(hub, account_id) == [just_now] * SESSIONS


async def test_a_use_that_waits_when_the_hub_stops_is_kept(hub: Community) -> None:
    long_ago = now_ms() - USED_EVERY_MS - 60_000
    account_id, secrets = await _sessions(hub, long_ago)
    await identify(hub.node, "session", secrets[0])
    await hub.node.uses.close()
    assert [used_at > long_ago for used_at in await _used(hub, account_id)] == [True] + [False] * (SESSIONS - 1)
