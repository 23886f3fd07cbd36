"""What operators see holds nothing of anybody (law 8): every route and every live verb is asked with marked values.

Routes and verbs are taken from their tables, so that a new one is asked as well.
"""

import logging
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import fields
from typing import Any, get_args

import httpx2
import pytest
from pydantic import BaseModel

from hubchat import wire
from hubchat.actions.tokens import make_token
from hubchat.api import demo
from hubchat.api.endpoint import Endpoint
from hubchat.api.forms import Nothing, Query
from hubchat.app import API, TABLES
from hubchat.storage.sessions import hash_secret
from hubchat.traces import Step, Traces
from tests.flows.live import live
from tests.serving import Served, serve

MARK = "zqmarked"
NOT_OURS = ("httpx2", "httpcore2", "websockets.client")  # loggers of who asks
OTHERS = ("/api/docs", "/api/v1/openapi.json", "/healthz", "/readyz", "/metrics", "/robots.txt", "/", "/live")
OF_OTHER_KINDS = {"id", "media", "before", "after", "around", "limit"}
ROWS = [row for table in (*TABLES, demo.ROUTES) for row in table]


class Everything(logging.Handler):
    """All that is logged, by anybody, at any level: as written, and whatever hangs on it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name in NOT_OURS:
            return
        kept = {name: value for name, value in vars(record).items() if name != "exc_info"}
        self.said.append(f"{record.getMessage()} {kept} {record.exc_text or ''}")


class Spans:
    """Takes the spans that would go to a collector."""

    dropped = 0

    def __init__(self) -> None:
        self.said: list[str] = []

    def add(self, step: Step) -> None:
        self.said.append(str(step))

    def close(self) -> None: ...


@pytest.fixture
def logged() -> Iterator[Everything]:
    handler, root, ours = Everything(), logging.getLogger(), logging.getLogger("hubchat")
    levels = (root.level, ours.level)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    ours.setLevel(logging.DEBUG)
    for name in NOT_OURS:
        logging.getLogger(name).setLevel(logging.WARNING)
    yield handler
    root.removeHandler(handler)
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.fixture
async def hub(database_url: str, tmp_path: Any) -> AsyncIterator[Served]:
    async with serve(database_url, tmp_path) as served:
        yield served


def value_of(kind: Any, ids: dict[str, int]) -> Any:
    """A marked value of a form's field, or one that is of its type at least."""
    told = str(kind)
    if "Literal" in told:
        options = get_args(kind)
        return next((one for one in options if isinstance(one, str) and one), None) or value_of(options[0], ids)
    if "bool" in told:
        return True
    if "list" in told:
        return [MARK]
    if "datetime" in told:
        return "2030-01-01T00:00:00Z"
    if "str" in told:
        return MARK
    return ids["room"]


def bodies(form: type[BaseModel], ids: dict[str, int]) -> list[Any]:
    """What fits, what does not, and what is no form at all; each marked."""
    whole = {name: value_of(field.annotation, ids) for name, field in form.model_fields.items()}
    needed = {name: whole[name] for name, field in form.model_fields.items() if field.is_required()}
    wrong = {name: {MARK: [MARK]} for name in whole}
    return [whole, needed, wrong, [MARK]]


async def ask(http: httpx2.AsyncClient, row: Endpoint, ids: dict[str, int], *, much: bool = True) -> list[str]:
    """Asks a route in some ways, and gives what refusals said."""
    refusals = []
    for name in (MARK, str(ids["room"])) if much else (MARK,):
        path = re.sub(r"{(\w+)}", lambda place, name=name: str(ids.get(place[1], name)), row.path)  # type: ignore[misc]
        query = dict.fromkeys(row.takes.model_fields, MARK) if issubclass(row.takes, Query) else {"q": MARK}
        given: list[dict[str, Any]] = [{"params": query}]
        if row.method != "GET" and row.takes is not Nothing:
            given = [{"params": query, "json": body} for body in bodies(row.takes, ids)[: 3 if much else 1]]
            given.append({"content": f"{{{MARK}".encode()})
        for more in given:
            answer = await http.request(row.method, API + path, headers={"X-Marked": MARK}, **more)
            if answer.status_code >= 400:
                refusals.append(answer.text)
    return refusals


