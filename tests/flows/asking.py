"""Somebody's program in a story: it asks over HTTP and expects either an answer or a named refusal."""

from typing import Any

import httpx2

from hubchat.access import USUAL_SCOPES, Scope
from hubchat.actions.tokens import make_token
from hubchat.storage.sessions import Caller
from tests.serving import Served


class Asker:
    """A member's program, or a guest's (without `who`)."""

    def __init__(self, client: httpx2.AsyncClient, who: Caller | None) -> None:
        self.client = client
        self._who = who

    @property
    def who(self) -> Caller:
        assert self._who is not None, "a guest is nobody"
        return self._who

    @property
    def id(self) -> int:
        return self.who.persona_id

    @property
    def handle(self) -> str:
        return self.who.handle

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        """Whatever comes back."""
        return await self.client.request(method, path, json=body, headers=headers)

    async def get(self, path: str) -> Any:
        return await self._answer("GET", path)

    async def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return await self._answer("POST", path, body, **headers)

    async def put(self, path: str, body: Any = None) -> Any:
        return await self._answer("PUT", path, body)

    async def patch(self, path: str, body: Any, **headers: str) -> Any:
        return await self._answer("PATCH", path, body, **headers)

    async def delete(self, path: str) -> Any:
        return await self._answer("DELETE", path)

    async def refused(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
        """The status and reason of a refusal."""
        answer = await self.ask(method, path, body, **headers)
        assert answer.status_code >= 400, answer.text
        return answer.status_code, answer.json()["error"]["reason"]

    async def _answer(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = await self.ask(method, path, body, **headers)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


async def asker(hub: Served, who: Caller, *scopes: Scope) -> Asker:
    """The program of a member, by a token with these scopes."""
    token, _ = await make_token(hub.node, who.account_id, "story", scopes or USUAL_SCOPES)
    return Asker(await hub.client(Authorization=f"Bearer {token}"), who)


async def askers(hub: Served, *handles: str) -> list[Asker]:
    """New members with their programs."""
    return [await asker(hub, await hub.community.member(handle)) for handle in handles]


async def guest(hub: Served) -> Asker:
    return Asker(await hub.client(), None)
