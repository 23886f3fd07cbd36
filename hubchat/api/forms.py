"""What comes in: bodies and queries, checked once into typed forms. A fault names each field that is wrong."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from hubchat.errors import HubError
from hubchat.wire import MAX_ID

BODY_BYTES: Final = 64 << 10  # four of the longest messages; larger: 413
BODY_S: Final = 20.0  # a body that trickles in for longer is given up: 400

Id = Annotated[int, Field(ge=1, le=MAX_ID)]


class Form(BaseModel):
    """The shape of a JSON body: exact types, no field that is not named."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class Query(BaseModel):
    """The shape of a query string: text that is read as the types named, no field that is not named."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Nothing(Form):
    """The body of what takes none: empty, or `{}`."""


class Page(Query):
    """What a list may be asked with. `cursor` is the `next` of the page before."""

    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=200)


F = TypeVar("F", bound=BaseModel)


async def read_body(request: Request) -> bytes:
    """The raw body; raises `body_too_large`, or `body_invalid` when it does not come to an end."""
    if int(request.headers.get("content-length") or 0) > BODY_BYTES:
        raise HubError("body_too_large")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES:
                    raise HubError("body_too_large")
    except TimeoutError:
        raise HubError("body_invalid", f"the body was not complete after {BODY_S:.0f} s") from None
    return bytes(body)


def read_form(body: bytes, form: type[F]) -> F:
    """The body as `form`; none at all counts as `{}`. Raises `body_invalid` (400) or names the fields (422)."""
    try:
        made = form.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise _told(error) from None
    # PostgreSQL keeps no NUL in text, and nobody types one
    if b"\\u0000" in body and (named := [name for name, value in made if _holds_nul(value)]):
        raise HubError("fields_invalid", fields=dict.fromkeys(named, "holds NUL"))
    return made


def read_query(request: Request, form: type[F]) -> F:
    """The query string as `form`; raises an error that names the fields. A field given twice counts once, the last."""
    given: dict[str, Any] = dict(request.query_params)
    if named := [name for name, value in given.items() if "\0" in value]:
        raise HubError("fields_invalid", fields=dict.fromkeys(named, "holds NUL"))
    try:
        return form.model_validate(given)
    except ValidationError as error:
        raise _told(error) from None


def _holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any(map(_holds_nul, value)) or any(map(_holds_nul, value.values()))
    return isinstance(value, Iterable) and not isinstance(value, bytes) and any(map(_holds_nul, value))


def _told(error: ValidationError) -> HubError:
    """Pydantic's findings in the hub's words; what was given is never repeated."""
    parts = error.errors(include_url=False, include_context=False, include_input=False)
    if parts[0]["type"] == "json_invalid" or not all(part["loc"] for part in parts):
        return HubError("body_invalid")
    fields = {".".join(map(str, part["loc"]))[:80]: _why(part["type"], part["msg"]) for part in parts[:20]}
    types = {part["type"] for part in parts}
    if types == {"extra_forbidden"}:
        return HubError("field_unknown", fields=fields)
    return HubError("field_missing" if types == {"missing"} else "fields_invalid", fields=fields)


def _why(kind: str, message: str) -> str:
    return {"extra_forbidden": "not known", "missing": "missing"}.get(kind, message.removeprefix("Value error, "))
