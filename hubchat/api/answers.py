"""What goes out: values as JSON, times as RFC 3339, errors as one map. Never HTML, never a stack trace."""

from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from hubchat.errors import HubError


class Json(Response):
    """A value as JSON, in UTF-8."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


def nothing() -> Response:
    return Response(status_code=HTTPStatus.NO_CONTENT)


def refusal(error: HubError) -> Response:
    """The answer that tells `error`, with its status and, where waiting helps, `Retry-After`."""
    return Json({"error": error.body()}, status_code=error.status, headers=error.headers())


def wrong_method(allowed: Iterable[str]) -> Response:
    """RFC 9110, 15.5.6: a 405 says which methods there are."""
    answer = refusal(HubError("method_unknown"))
    answer.headers["Allow"] = ", ".join(allowed)
    return answer


def time_of(at_ms: int) -> str:
    """RFC 3339 in UTC, to the ms."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def time_or_none(at_ms: int | None) -> str | None:
    return None if at_ms is None else time_of(at_ms)
