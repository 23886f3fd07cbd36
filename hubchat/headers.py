"""What request headers say of who asks. Pure; HTTP and the live edge both read them here."""

from collections.abc import Iterable

from starlette.requests import cookie_parser

from hubchat.errors import HubError


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
