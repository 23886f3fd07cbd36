"""What search engines are told of the web client's pages."""

import pytest

from hubchat.storage.database import Unavailable
from tests.serving import Served

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_page_is_listed_only_where_a_public_groups_owner_said_so(hub: Served) -> None:
    ana, ben = await hub.member("ana"), await hub.member("ben")
    form = {"slug": "lung-cancer", "title": "Lung cancer", "visibility": "public"}
    made = (await ana.post("groups", json=form)).json()
    await ben.post(f"groups/{made['id']}/join")
    page, guest = f"{hub.url}/groups/lung-cancer", await hub.client()

    async def is_listed(url: str = page) -> bool:
        answer = await guest.get(url)
        assert answer.status_code == 200
        return "x-robots-tag" not in answer.headers

    assert made["indexed"] is False
    assert not await is_listed()
    assert (await ben.patch(f"groups/{made['id']}", json={"indexed": True})).status_code == 403
    for wrong in ("yes", 1, None):
        status = (await ana.patch(f"groups/{made['id']}", json={"indexed": wrong})).status_code
        assert status == (200 if wrong is None else 422)
    assert (await ana.patch(f"groups/{made['id']}", json={"indexed": True})).json()["indexed"] is True
    assert await is_listed()
    assert await is_listed(f"{page}/m/123")
    assert await is_listed(f"{hub.url}/groups/~{made['id']}")
    assert await is_listed(f"{hub.url}/")
    for path in ("/groups/none", "/groups", "/sign-in", "/settings", "/groups/lung-cancer%00", "/conversations/1"):
        assert not await is_listed(hub.url + path), path
    hub.node.house.now = hub.node.house.now.model_copy(update={"guests": False})
    assert not await is_listed(), "an administrator has closed the hub to guests"
    hub.node.house.now = hub.node.house.now.model_copy(update={"guests": True})
    tag = (await guest.get(f"{hub.url}/groups/none")).headers["etag"]
    assert (await guest.get(f"{hub.url}/groups/none", headers={"If-None-Match": tag})).headers[
        "x-robots-tag"
    ] == "noindex"
    changed = await ana.patch(f"groups/{made['id']}", json={"visibility": "open"})
    assert changed.status_code == 200
    assert not await is_listed(), "it is public no more"
    assert (await ana.patch(f"groups/{made['id']}", json={"indexed": True})).status_code == 422


@sqlite_only
async def test_robots_may_read_that_a_page_is_not_to_be_listed_and_nothing_else(
    hub: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = await hub.client()
    told = await guest.get(f"{hub.url}/robots.txt")
    assert told.headers["content-type"].startswith("text/plain")
    assert told.text == "User-agent: *\nDisallow: /api/\nDisallow: /live\n"

    async def away(_: object) -> None:
        raise Unavailable

    monkeypatch.setattr(hub.node.database, "read", away)
    page = await guest.get(f"{hub.url}/groups/lung-cancer")
    assert (page.status_code, page.headers["x-robots-tag"]) == (200, "noindex")
