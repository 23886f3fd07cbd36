"""A hub that runs, as those who use it from outside have it: people with a browser or a token, and what they make."""

import itertools
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

import httpx2
import pytest

from tests.blackbox.client import Dialect
from tests.blackbox.line import Line
from tests.blackbox.shapes import check_fault
from tests.program import Program, Running

PASSWORD: Final = "seven-otters-in-the-rain"
DIALECTS: Final[tuple[Dialect, ...]] = ("msgpack", "json")
ON_BOTH: Final = pytest.mark.parametrize("program", ["sqlite", "postgresql"], indirect=True, scope="module")
_numbers = itertools.count(1)


def new_name(stem: str) -> str:
    """A handle or an address that nothing else here has."""
    return f"{stem}-{next(_numbers)}"


class Person:
    """Somebody at the hub: a guest, a member with a browser, or a member's program."""

    def __init__(self, hub: "Hub", http: httpx2.AsyncClient, dialect: Dialect) -> None:
        self.hub, self.http, self.dialect = hub, http, dialect
        self.handle, self.id, self.inbox = "", 0, 0
        self.codes: list[str] = []

    async def ask(self, method: str, path: str, status: int = 200, json: Any = None, **more: Any) -> Any:
        """The body of an answer that has this status."""
        answer = await self.http.request(method, path, json=json, **more)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def get(self, path: str, status: int = 200, **more: Any) -> Any:
        return await self.ask("GET", path, status, **more)

    async def post(self, path: str, json: Any = None, status: int = 200, **more: Any) -> Any:
        return await self.ask("POST", path, status, {} if json is None else json, **more)

    async def put(self, path: str, json: Any = None, status: int = 204, **more: Any) -> Any:
        return await self.ask("PUT", path, status, json, **more)

    async def patch(self, path: str, json: Any, status: int = 200, **more: Any) -> Any:
        return await self.ask("PATCH", path, status, json, **more)

    async def delete(self, path: str, status: int = 204, **more: Any) -> Any:
        return await self.ask("DELETE", path, status, **more)

    async def refused(self, method: str, path: str, status: int, json: Any = None, **more: Any) -> str:
        """The reason of a refusal."""
        return (await self.ask(method, path, status, json, **more))["error"]["reason"]  # type: ignore[no-any-return]

    @property
    def headers(self) -> dict[str, str]:
        """What tells the hub who it is, for a live connection."""
        told = {name: self.http.headers[name] for name in ("Origin", "Authorization") if name in self.http.headers}
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.http.cookies.jar)
        return {**told, "Cookie": cookies} if cookies else told

    async def live(self, *channels: int, dialect: Dialect | None = None, **options: Any) -> Line:
        """A live connection, closed with the hub; it follows these channels from their heads."""
        line = Line(self.hub.url, self.headers, dialect or self.dialect, **options)
        await self.hub.stack.enter_async_context(line)
        for channel in channels:
            await line.subscribe(channel)
        return line

    async def say(self, channel: int, text: str = "hello", **fields: Any) -> int:
        """Writes over HTTP; gives the seq."""
        made = await self.post(f"channels/{channel}/messages", {"text": text, **fields}, 201)
        return made["seq"]  # type: ignore[no-any-return]


class Hub:
    """The hub, and those whom a test has there. What they open is closed with the test."""

    def __init__(self, program: Program, running: Running, stack: AsyncExitStack) -> None:
        self.program, self.running, self.stack = program, running, stack
        self.url = running.url
        self._dialects = itertools.cycle(DIALECTS)

    async def somebody(self, headers: Mapping[str, str] | None = None, **options: Any) -> Person:
        """A guest, or whom the headers name."""
        http = httpx2.AsyncClient(
            base_url=f"{self.url}/api/v1/", headers=headers or {}, timeout=20, trust_env=False,
            event_hooks={"response": [_check]}, **options,
        )  # fmt: skip
        return Person(self, await self.stack.enter_async_context(http), next(self._dialects))

    async def browser(self) -> Person:
        """Somebody at the hub's own page, not signed in."""
        return await self.somebody({"Origin": self.url})

    async def member(self, stem: str = "anna", **more: Any) -> Person:
        """Somebody who has just signed up."""
        person = await self.browser()
        person.handle = new_name(stem)
        form = {"handle": person.handle, "name": stem.title(), "password": PASSWORD, "agreed": True, **more}
        made = await person.post("signup", form, 201)
        person.id, person.inbox, person.codes = made["me"]["id"], made["me"]["inbox"], made["recovery_codes"]
        return person

    async def members(self, *stems: str) -> list[Person]:
        return [await self.member(stem) for stem in stems]

    async def bearer(self, token: str) -> Person:
        """A program with a token."""
        return await self.somebody({"Authorization": f"Bearer {token}"})

    async def group(self, owner: Person, visibility: str, *others: Person, **more: Any) -> int:
        """A new group, with others in it whatever its door."""
        slug = {} if visibility == "secret" else {"slug": new_name("group")}
        made = await owner.post("groups", {"title": "A group", "visibility": visibility, **slug, **more}, 201)
        group: int = made["id"]
        for other in others:
            await self.let_in(owner, group, other, visibility)
        return group

    async def let_in(self, owner: Person, group: int, other: Person, visibility: str) -> None:
        if visibility == "secret":
            await owner.post(f"groups/{group}/invites", {"handle": other.handle}, 201)
        state = (await other.post(f"groups/{group}/join"))["state"]
        if state == "requested":
            await owner.post(f"groups/{group}/requests/{other.handle}", {"decision": "approve"}, 204)


async def _check(answer: httpx2.Response) -> None:
    """JSON and never a page; a refusal has its shape."""
    await answer.aread()
    if answer.content:
        assert answer.headers["content-type"].split(";")[0] == "application/json", answer.headers
    if answer.status_code >= 400:
        check_fault(answer.status_code, answer.headers, answer.json())
