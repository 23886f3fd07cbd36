"""What request headers say of who asks. Pure; HTTP and the live edge both read them here."""

import re
from collections.abc import Iterable
from typing import Final

from starlette.requests import cookie_parser

from hubchat.errors import HubError

REQUEST_ID: Final = "hubchat.request"
"""Where an ASGI scope holds the id of its request."""

_HARMLESS: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Names of requests as proxies make them (UUIDs, hex): nothing that could break a line, or be taken for another."""


def request_id_in(given: Iterable[str]) -> str | None:
    """What a proxy calls a request in its `X-Request-ID` headers, if it does so once and harmlessly."""
    ids = list(given)
    return ids[0] if len(ids) == 1 and _HARMLESS.fullmatch(ids[0]) else None


def cookie_in(headers: Iterable[str], name: str) -> str | None:
    """The value of one cookie in `Cookie` headers. Others there may be written in any way: a host's cookies are shared
    by all that runs on it, and Python's own parser would find none beside a strange one.
    """
    return cookie_parser("; ".join(headers)).get(name)


def token_in(header: str | None) -> str | None:
    """The token of `Authorization: Bearer`, None without the header; any other scheme is `sign_in_ended`."""
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise HubError("sign_in_ended")
    return token.strip()
