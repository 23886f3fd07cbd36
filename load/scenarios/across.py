"""How soon what one node knows is true on another: a right that was lost, and who came or went."""

import asyncio
import random
import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from statistics import median
from typing import Any

import httpx2

from load.compiler import CannotMeasureError
from load.hub import Homes
from load.plan import Note, Plan, Reading
from load.servers import Server
from tests.blackbox.client import Client
from tests.redis_servers import RedisServer

NOTICED_S = 5.0  # in which both nodes have seen that Redis hangs
PICKS: dict[str, Callable[[list[float]], float]] = {"p50": median, "max": max}


def across(plan: Plan, note: Note, homes: Homes) -> None:
    """Two nodes on PostgreSQL with nobody else there, and between them a Redis that works, or one that hangs: then it
    is told nowhere who comes and goes elsewhere, and rights alone are watched."""
    home = homes.postgres
    for turn in range(plan.rounds):
        for peer, hangs in (("hubchat", False), ("hubchat-redis-hung", True)):
            with RedisServer() as redis, home.nodes(2, redis.url) as (one, other):
                seen = asyncio.run(_measure(one, other, home.tokens, plan.crossings, redis if hangs else None))
            values = {
                f"{what}_{name}_ms": pick(all_s) * 1_000 for what, all_s in seen.items() for name, pick in PICKS.items()
            }
            note(Reading("across", peer, turn, values=values))


async def _measure(
    one: Server, other: Server, tokens: list[str], times: int, hung: RedisServer | None
) -> dict[str, list[float]]:
    """Ana is at one node, Ben at the other. She sees who comes to a group that both are in, and takes him out of a
    second one, by HTTP at her node. In s from his connection, her request or his close to the word at the other node.
    """
    async with AsyncExitStack() as stack:
        ana, ben = ({"Authorization": f"Bearer {token}"} for token in tokens[:2])
        hers, his = [
            await stack.enter_async_context(httpx2.AsyncClient(base_url=f"{_url(node)}/api/v1/", headers=who))
            for node, who in ((one, ana), (other, ben))
        ]
        me = await _ask(his, "GET", "me")
        together, closed = [await _closed_group(hers) for _ in range(2)]
        for group in (together, closed):
            await _let_in(hers, his, group, me["handle"])
        at_ana = await stack.enter_async_context(Client(_url(one), ana))
        await at_ana.do("watch", people=[me["id"]])
        if hung is not None:
            hung.hang()
            stack.callback(hung.go_on)
            await asyncio.sleep(NOTICED_S)
        seen: dict[str, list[float]] = {"revoked": []} if hung else {"came": [], "revoked": [], "went": []}
        for _ in range(times):
            at_ana.heard.clear()
            await _sometime()
            began_s = time.perf_counter()
            async with Client(_url(other), ben) as at_ben:
                if hung is None:
                    await at_ana.until(lambda: _state(at_ana, me["id"]) == "online")
                    seen["came"].append(time.perf_counter() - began_s)
                await at_ben.subscribe(closed)
                await _sometime()
                began_s = time.perf_counter()
                await _ask(hers, "DELETE", f"groups/{closed}/members/{me['handle']}")
                await at_ben.until(lambda: any("revoked" in frame for frame in at_ben.heard))
                seen["revoked"].append(time.perf_counter() - began_s)
                await _let_in(hers, his, closed, me["handle"])
                began_s = time.perf_counter()
            if hung is None:
                await at_ana.until(lambda: _state(at_ana, me["id"]) == "offline")
                seen["went"].append(time.perf_counter() - began_s)
        return seen


async def _sometime() -> None:
    """So that what is asked meets the nodes' rounds, of half a second and of one, at any point of theirs."""
    await asyncio.sleep(random.random())


async def _closed_group(http: httpx2.AsyncClient) -> int:
    form = {"slug": f"across-{secrets.token_hex(4)}", "title": "Across", "visibility": "closed"}
    return int((await _ask(http, "POST", "groups", form))["id"])


async def _let_in(hers: httpx2.AsyncClient, his: httpx2.AsyncClient, group: int, handle: str) -> None:
    await _ask(his, "POST", f"groups/{group}/join", {})
    await _ask(hers, "POST", f"groups/{group}/requests/{handle}", {"decision": "approve"})


def _state(line: Client, person: int) -> str | None:
    """What was last said of somebody."""
    told = [frame["people"] for frame in line.heard if frame.get("signal") == "presence"]
    states = [people[str(person)] for people in told if str(person) in people]
    return states[-1] if states else None


async def _ask(http: httpx2.AsyncClient, method: str, path: str, form: dict[str, Any] | None = None) -> Any:
    """Any: JSON."""
    answer = await http.request(method, path, json=form)
    if answer.is_error:
        raise CannotMeasureError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
    return answer.json() if answer.content else None


def _url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"
