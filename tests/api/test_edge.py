"""What holds for every request: Host, Origin, headers, bodies, errors."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from hubchat.actions import accounts
from hubchat.api import endpoint, forms
from hubchat.errors import HubError
from tests.serving import PASSWORD, Served, serve

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
FORM = {"handle": "ana", "name": "Ana", "password": PASSWORD, "agreed": True}


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Served]:
    """A running hub; what is tried here never depends on the database."""
    async with serve(None, tmp_path) as served:
        yield served


async def raw(hub: Served, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """The answer to bytes as they stand."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(request)
    await writer.drain()
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    writer.close()
    return int(lines[0].split()[1]), headers, body


async def test_every_answer_has_the_headers_that_keep_a_browser_safe(hub: Served) -> None:
    client = await hub.client()
    for path in ("/", "/groups/lung-cancer", "/api/v1/hub", "/api/v1/none", "/api/docs", "/healthz", "/_app/none.js"):
        headers = (await client.get(hub.url + path)).headers
        assert headers["content-security-policy"] == CSP
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
        assert ("no-store" in headers.get("cache-control", "")) == path.startswith("/api")
        assert "strict-transport-security" not in headers  # it would lock out who serves plain http


async def test_what_the_hub_is_may_be_known_before_signing_in(hub: Served) -> None:
    told = (await (await hub.client()).get("hub")).json()
    assert told == {
        "name": "hubchat",
        "guests": True,
        "signup": "open",
        "contact": None,
        "imprint": None,
        "emergency": None,
        "minimum_age": 16,
        "keep_days": None,
        "demo": False,
        "version": "0.1.0",
        "session": False,
    }


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost", "127.0.0.1", "localhost:1", "127.0.0.1.evil.example:{port}", "", "a:{port}@b"],
)
async def test_another_host_is_misdirected(hub: Served, host: str) -> None:
    told = host.format(port=hub.port)
    status, headers, body = await raw(hub, f"GET /api/v1/hub HTTP/1.1\r\nHost: {told}\r\n\r\n".encode())
    assert (status, json.loads(body)["error"]["reason"]) == (421, "host_foreign")
    assert headers["content-security-policy"] == CSP


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"])
async def test_loopback_is_home_at_the_port_that_is_served(hub: Served, host: str) -> None:
    status, _, _ = await raw(hub, f"GET /api/v1/hub HTTP/1.1\r\nHost: {host}:{hub.port}\r\n\r\n".encode())
    assert status == 200