async def seen_by_operators(hub: Served) -> str:
    return (await (await hub.client()).get(f"{hub.url}/metrics")).text


async def test_no_route_and_no_verb_tells_operators_anything_of_anybody(
    hub: Served, logged: Everything, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = Spans()
    hub.node.traces = hub.node.hub.traces = Traces(spans, 1.0, hub.node.hub.log_id)
    ana, ben = await hub.community.members(f"{MARK}-ana", "ben")
    room = await hub.community.group(ana, "public", ben)
    seq = await hub.community.say(ana, room, f"{MARK} words @ben")
    ids = {"room": room, "seq": seq}
    token, _ = await make_token(hub.node, ana.account_id, MARK, ("read", "write", "groups", "account"))
    askers = {
        "a member": await hub.client(Authorization=f"Bearer {token}"),
        "a guest": await hub.browser(),
        "a stranger's token": await hub.client(Authorization=f"Bearer {MARK}"),
        "a stranger's cookie": await hub.browser(Cookie=f"hubchat_{hub.port}={MARK}; {MARK}={MARK}"),
        "somebody at another address": await hub.client(Host=f"{MARK}.example.org"),
    }
    told: list[str] = []
    for name, http in askers.items():
        http.base_url = hub.url
        for row in ROWS if name in ("a member", "a guest") else ROWS[::9]:  # those are turned away before it
            if row.path in ("/me",) and row.method == "DELETE":
                continue  # needs a password; tests/api/test_erasing.py asks it, and the next test fails in it
            told += await ask(http, row, ids, much=name == "a member")
        for path in OTHERS:
            await http.get(f"{path}?{MARK}={MARK}", headers={"Referer": MARK, "User-Agent": MARK})
    typed = {"channel": room, "seq": seq, "on": True, "ids": [seq], "people": [seq], "reply_to": seq}
    async with live(hub.node, hub.port, ana) as at_ana, live(hub.node, hub.port) as guest:
        for connection in (at_ana, guest):
            for verb, command in wire.VERBS.items():
                names = {field.name for field in fields(command)} - OF_OTHER_KINDS
                whole: dict[str, Any] = {name: typed.get(name, MARK) for name in names}
                for given in (whole, {**whole, "channel": MARK}, {"channel": MARK}, {**whole, "reply_to": MARK}):
                    reply = await connection.do(verb, **given)
                    if "code" in reply:
                        told.append(str(reply))
            await connection.say([MARK])
            await connection.raw(f"{{{MARK}".encode())
            await connection.do(MARK)
    assert len(told) > 3 * len(ROWS), "they were asked"
    assert len(logged.said) > len(ROWS)
    assert len(spans.said) > len(ROWS)
    for kind, said in (
        ("logs", logged.said), ("errors", told), ("traces", spans.said), ("metrics", [await seen_by_operators(hub)]),
    ):  # fmt: skip
        found = [one for one in said if MARK in one.lower()]
        assert found == [], f"{kind} tell of somebody"
    assert not any("127.0.0.1" in one for one in logged.said), "nor from where they came"


async def test_a_fault_in_any_route_tells_its_place_and_no_words(
    hub: Served, logged: Everything, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await hub.community.member("ana")
    token, _ = await make_token(hub.node, ana.account_id, "x", ("read", "write", "groups", "account"))
    ids = {"room": 7, "seq": 1}
    http = await hub.client(Authorization=f"Bearer {token}")
    http.base_url = hub.url
    caller = await hub.node.callers.get(("token", hash_secret(token)))

    async def known(*_: object) -> Any:
        return caller

    async def fail(*_: object) -> None:
        raise ValueError(f"{MARK} in a driver's words")

    monkeypatch.setattr(hub.node.callers, "get", known)
    monkeypatch.setattr(hub.node.database, "read", fail)
    monkeypatch.setattr(hub.node.database, "write", fail)
    told = []
    for row in ROWS:
        told += await ask(http, row, ids)
    faults = [one for one in told if '"internal"' in one]
    assert len(faults) > len(ROWS) // 2
    assert not any(MARK in one for one in told)
    assert any("builtins.ValueError" in one for one in logged.said)
    assert not any(MARK in one for one in logged.said)
