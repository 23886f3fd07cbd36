"""The demo as a newcomer meets it: a server, a browser, and no password anywhere."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.program import Program, Running, wait_until


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One demo for all: nobody here changes what others look at."""
    with Program(tmp_path_factory.mktemp("demo") / "data").serving("--demo") as running:
        yield running


def browser(running: Running, url: str | None = None) -> httpx2.Client:
    """A browser on one of the hub's own addresses."""
    here = url or running.url
    return httpx2.Client(base_url=f"{here}/api/v1/", headers={"Origin": here}, timeout=20)


def test_it_says_how_to_come_in(running: Running) -> None:
    wait_until(lambda: "cookies of its own" in running.said, "it does not say how")
    assert running.url in running.said
    assert "continue as" in running.said
    assert f"http://127.0.0.1:{running.port}" in running.said


def test_who_one_may_be_is_told_to_everybody(running: Running) -> None:
    with browser(running) as guest:
        hub = guest.get("hub").json()
    assert hub["demo"] is True
    handles = [member["handle"] for member in hub["demo_members"]]
    assert {"ana", "ben"} <= set(handles)
    assert {"pip", "olive"}.isdisjoint(handles)
    assert all(member["name"] for member in hub["demo_members"])
    with browser(running) as ana:
        me = ana.post("demo/continue", json={"handle": "ana"}).json()["me"]
    assert {"id": me["id"], "handle": "ana", "name": me["name"]} in hub["demo_members"]


def test_two_members_side_by_side_in_one_browser(running: Running) -> None:
    with browser(running) as first:
        other_url = first.get("hub").json()["other_url"]
        assert other_url == f"http://127.0.0.1:{running.port}"
        assert first.post("demo/continue", json={"handle": "ana"}).status_code == 200
        with browser(running, other_url) as second:
            assert second.get("hub").json()["other_url"] == running.url
            assert second.post("demo/continue", json={"handle": "ben"}).status_code == 200
            assert second.get("me").json()["handle"] == "ben"
        assert first.get("me").json()["handle"] == "ana"


@pytest.mark.parametrize("origin", [None, "null", "https://elsewhere.example", "http://localhost:1"])
def test_one_comes_in_from_the_hubs_own_pages_alone(running: Running, origin: str | None) -> None:
    headers = {} if origin is None else {"Origin": origin}
    answer = httpx2.post(f"{running.url}/api/v1/demo/continue", json={"handle": "ana"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (403, "origin_foreign")
    assert "set-cookie" not in answer.headers


def test_it_is_a_post_and_nothing_else(running: Running) -> None:
    with browser(running) as guest:
        assert guest.get("demo/continue", params={"handle": "ana"}).status_code == 405


@pytest.mark.parametrize("handle", ["pip", "nobody", ""])
def test_one_can_be_nobody_else(running: Running, handle: str) -> None:
    with browser(running) as guest:
        answer = guest.post("demo/continue", json={"handle": handle})
    assert (answer.status_code, answer.json()["error"]["reason"]) == (404, "person_unknown")


def test_no_password_opens_a_demo_account(running: Running) -> None:
    with browser(running) as guest:
        for password in ("ana", "password", " "):
            answer = guest.post("session", json={"login": "ana", "password": password})
            assert answer.json()["error"]["reason"] == "sign_in_wrong"


def test_a_guest_at_the_table_hears_the_two_programs(running: Running) -> None:
    with browser(running) as ana:
        ana.post("demo/continue", json={"handle": "ana"})
        channels = ana.get("channels").json()["items"]
    (table,) = (channel["id"] for channel in channels if channel["slug"] == "kitchen-table")
    with connect(f"ws://localhost:{running.port}/live", subprotocols=[Subprotocol("hubchat.v1.json")]) as guest:
        guest.send(json.dumps({"do": "subscribe", "id": 1, "channel": table}))
        while "text" not in (heard := json.loads(guest.recv(timeout=30))):
            pass
    assert heard["channel"] == table


def test_without_demo_its_people_are_locked_out(tmp_path: Path) -> None:
    made = Program(tmp_path / "data")
    with made.serving("--demo") as demo:
        assert demo.stop() == 0
    with Program(tmp_path / "data" / "demo").serving() as plain, browser(plain) as guest:
        assert guest.get("hub").json()["demo"] is False
        assert "demo_members" not in guest.get("hub").json()
        assert guest.post("demo/continue", json={"handle": "ana"}).status_code == 404
        assert guest.post("session", json={"login": "ana", "password": "ana"}).status_code == 401
