"""What request headers say of who asks. Pure; HTTP and the live edge both read them here."""

from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie

from hubchat.errors import HubError


def cookie_in(headers: Iterable[str], name: str) -> str | None:
    """The value of one cookie in `Cookie` headers. What is no cookie list holds none."""
    try:
        found = SimpleCookie("; ".join(headers)).get(name)
    except CookieError:
        return None
    return found.value if found else None


def token_in(header: str | None) -> str | None:
    """The token of `Authorization: Bearer`, None without the header; any other scheme is `sign_in_ended`."""
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise HubError("sign_in_ended")
    return token.strip()
