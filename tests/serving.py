"""A hub that serves: a real node behind real sockets, and browsers that talk to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

from hubchat import settings
from hubchat.app import make_app
from hubchat.gateway.protocol import HttpEdge, Link
from hubchat.node import Node, open_node
from hubchat.server import listen
from tests.community import Community

CHEAP = {"argon2_memory_kib": 8, "argon2_passes": 1}  # what is tested is when a hash is made, not how hard it is
PASSWORD = "seven-otters-in-the-rain"


class Served:
    """A hub on a free port of loopback. Browsers and programs that it makes are closed with it."""

    def __init__(self, node: Node, port: int, stack: AsyncExitStack) -> None:
        self.node = node
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.community = Community(node)
        self._stack = stack

    async def browser(self, **headers: str) -> httpx2.AsyncClient:
        """A browser on the hub's own page: it keeps cookies and says its Origin."""
        return await self.client(Origin=self.url, **headers)

    async def client(self, **headers: str) -> httpx2.AsyncClient:
        """A program."""
        made = httpx2.AsyncClient(base_url=f"{self.url}/api/v1/", headers=headers, timeout=20)
        return await self._stack.enter_async_context(made)

    async def member(self, handle: str, **more: Any) -> httpx2.AsyncClient:
        """The browser of somebody who has just signed up."""
        browser = await self.browser()
        form = {"handle": handle, "name": handle.title(), "password": PASSWORD, "agreed": True, **more}
        answer = await browser.post("signup", json=form)
        assert answer.status_code == 201, answer.text
        return browser

    async def sign_in(self, handle: str, password: str = PASSWORD) -> httpx2.AsyncClient:
        """Another browser of theirs."""
        browser = await self.browser()
        answer = await browser.post("session", json={"login": handle, "password": password})
        assert answer.status_code == 200, answer.text
        return browser


@asynccontextmanager
async def serve(database_url: str | None, folder: Path, **given: Any) -> AsyncIterator[Served]:
    """A running hub with these settings."""
    chosen = settings.load(**{"data": folder, "database_url": database_url, "port": 0, **CHEAP, **given})
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(open_node(chosen))
        listener = stack.enter_context(listen("127.0.0.1", 0)[0])
        proxies = chosen.trusted_proxies
        config = uvicorn.Config(
            make_app(lambda: nullcontext(node)), http=HttpEdge, ws=Link, lifespan="on", log_config=None,
            access_log=False, proxy_headers=bool(proxies), forwarded_allow_ips=proxies, timeout_graceful_shutdown=1,
        )  # fmt: skip
        server = uvicorn.Server(config)
        running = asyncio.create_task(server._serve([listener]))  # `serve` would take the process's signals
        stack.push_async_callback(_stop, server, running)
        while not server.started:
            assert not running.done(), "the server did not start"
            await asyncio.sleep(0.005)
        yield Served(node, listener.getsockname()[1], stack)


async def _stop(server: uvicorn.Server, running: "asyncio.Task[None]") -> None:
    server.should_exit = True
    await running
