"""The web client's files, as they are served."""

import gzip
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from hubchat.api.edge import tell_error
from hubchat.api.endpoint import METHODS
from hubchat.api.pages import Pages
from hubchat.errors import HubError

SCRIPT = b"console.log('hello')" * 50


@pytest.fixture
async def client(tmp_path: Path) -> httpx2.AsyncClient:
    """A browser of a web client that was built into `static`, with a secret beside it."""
    static = tmp_path / "static"
    (static / "_app" / "immutable").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("nobody's business")
    (static / "index.html").write_text("<!doctype html><title>hubchat</title>")
    (static / "favicon.svg").write_text("<svg/>")
    script = static / "_app" / "immutable" / "start.Dh_W.js"
    script.write_bytes(SCRIPT)
    script.with_name("start.Dh_W.js.gz").write_bytes(gzip.compress(SCRIPT))
    script.with_name("start.Dh_W.js.br").write_bytes(b"as brotli")
    app = Starlette(
        routes=[Route("/{path:path}", Pages(static).answer, methods=METHODS)],
        exception_handlers={HubError: tell_error},
    )
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://hub")


async def test_every_address_that_is_no_file_is_the_one_page(client: httpx2.AsyncClient) -> None:
    for path in ("/", "/groups/lung-cancer", "/sign-in", "/groups/none.js", "/index.html"):
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert answer.text.startswith("<!doctype html>")
        assert answer.headers["cache-control"] == "no-cache"


async def test_what_is_missing_where_no_page_can_be_is_not_found(client: httpx2.AsyncClient) -> None:
    """A script that went away with an older build must fail, not be read as a page."""
    for path in ("/_app/immutable/start.OLD.js", "/_app/version.json", "/api", "/api/v1/none", "/live"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["error"]["reason"]) == (404, "path_unknown")


async def test_a_file_named_by_its_content_is_kept_and_others_are_asked_again(
    client: httpx2.AsyncClient,
) -> None:
    script = await client.get("/_app/immutable/start.Dh_W.js")
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    icon = await client.get("/favicon.svg")
    assert (icon.headers["cache-control"], icon.headers["content-type"]) == ("no-cache", "image/svg+xml")
    again = await client.get("/favicon.svg", headers={"If-None-Match": icon.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("accepted", "encoding", "length"),
    [
        ("gzip, deflate, br, zstd", "br", len(b"as brotli")),
        ("gzip", "gzip", len(gzip.compress(SCRIPT))),
        ("br;q=0, gzip;q=0.5", "gzip", len(gzip.compress(SCRIPT))),
        ("identity", None, len(SCRIPT)),
        ("", None, len(SCRIPT)),
    ],
)
async def test_what_was_compressed_at_build_time_is_sent_so_to_who_takes_it(
    client: httpx2.AsyncClient, accepted: str, encoding: str | None, length: int
) -> None:
    answer = await client.head("/_app/immutable/start.Dh_W.js", headers={"Accept-Encoding": accepted})
    assert answer.headers.get("content-encoding") == encoding
    assert int(answer.headers["content-length"]) == length
    assert answer.headers["vary"] == "Accept-Encoding"


async def test_nothing_outside_the_folder_is_served(client: httpx2.AsyncClient) -> None:
    for path in (
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/_app/../../secret.txt",
        "//secret.txt",
    ):
        assert "nobody's business" not in (await client.get(path)).text


async def test_pages_are_only_read(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/groups/lung-cancer")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_a_hub_without_a_built_client_says_so(tmp_path: Path) -> None:
    app = Starlette(
        routes=[Route("/{path:path}", Pages(tmp_path / "none").answer)], exception_handlers={HubError: tell_error}
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://hub") as client:
        assert (await client.get("/")).status_code == 404