async def test_with_a_url_only_its_host_is_home(tmp_path: Path) -> None:
    async with serve(None, tmp_path, url="https://hub.example.org") as hub:
        for host, status in (("hub.example.org", 200), ("hub.example.org:443", 200), (f"127.0.0.1:{hub.port}", 421)):
            assert (await raw(hub, f"GET /api/v1/hub HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()))[0] == status


async def test_what_watches_the_machine_may_ask_at_any_name(hub: Served) -> None:
    for path in ("healthz", "readyz"):
        status, _, body = await raw(hub, f"GET /{path} HTTP/1.1\r\nHost: 10.1.2.3\r\n\r\n".encode())
        assert (status, json.loads(body)) == (200, {"ok": True})


async def test_a_hub_without_its_database_lives_and_is_not_ready(hub: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(work: Any) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(hub.node.database, "read", hang)
    monkeypatch.setattr("hubchat.api.health.READY_S", 0.05)
    client = await hub.client()
    assert (await client.get(f"{hub.url}/healthz")).status_code == 200
    answer = await client.get(f"{hub.url}/readyz")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


# ---------------------------------------------------------------- Origin


async def test_with_a_cookie_every_change_needs_our_own_origin(hub: Served) -> None:
    ana = await hub.member("ana")
    for origin in ("https://evil.example", "null", f"https://127.0.0.1:{hub.port}", "http://127.0.0.1", ""):
        answer = await ana.patch("me", json={"name": "Eve"}, headers={"Origin": origin})
        assert (answer.status_code, answer.json()["error"]["reason"]) == (403, "origin_foreign")
    del ana.headers["Origin"]
    for method, path in (("PATCH", "me"), ("POST", "me/tokens"), ("DELETE", "session"), ("POST", "session")):
        answer = await ana.request(method, path, json={})
        assert (answer.status_code, answer.json()["error"]["reason"]) == (403, "origin_foreign")
    assert (await ana.get("me")).json()["name"] == "Ana"  # reading needs none
    for host in ("localhost", "127.0.0.1", "[::1]"):
        answer = await ana.patch("me", json={"name": "Ana B"}, headers={"Origin": f"http://{host}:{hub.port}"})
        assert answer.status_code == 200


async def test_a_program_needs_no_origin_and_a_page_elsewhere_signs_nobody_in(hub: Served) -> None:
    await accounts.create(hub.node, "ana", "Ana", password=PASSWORD)
    sign_in = {"login": "ana", "password": PASSWORD}
    evil = await (await hub.client(Origin="https://evil.example")).post("session", json=sign_in)
    assert (evil.status_code, evil.json()["error"]["reason"]) == (403, "origin_foreign")
    program = await hub.client()
    assert (await program.post("session", json=sign_in)).status_code == 200


async def test_nobody_is_asked_for_a_preflight(hub: Served) -> None:
    answer = await (await hub.client(Origin="https://evil.example")).request("OPTIONS", "me")
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


# ---------------------------------------------------------------- who asks


async def test_a_hub_for_members_only_lets_guests_see_nothing(tmp_path: Path) -> None:
    async with serve(None, tmp_path, guests=False) as hub:
        guest = await hub.client()
        answer = await guest.get("people?ids=1")
        assert (answer.status_code, answer.json()["error"]["reason"]) == (401, "members_only")
        assert (await guest.get("hub")).status_code == 200
        assert (await (await hub.member("ana")).get("people?ids=1")).status_code == 200


async def test_guests_are_asked_to_sign_in_where_they_may_not(hub: Served) -> None:
    answer = await (await hub.client()).get("me")
    assert (answer.status_code, answer.json()["error"]["reason"]) == (401, "sign_in_needed")


@pytest.mark.parametrize("cookie", ["=", ";;;", "hubchat_{port}", "hubchat_{port}=", 'hubchat_{port}="', "a=b; \x01"])
async def test_a_broken_cookie_is_none(hub: Served, cookie: str) -> None:
    request = f"GET /api/v1/people?ids=1 HTTP/1.1\r\nHost: 127.0.0.1:{hub.port}\r\nCookie: {cookie}\r\n\r\n"
    assert (await raw(hub, request.format(port=hub.port).encode()))[0] in (200, 400, 401)


# ---------------------------------------------------------------- paths


async def test_what_is_not_there_is_json(hub: Served) -> None:
    client = await hub.client()
    for method, path in (
        ("GET", "none"),
        ("POST", "none"),
        ("GET", "../v1"),
        ("GET", "../../api"),
        ("DELETE", "people/x/y"),
    ):
        answer = await client.request(method, path)
        assert (answer.status_code, answer.json()["error"]["reason"]) == (404, "path_unknown")


async def test_a_wrong_method_is_told_the_right_ones(hub: Served) -> None:
    answer = await (await hub.client()).put("me")
    assert (answer.status_code, answer.json()["error"]["reason"]) == (405, "method_unknown")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "PATCH", "DELETE"}


@pytest.mark.parametrize("path", ["me/sessions/0", "me/sessions/x", "me/sessions/-1", "me/sessions/9007199254740992",
                                  f"me/sessions/{'9' * 5000}", "me/sessions/%00", "me/tokens/١"])  # fmt: skip
async def test_what_can_be_no_id_is_not_there(hub: Served, path: str) -> None:
    answer = await (await hub.member("ana")).delete(path)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (404, "thing_unknown")


# ---------------------------------------------------------------- bodies


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"null", b"1", b"{'a': 1}", b'{"handle": "ana"', b"\xff\xfe", b'{"handle": "\xff"}',
     b'{"handle": "\\ud800"}', b'{"handle": "\\u12"}', b"[" * 60_000, b'{"a":' * 10_000, b'{"handle": NaN}'],
)  # fmt: skip
async def test_what_is_no_json_of_the_right_shape_is_a_bad_request(hub: Served, body: bytes) -> None:
    answer = await (await hub.client()).post("signup", content=body)
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["code"] == "bad_request"
    assert "ana" not in answer.text


async def test_unknown_missing_and_wrong_fields_are_named(hub: Served) -> None:
    client = await hub.client()
    unknown = await client.post("signup", json={**FORM, "admin": True, "role": "admin"})
    assert (unknown.status_code, unknown.json()["error"]["reason"]) == (422, "field_unknown")
    assert unknown.json()["error"]["fields"] == {"admin": "not known", "role": "not known"}
    missing = await client.post("signup", json={"handle": "ana"})
    assert missing.json()["error"]["fields"] == dict.fromkeys(("name", "password", "agreed"), "missing")
    mixed = await client.post("signup", json={**FORM, "name": 7, "agreed": "true", "x": 1})
    assert (mixed.status_code, mixed.json()["error"]["reason"]) == (422, "fields_invalid")
    assert set(mixed.json()["error"]["fields"]) == {"name", "agreed", "x"}
    nul = await client.post("signup", json={**FORM, "email": "a\0@example.org"})
    assert nul.json()["error"]["fields"] == {"email": "holds NUL"}
    none = await (await hub.member("ben")).post("me/recovery-codes", json={"x": 1})
    assert none.json()["error"]["fields"] == {"x": "not known"}


async def test_a_query_is_checked_as_a_body_is(hub: Served) -> None:
    client = await hub.client()
    for query, fields in (
        ("limit=1&ids=1", {"limit"}),
        ("ids=x", {"ids"}),
        ("ids=%00", {"ids"}),
        ("", {"ids"}),
        ("q=", {"q"}),
    ):
        answer = await client.get(f"people?{query}")
        assert (answer.status_code, set(answer.json()["error"]["fields"])) == (422, fields)


