"""One complaint of a member is followed from its id to the lines of the log, and to nobody's words."""

import io
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from hubchat import logs
from hubchat.actions.tokens import make_token
from hubchat.channels import log as channels_log
from hubchat.gateway import commands
from hubchat.wire import Ping
from tests.collector import Collector
from tests.flows.live import Live, live
from tests.program import as_before
from tests.serving import PASSWORD, Served, serve

__all__ = ["as_before"]

WORDS = "words-that-nobody-else-may-read"
ADDRESS = "198.51.100.77"
UUID = "0b9d7c1e-2b1f-4b53-9b0e-7a1d1c0ffee0"


@pytest.fixture
def stream(as_before: None) -> io.StringIO:
    """The log of a hub that says all it ever says."""
    stream = io.StringIO()
    logs.set_up("debug", "json", stream)
    return stream


@pytest.fixture
async def hub(database_url: str, tmp_path: Path, stream: io.StringIO) -> AsyncIterator[Served]:
    async with serve(database_url, tmp_path, trusted_proxies="127.0.0.1") as served:
        yield served


def lines(stream: io.StringIO, **like: object) -> list[dict[str, Any]]:
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [line for line in told if all(line.get(name) == value for name, value in like.items())]


async def _fail(*_: object, **__: object) -> None:
    raise RuntimeError(WORDS)


async def test_every_answer_carries_an_id_and_a_trusted_proxys_counts_where_it_is_harmless(
    hub: Served, tmp_path: Path
) -> None:
    client = await hub.client()
    for given, is_kept in (
        (UUID, True), ("a" * 64, True), ("a" * 65, False), ("", False), ("a b", False), ("a\tb", False), ("é", False),
        ('a"b', False), ("a=b", False), ("a,b", False),
    ):  # fmt: skip
        for path in ("hub", "none", "me", hub.url + "/", hub.url + "/healthz"):
            answer = await client.get(path, headers=[(b"X-Request-ID", given.encode("latin-1"))])
            assert (answer.headers["x-request-id"] == given) is is_kept, given
            assert len(answer.headers.get_list("x-request-id")) == 1
    twice = await client.get("hub", headers=[("X-Request-ID", "one"), ("X-Request-ID", "two")])
    assert twice.headers["x-request-id"] not in ("one", "two", "one, two")
    ids = {(await client.get("hub")).headers["x-request-id"] for _ in range(10)}
    assert len(ids) == 10
    (tmp_path / "other").mkdir()
    async with serve(None, tmp_path / "other") as untrusting:
        answer = await (await untrusting.client()).get("hub", headers={"X-Request-ID": UUID})
        assert answer.headers["x-request-id"] != UUID


async def test_a_connection_has_the_id_of_the_request_that_opened_it(hub: Served, stream: io.StringIO) -> None:
    async with connect(
        f"ws://127.0.0.1:{hub.port}/live", subprotocols=[Subprotocol("hubchat.v1.json")], proxy=None,
        additional_headers={"X-Request-ID": UUID},
    ) as socket:  # fmt: skip
        assert socket.response is not None
        assert socket.response.headers["x-request-id"] == UUID
        await socket.recv()
    async with connect(
        f"ws://127.0.0.1:{hub.port}/live", subprotocols=[Subprotocol("hubchat.v1.json")], proxy=None
    ) as socket:
        await Live(socket, "json").do("ping")
    said = [line["event"] for line in lines(stream, connection=UUID)]
    assert said == ["connection opened", "connection closed"]
    assert len({line["connection"] for line in lines(stream, event="connection opened")}) == 2
    refused = await (await hub.client()).get(
        f"{hub.url}/live",
        headers={
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Origin": "https://evil.example",
            "Sec-WebSocket-Protocol": "hubchat.v1.json", "X-Request-ID": "refused-one",
        },
    )  # fmt: skip
    assert (refused.status_code, refused.headers["x-request-id"]) == (403, "refused-one")


