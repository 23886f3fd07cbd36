"""The web client: files built into hubchat/static, and its one page for every address that is no file.

All are read once, at start: there is no path to walk out of, and no disk to wait for.
"""

import hashlib
import mimetypes
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from hubchat.api.answers import wrong_method
from hubchat.errors import HubError

STATIC: Final = Path(__file__).parent.parent / "static"
PAGE: Final = "/index.html"
HASHED: Final = "/_app/immutable/"  # file names there carry their content's hash
FOREVER: Final = "public, max-age=31536000, immutable"
ENCODINGS: Final = {"br": ".br", "gzip": ".gz"}  # the better one first
TYPES: Final = {".js": "text/javascript", ".webmanifest": "application/manifest+json", ".woff2": "font/woff2"}
NO_PAGE: Final = ("/api/", "/_app/", "/live")  # a file or path that is missing here is no address of the web client


@dataclass(frozen=True, slots=True)
class File:
    """A file as it goes out, under each encoding that the build made ("" is none)."""

    media_type: str
    cache_control: str
    forms: dict[str, bytes] = field(repr=False)
    etags: dict[str, str]


async def list_none(_: Request) -> bool:
    return False


class Pages:
    """Answers everything that no route took. `is_listed` says of a page whether search engines may list it."""

    def __init__(self, folder: Path = STATIC, is_listed: Callable[[Request], Awaitable[bool]] = list_none) -> None:
        self._is_listed = is_listed
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()] if folder.is_dir() else []
        whole = [path for path in paths if path.suffix not in ENCODINGS.values()]
        self._files: dict[str, File] = {}
        for path in whole:
            with suppress(FileNotFoundError):  # a build that runs beside us has just replaced it
                self._files[f"/{path.relative_to(folder).as_posix()}"] = _file(path, folder)

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        found = self._files.get(path)
        if found is None and not path.startswith(NO_PAGE) and path != "/api":
            found = self._files.get(PAGE)
        if found is None:
            raise HubError("path_unknown")
        if request.method not in ("GET", "HEAD"):
            return wrong_method(("GET", "HEAD"))
        answer = _answer(found, request.headers)
        if found is self._files.get(PAGE) and not await self._is_listed(request):
            answer.headers["X-Robots-Tag"] = "noindex"
        return answer


def _file(path: Path, folder: Path) -> File:
    name = f"/{path.relative_to(folder).as_posix()}"
    forms = {"": path.read_bytes()}
    for encoding, ending in ENCODINGS.items():
        if (packed := path.with_name(path.name + ending)).is_file():
            forms[encoding] = packed.read_bytes()
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    etags = {encoding: f'"{hashlib.sha256(data).hexdigest()[:32]}"' for encoding, data in forms.items()}
    return File(kind, FOREVER if name.startswith(HASHED) else "no-cache", forms, etags)


def _answer(file: File, asked: Headers) -> Response:
    encoding = _best(file.forms, asked.get("accept-encoding", ""))
    headers = {"ETag": file.etags[encoding], "Cache-Control": file.cache_control}
    if len(file.forms) > 1:
        headers["Vary"] = "Accept-Encoding"
    if file.etags[encoding] in asked.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if encoding:
        headers["Content-Encoding"] = encoding
    return Response(file.forms[encoding], headers=headers, media_type=file.media_type)


def _best(have: Iterable[str], accepted: str) -> str:
    """The best encoding that the client takes (RFC 9110, 12.5.3)."""
    taken = set()
    for part in accepted.lower().split(","):
        name, _, quality = part.partition(";")
        if quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            taken.add(name.strip())
    return next((encoding for encoding in ENCODINGS if encoding in have and encoding in taken), "")