async def test_a_password_is_never_repeated_in_what_is_refused(hub: Served) -> None:
    answer = await (await hub.client()).post(
        "signup", json={**FORM, "password": ["my-secret-words"], "my-secret-words": 1}
    )
    assert answer.status_code == 422
    assert answer.text.count("my-secret-words") == 1  # the field's own name, as it was given


async def test_a_body_is_bounded_whether_it_says_its_length_or_not(hub: Served) -> None:
    client = await hub.client()
    said = await client.post("signup", content=b"x" * (64 * 1024 + 1))
    assert (said.status_code, said.json()["error"]["reason"]) == (413, "body_too_large")

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(65):
            yield b" " * 1_024

    unsaid = await client.post("signup", content=pieces())
    assert (unsaid.status_code, unsaid.json()["error"]["reason"]) == (413, "body_too_large")
    whole = await client.post("signup", content=json.dumps(FORM).encode().ljust(64 * 1024))
    assert whole.status_code == 201


async def test_a_length_of_100_mb_is_refused_before_it_is_sent(hub: Served) -> None:
    request = f"POST /api/v1/signup HTTP/1.1\r\nHost: 127.0.0.1:{hub.port}\r\nContent-Length: 104857600\r\n\r\n"
    status, _, body = await raw(hub, request.encode())
    assert (status, json.loads(body)["error"]["reason"]) == (413, "body_too_large")


async def test_a_body_that_does_not_come_is_given_up(hub: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "BODY_S", 0.1)
    request = f'POST /api/v1/signup HTTP/1.1\r\nHost: 127.0.0.1:{hub.port}\r\nContent-Length: 100\r\n\r\n{{"handle"'
    status, _, body = await raw(hub, request.encode())
    assert (status, json.loads(body)["error"]["reason"]) == (400, "body_invalid")


async def test_who_hangs_up_in_the_middle_leaves_no_fault(hub: Served, caplog: pytest.LogCaptureFixture) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(f"POST /api/v1/signup HTTP/1.1\r\nHost: 127.0.0.1:{hub.port}\r\nContent-Length: 99\r\n\r\n{{".encode())
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await asyncio.sleep(0.05)
    assert (await (await hub.client()).get("hub")).status_code == 200
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


# ---------------------------------------------------------------- faults


async def test_a_fault_shows_an_id_and_is_logged_with_it_and_without_words(
    hub: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(node: Any, new: Any, browser: Any) -> None:
        raise RuntimeError(f"could not store {new.handle}, {new.password}")

    monkeypatch.setattr("hubchat.actions.signup.sign_up", fail)
    answer = await (await hub.client()).post("signup", json={**FORM, "handle": "ana-secret"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["reason"]) == (500, "internal", "fault")
    assert "Traceback" not in answer.text
    (logged,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert error["message"].rpartition(" ")[2] in logged
    assert "RuntimeError" in logged
    assert "in fail" in logged
    assert "ana-secret" not in logged
    assert PASSWORD not in logged
    assert answer.headers["content-security-policy"] == CSP


async def test_a_database_that_is_away_is_told_as_such(hub: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    from hubchat.storage.database import Unavailable

    async def away(work: Any) -> None:
        raise Unavailable

    ana = await hub.member("ana")
    monkeypatch.setattr(hub.node.database, "read", away)
    answer = await ana.get("me")
    assert (answer.status_code, answer.json()["error"]["reason"]) == (503, "database_unavailable")
    assert answer.headers["retry-after"] == "1"


async def test_reading_goes_on_while_nothing_can_be_written(hub: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    from hubchat.storage.database import Unavailable

    async def full(verb: Any) -> None:
        raise Unavailable

    ana = await hub.member("ana")
    monkeypatch.setattr("hubchat.actions.sessions.USED_EVERY_MS", -1)  # every request would note its use
    monkeypatch.setattr(hub.node.log, "write", full)
    assert (await ana.get("me")).status_code == 200
    assert (await ana.patch("me", json={"name": "Ana B"})).status_code == 503


def test_no_path_stands_twice_in_a_table() -> None:
    async def handler(ask: endpoint.Ask) -> None: ...

    row = endpoint.Endpoint("GET", "/x", handler)
    with pytest.raises(AssertionError, match="GET /x stands twice"):
        endpoint.routes("/api/v1", (row, row))


def test_an_origin_is_not_asked_of_reading() -> None:
    from hubchat.addresses import home
    from hubchat.api.asking import require_our_origin
    from hubchat.settings import Settings

    def request(method: str) -> Request:
        return Request({"type": "http", "method": method, "headers": [(b"origin", b"https://evil.example")]})

    for method in ("GET", "HEAD"):
        require_our_origin(request(method), home(Settings(), 8000))
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        with pytest.raises(HubError, match="origin_foreign"):
            require_our_origin(request(method), home(Settings(), 8000))
