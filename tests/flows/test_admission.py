"""Who may open a live connection, as what, and how it ends when the sign-in does."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from hubchat.actions import tokens
from hubchat.storage.database import now_ms
from tests.flows.live import Live
from tests.lines import Gate
from tests.serving import Served

SPOKEN = [Subprotocol("hubchat.v1.json")]


@asynccontextmanager
async def opened(hub: Served, **headers: str) -> AsyncIterator[ClientConnection]:
    async with connect(
        f"ws://127.0.0.1:{hub.port}/live", subprotocols=SPOKEN, additional_headers=headers, proxy=None
    ) as socket:
        yield socket


async def refused(hub: Served, **headers: str) -> tuple[int, str]:
    """The status and the reason of a refusal."""
    with pytest.raises(InvalidStatus) as found:
        async with opened(hub, **headers):
            pass
    return found.value.response.status_code, json.loads(found.value.response.body)["error"]["reason"]


async def cookie_of(hub: Served, handle: str) -> str:
    browser = await hub.member(handle)
    return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


async def test_a_cookie_needs_our_origin_and_a_token_none(hub: Served) -> None:
    cookie = await cookie_of(hub, "ana")
    async with opened(hub, Cookie=cookie, Origin=hub.url) as socket:
        assert json.loads(await socket.recv())["welcome"]["user"]["handle"] == "ana"
    assert await refused(hub, Cookie=cookie) == (403, "origin_foreign")
    assert await refused(hub, Cookie=cookie, Origin="https://elsewhere.example") == (403, "origin_foreign")
    assert await refused(hub, Origin="https://elsewhere.example") == (403, "origin_foreign")
    ana = await hub.community.member("ann")
    token, _ = await tokens.make_token(hub.node, ana.account_id, "t")
    async with opened(hub, Authorization=f"Bearer {token}", Cookie=cookie) as socket:
        assert json.loads(await socket.recv())["welcome"]["user"]["handle"] == "ann"  # the token wins


async def test_what_is_not_valid_is_401_and_never_a_guest(hub: Served) -> None:
    async with opened(hub) as socket:
        assert json.loads(await socket.recv())["welcome"]["user"] is None  # the premise: guests are welcome
    assert await refused(hub, Authorization="Bearer hct_nonsense") == (401, "sign_in_ended")
    assert await refused(hub, Authorization="Basic YTpi") == (401, "sign_in_ended")
    assert await refused(hub, Cookie=f"hubchat_{hub.port}=nonsense", Origin=hub.url) == (401, "sign_in_ended")


async def test_a_foreign_host_is_421_and_a_token_without_read_is_403(hub: Served) -> None:
    with pytest.raises(InvalidStatus) as found:
        await connect("ws://elsewhere.example/live", host="127.0.0.1", port=hub.port, subprotocols=SPOKEN, proxy=None)
    assert found.value.response.status_code == 421
    assert await refused(hub, Host="elsewhere.example") == (421, "host_foreign")  # a second one beside ours
    ana = await hub.community.member("ana")
    token, _ = await tokens.make_token(hub.node, ana.account_id, "t", ["groups"])
    assert await refused(hub, Authorization=f"Bearer {token}") == (403, "scope_missing")


async def test_a_hub_for_members_only_refuses_guests(hub: Served) -> None:
    hub.node.house.now = hub.node.house.now.model_copy(update={"guests": False})
    assert await refused(hub) == (401, "members_only")


async def test_a_member_and_an_address_have_only_so_many_connections(hub: Served) -> None:
    hub.node.settings = hub.node.settings.model_copy(update={"connections_per_member": 1, "connections_per_address": 3})
    ana, ben = await hub.community.members("ana", "ben")
    ana_token, _ = await tokens.make_token(hub.node, ana.account_id, "t")
    ben_token, _ = await tokens.make_token(hub.node, ben.account_id, "t")
    async with opened(hub, Authorization=f"Bearer {ana_token}"):
        assert await refused(hub, Authorization=f"Bearer {ana_token}") == (429, "too_many_connections")
        async with opened(hub, Authorization=f"Bearer {ben_token}"), opened(hub):
            assert await refused(hub) == (429, "too_many_connections")
    async with asyncio.timeout(10):
        while hub.node.hub.accounts:
            await asyncio.sleep(0.01)
    async with opened(hub, Authorization=f"Bearer {ana_token}") as socket:  # who left makes room
        assert "welcome" in json.loads(await socket.recv())


async def test_signing_out_closes_that_browsers_connection_with_4001_and_no_other(hub: Served) -> None:
    here = await hub.member("ana")
    there = await hub.sign_in("ana")
    cookies = ["; ".join(f"{n}={v}" for n, v in browser.cookies.items()) for browser in (here, there)]
    async with (
        opened(hub, Cookie=cookies[0], Origin=hub.url) as one,
        opened(hub, Cookie=cookies[1], Origin=hub.url) as other,
    ):
        ending, going_on = Live(one, "json"), Live(other, "json")
        await going_on.until(lambda m: "welcome" in m)
        assert (await here.delete("session")).status_code == 204
        assert await ending.closed() == 4001
        assert ending.heard[-1]["bye"] == {"code": 4001, "reason": "sign_in_ended"}
        assert "time" in await going_on.do("ping")
    assert await refused(hub, Cookie=cookies[0], Origin=hub.url) == (401, "sign_in_ended")


async def test_a_token_that_runs_out_closes_its_connection(hub: Served) -> None:
    ana = await hub.community.member("ana")
    token, _ = await tokens.make_token(hub.node, ana.account_id, "t", expires_at=now_ms() + 2_000)
    async with opened(hub, Authorization=f"Bearer {token}") as socket:
        live = Live(socket, "json")
        assert "time" in await live.do("ping")
        assert await live.closed() == 4001
    assert await refused(hub, Authorization=f"Bearer {token}") == (401, "sign_in_ended")


async def test_a_token_that_ends_while_it_is_let_in_lets_nobody_in(hub: Served) -> None:
    ana = await hub.community.member("ana")
    token, row = await tokens.make_token(hub.node, ana.account_id, "t")
    gate = Gate(hub.node.callers.get, answer_late=True)
    hub.node.callers.get = gate  # type: ignore[method-assign]
    opening = asyncio.create_task(_welcome_and_end(hub, token))
    await gate.arrived.wait()
    await tokens.end_token(hub.node, ana, row.id)
    gate.open()
    assert await opening == 4001


async def _welcome_and_end(hub: Served, token: str) -> int:
    async with opened(hub, Authorization=f"Bearer {token}") as socket:
        return await Live(socket, "json").closed()