async def test_a_fault_leads_from_the_member_to_all_lines_of_the_request(
    hub: Served, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubchat.actions.signup.sign_up", _fail)
    form = {"handle": "ana", "name": "Ana", "password": PASSWORD, "agreed": True}
    answer = await (await hub.client()).post("signup", json=form)
    fault = answer.json()["error"]["message"].rpartition(" ")[2]
    (line,) = [line for line in lines(stream, level="error") if fault in line["event"]]
    assert line["request"] == answer.headers["x-request-id"]
    (answered,) = lines(stream, request=line["request"], event="answered")
    assert (answered["method"], answered["route"], answered["status"]) == ("POST", "/api/v1/signup", 500)


async def test_what_the_database_says_within_a_request_carries_its_id(hub: Served, stream: io.StringIO) -> None:
    ana = await hub.member("ana")
    gone = sa.text("DROP TABLE invite")
    await hub.node.database.write(lambda connection: connection.execute(gone).rowcount)
    answer = await ana.post("invites/preview", json={"code": WORDS})
    assert answer.status_code in (500, 503)
    told = [line for line in lines(stream, request=answer.headers["x-request-id"]) if line["event"] != "answered"]
    assert told
    assert WORDS not in stream.getvalue()


async def test_a_fault_of_a_command_leads_to_its_connection(
    hub: Served, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = await hub.community.members("ana", "ben")
    room = await hub.community.group(ana, "closed", ben)
    async with live(hub.node, hub.port, ben) as other, live(hub.node, hub.port, ana) as one:
        monkeypatch.setitem(commands.OTHERS, Ping, _fail)
        told = await one.do("ping")
        (line,) = [line for line in lines(stream, level="error") if told["message"].rpartition(" ")[2] in line["event"]]
        assert line["connection"] in {line["connection"] for line in lines(stream, event="connection opened")}

        async def poisoned(work: Any) -> None:
            raise RuntimeError(WORDS)

        await other.do("subscribe", channel=room)
        monkeypatch.setattr(hub.node.log.database, "write", poisoned)
        told = await one.do("send", channel=room, nonce="n", text=WORDS)
        monkeypatch.undo()
    fault = told["message"].rpartition(" ")[2]
    (commit,) = [line for line in lines(stream, level="error") if fault in line["event"]]
    assert "connection" not in commit, "a commit is many members'"
    (asked,) = [line for line in lines(stream, level="info") if fault in line["event"]]
    assert asked["connection"] == line["connection"]


async def test_what_one_request_sets_going_for_many_does_not_carry_its_id(
    hub: Served, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await hub.community.member("ana")
    room = await hub.community.group(ana)
    token, _ = await make_token(hub.node, ana.account_id, "story")
    program = await hub.client(Authorization=f"Bearer {token}")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(WORDS)

    async with live(hub.node, hub.port, ana) as reader:
        await reader.do("subscribe", channel=room)
        with monkeypatch.context() as patched:
            patched.setattr(hub.node.hub, "_hand_out", broken)
            assert (await program.post(f"channels/{room}/messages", json={"text": WORDS})).status_code == 201
            with pytest.raises(ConnectionClosed):  # its reader is to come again
                await reader.do("ping")
        with monkeypatch.context() as patched:
            patched.setattr(channels_log, "commit_items", broken)
            answer = await program.post(f"channels/{room}/messages", json={"text": WORDS})
            assert answer.status_code == 500
    turns = [line for line in lines(stream, level="error") if "turn's entries" in line["event"]]
    (commit,) = [line for line in lines(stream, level="error") if "can't store a send" in line["event"]]
    assert turns
    assert not [line for line in (*turns, commit) if "request" in line or "connection" in line]
    (told,) = [line for line in lines(stream, level="info") if line["event"].startswith("told: ")]
    assert told["request"] == answer.headers["x-request-id"]
    assert told["event"].rpartition(" ")[2] in commit["event"]


async def test_a_day_at_the_hub_leaves_nothing_of_anybody_in_the_log(
    hub: Served, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    through = {"X-Forwarded-For": ADDRESS}
    people = {"anneliese-traced": "Anneliese Traced", "benedikt-traced": "Benedikt Traced"}
    browsers: list[httpx2.AsyncClient] = []
    for handle, name in people.items():
        browser = await hub.browser(**through)
        form = {"handle": handle, "name": name, "password": PASSWORD, "agreed": True, "email": f"{handle}@example.org"}
        assert (await browser.post("signup", json=form)).status_code == 201
        browsers.append(browser)
    one, two = browsers
    group = {"slug": "lymphoma-traced", "title": "Lymphoma Traced", "about": "about-traced", "visibility": "open"}
    room = (await one.post("groups", json=group)).json()["id"]
    secret = {"title": "Melanoma Traced", "visibility": "secret"}
    hidden = (await one.post("groups", json=secret)).json()["id"]
    assert (await two.post(f"groups/{room}/join", json={})).status_code == 200
    sent = await one.post(f"channels/{room}/messages", json={"text": f"{WORDS} @benedikt-traced"})
    seq = sent.json()["seq"]
    await one.patch(f"channels/{room}/messages/{seq}", json={"text": f"{WORDS} again"})
    await two.put(f"channels/{room}/messages/{seq}/reactions/👍")
    for path in (
        "groups/lymphoma-traced", "people/anneliese-traced", f"people?q={WORDS}", f"none/{WORDS}?q={WORDS}",
        f"{hub.url}/groups/lymphoma-traced?q={WORDS}", f"channels/{hidden}/entries",
    ):  # fmt: skip
        await two.get(path)
    await (await hub.client(**through)).post("session", json={"login": "anneliese-traced", "password": WORDS})
    await (await hub.client(Authorization=f"Bearer {WORDS}", **through)).get("me")
    token = (await one.post("me/tokens", json={"name": "token-traced"})).json()["token"]
    async with connect(
        f"ws://127.0.0.1:{hub.port}/live?q={WORDS}", subprotocols=[Subprotocol("hubchat.v1.json")], proxy=None,
        additional_headers={"Authorization": f"Bearer {token}", **through},
    ) as socket:  # fmt: skip
        desk = Live(socket, "json")
        await desk.do("subscribe", channel=room)
        seq = (await desk.do("send", channel=room, nonce="nonce-traced", text=WORDS))["seq"]
        for verb, more in (
            ("edit", {"seq": seq, "text": f"{WORDS} once more"}), ("react", {"seq": seq, "emoji": "🌷", "on": True}),
            ("typing", {}), ("history", {"before": seq}), ("send", {"text": WORDS, WORDS: 1}), (WORDS, {}),
            ("delete", {"seq": seq}),
        ):  # fmt: skip
            await desk.do(verb, channel=room, **more)
        with monkeypatch.context() as patched:
            patched.setitem(commands.OTHERS, Ping, _fail)
            await desk.do("ping")
        with monkeypatch.context() as patched:
            patched.setattr("hubchat.actions.groups.create", _fail)
            assert (await one.post("groups", json=secret)).status_code == 500

            def broken(connection: sa.Connection, *_: object, **__: object) -> None:
                connection.execute(sa.text("SELECT * FROM nothing WHERE text = :text"), {"text": WORDS})

            patched.setattr(channels_log, "commit_items", broken)
            refused = await desk.do("send", channel=room, nonce="other", text=WORDS)
            assert refused["code"] in ("internal", "unavailable")
    told = stream.getvalue()
    events = {line["event"].partition(" ")[0] for line in lines(stream)}
    assert {"answered", "connection", "fault"} <= events
    ids = [*people, *people.values(), "lymphoma", "melanoma", "traced", WORDS, token, PASSWORD, ADDRESS, "127.0.0.1"]
    ids += [str(number) for number in (room, hidden)]
    rows = sa.text("SELECT id, account_id FROM persona")
    ids += [str(n) for row in await hub.node.database.read(lambda c: c.execute(rows).all()) for n in row]
    assert not [word for word in ids if word.lower() in told.lower()]
    assert all(("request" in line) != ("connection" in line) for line in lines(stream, level="debug"))
    assert logging.getLogger("hubchat").level == logging.DEBUG


async def test_a_request_is_one_span_with_its_template_and_never_its_path(tmp_path: Path) -> None:
    with Collector() as collector:
        async with serve(None, tmp_path, traces=collector.url, traces_ratio=1) as hub:
            ana = await hub.member("anneliese-traced")
            answers = [
                await ana.get("people/anneliese-traced"),
                await ana.get(f"people?q={WORDS}"),
                await ana.get(f"none/{WORDS}"),
                await ana.request("BREW", f"people/{WORDS}"),
            ]
            for answer in answers:
                assert answer.headers["x-request-id"]
        bodies = b"".join(collector.bodies)
        spans = {span.told.get("hubchat.request"): span for span in collector.spans}
    found = [spans[answer.headers["x-request-id"]] for answer in answers if answer.status_code != 400]
    assert [(span.name, span.told["http.response.status_code"]) for span in found[:3]] == [
        ("GET /api/v1/people/{handle}", 200),
        ("GET /api/v1/people", 200),
        ("GET /{path:path}", 404),
    ]
    assert not [span for span in found if span.parent]
    for word in (WORDS, "traced", "BREW", "127.0.0.1", PASSWORD):
        assert word.encode() not in bodies
