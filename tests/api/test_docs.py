"""The interface describes itself."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from hubchat.api import accounts, people, sessions, tokens
from hubchat.api.openapi import describe
from hubchat.app import API, TABLES
from tests.serving import Served, serve


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(None, tmp_path) as served:
        yield served


def described() -> dict[str, Any]:
    return describe(API, [row for table in TABLES for row in table])


async def test_every_path_is_described_as_openapi(hub: Served) -> None:
    found = (await (await hub.client()).get("openapi.json")).json()
    assert found["openapi"] == "3.1.0"
    assert {f"{API}{row.path}" for table in TABLES for row in table} == set(found["paths"])
    for table in TABLES:
        for row in table:
            assert row.method.lower() in found["paths"][f"{API}{row.path}"]
    assert found == described()


def test_every_reference_leads_somewhere() -> None:
    description = described()
    text = json.dumps(description)
    for name in set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', text)):
        assert name in description["components"]["schemas"]
    assert '"#/$defs' not in text


def test_each_operation_has_a_name_of_its_own() -> None:
    names = [each["operationId"] for path in described()["paths"].values() for each in path.values()]
    assert len(names) == len(set(names))


def test_what_a_token_needs_is_said() -> None:
    paths = described()["paths"]
    assert paths[f"{API}/me"]["get"]["security"] == [{"session": []}, {"token": ["read"]}]
    assert paths[f"{API}/people"]["get"]["security"][-1] == {}  # guests too
    assert paths[f"{API}/me/tokens"]["post"]["security"] == [{"session": []}]  # no token makes tokens
    assert "security" not in paths[f"{API}/session"]["post"]


async def test_answers_are_as_described(hub: Served) -> None:
    ana = await hub.member("ana")
    made = await ana.post("me/tokens", json={"name": "x"})
    for shape, answer in (
        (tokens.NewTokenShown, made),
        (tokens.TokensShown, await ana.get("me/tokens")),
        (accounts.MeShown, await ana.get("me")),
        (accounts.CodesShown, await ana.post("me/recovery-codes")),
        (sessions.SessionsShown, await ana.get("me/sessions")),
        (people.PeopleShown, await ana.get("people?q=ana")),
        (people.PersonShown, await ana.get("people/ana")),
    ):
        adapter: TypeAdapter[Any] = TypeAdapter(shape)
        given = answer.json()
        assert adapter.validate_python(given, strict=True) == given
        assert set(given) <= set(shape.__annotations__) | set(accounts.CodesShown.__annotations__)


async def test_the_readable_page_says_how_to_sign_in(hub: Served) -> None:
    page = (await (await hub.client()).get(f"{hub.url}/api/docs")).text
    for word in ("Authorization: Bearer", 'href="/account"', "hubchat token HANDLE", f"hubchat_{hub.port}", "Origin"):
        assert word in page


async def test_the_readable_page_needs_no_script_and_nothing_from_elsewhere(hub: Served) -> None:
    answer = await (await hub.client()).get(f"{hub.url}/api/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = answer.text
    for row in (row for table in TABLES for row in table):
        assert f'<span class="method">{row.method}</span> {API}{row.path}' in page
    assert not re.search(r"<script|<link|<img|https?://|\son\w+=|javascript:", page)
