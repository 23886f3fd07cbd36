"""How people come into the hub, and how what they hold ends, live connections included."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from hubchat.actions import invites, links
from hubchat.actions.operator import act_as
from tests.flows.live import Live
from tests.serving import PASSWORD, Served

OTHER = "quiet-lakes-in-winter"
Connect = Callable[[httpx2.AsyncClient], Awaitable[Live]]


@pytest.fixture
async def at(hub: Served) -> AsyncIterator[Connect]:
    """Opens the live connection of a browser or program, with what it holds: cookie and Origin, or token."""
    async with AsyncExitStack() as stack:

        async def open_live(client: httpx2.AsyncClient) -> Live:
            cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
            headers = {name: client.headers[name] for name in ("Origin", "Authorization") if name in client.headers}
            if cookies:
                headers["Cookie"] = cookies
            socket = await stack.enter_async_context(
                connect(
                    f"ws://127.0.0.1:{hub.port}/live",
                    subprotocols=[Subprotocol("hubchat.v1.json")],
                    additional_headers=headers,
                    proxy=None,
                )
            )
            made = Live(socket, "json")
            await made.until(lambda message: "welcome" in message)
            return made

        yield open_live


async def test_somebody_signs_up_is_live_at_once_and_is_cut_off_by_signing_out(hub: Served, at: Connect) -> None:
    ana = await hub.member("ana")
    me = (await ana.get("me")).json()
    here = await at(ana)
    welcome = here.heard[0]["welcome"]
    assert welcome["user"] == {name: me[name] for name in ("id", "handle", "name", "role", "inbox")}
    assert (await here.do("subscribe", channel=me["inbox"]))["head"] == 0
    await ana.delete("session")
    assert await here.closed() == 4001


async def test_somebody_invited_signs_up_into_the_group_and_reads_it_at_once(hub: Served, at: Connect) -> None:
    olga = await hub.member("olga")
    owner = await act_as(hub.node, "olga")
    room = await hub.community.group(owner, "closed")
    link = await invites.make_link(hub.node, owner, room)
    ana = await hub.member("ana", invite=link.code)
    here = await at(ana)
    await here.do("subscribe", channel=room)
    sent = await (await at(olga)).do("send", channel=room, nonce="1", text="Welcome, Ana")
    assert (await here.entry(room, seq=sent["seq"]))["text"] == "Welcome, Ana"


async def test_a_password_change_closes_the_others_and_leaves_this_one(hub: Served, at: Connect) -> None:
    laptop = await hub.member("ana")
    phone = await hub.sign_in("ana")
    at_laptop, at_phone = await at(laptop), await at(phone)
    assert (await laptop.post("me/password", json={"old": PASSWORD, "password": OTHER})).status_code == 204
    assert await at_phone.closed() == 4001
    bye = next(message["bye"] for message in at_phone.heard if "bye" in message)
    assert bye["code"] == 4001
    assert "time" in await at_laptop.do("ping")
    with pytest.raises(InvalidStatus) as refused:
        await at(phone)
    assert refused.value.response.status_code == 401


async def test_ending_a_session_or_a_token_closes_what_it_opened_and_nothing_else(hub: Served, at: Connect) -> None:
    ana = await hub.member("ana")
    phone = await hub.sign_in("ana")
    made = (await ana.post("me/tokens", json={"name": "a bot"})).json()
    bot = await hub.client(Authorization=f"Bearer {made['token']}")
    at_ana, at_phone, at_bot = await at(ana), await at(phone), await at(bot)
    mine = (await ana.get("me/sessions")).json()["items"]
    other = next(item["id"] for item in mine if not item["current"])
    await ana.delete(f"me/sessions/{other}")
    assert await at_phone.closed() == 4001
    assert "time" in await at_bot.do("ping")
    await ana.delete(f"me/tokens/{made['id']}")
    assert await at_bot.closed() == 4001
    assert "time" in await at_ana.do("ping")


async def test_signing_in_again_in_a_browser_ends_what_it_held_before(hub: Served, at: Connect) -> None:
    ana = await hub.member("ana")
    before = await at(ana)
    await ana.post("session", json={"login": "ana", "password": PASSWORD})
    assert await before.closed() == 4001
    assert "time" in await (await at(ana)).do("ping")


async def test_who_lost_a_password_comes_back_by_a_code_and_whoever_had_it_is_out(hub: Served, at: Connect) -> None:
    browser = await hub.browser()
    form = {"handle": "ana", "name": "Ana", "password": PASSWORD, "agreed": True}
    codes = (await browser.post("signup", json=form)).json()["recovery_codes"]
    thief = await at(await hub.sign_in("ana"))
    lost = await hub.browser()
    answer = await lost.post("session/recover", json={"login": "ana", "recovery_code": codes[0], "password": OTHER})
    assert answer.status_code == 200
    assert await thief.closed() == 4001
    assert "time" in await (await at(lost)).do("ping")


async def test_who_lost_everything_comes_back_by_the_operators_link(hub: Served, at: Connect) -> None:
    ana = await hub.member("ana")
    account_id = (await act_as(hub.node, "ana")).account_id
    link = await links.sign_in_link(hub.node, hub.port, account_id)
    new = await hub.browser()
    assert (await new.post("session/link", json={"code": link.partition("#")[2]})).status_code == 200
    old = await at(ana)
    assert (await new.post("me/password", json={"password": OTHER})).status_code == 204
    assert await old.closed() == 4001
    await hub.sign_in("ana", OTHER)
