"""The hub's own addresses, by which it knows its pages and its cookie. Pure; HTTP and the live edge both ask it.

They come from `HUBCHAT_URL`, never from a request; without it the hub is at home on loopback alone.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from hubchat.settings import Settings

LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Home(NamedTuple):
    """Where the hub is at home. `hosts` and `origins` are as browsers write them, in lower case.

    `url` is the one for links. `cookie` carries the port on plain http, because cookies are shared between ports;
    `device_cookie` only says that this browser signed in before.
    """

    url: str
    hosts: frozenset[str]
    origins: frozenset[str]
    cookie: str
    device_cookie: str
    secure: bool


def home(settings: Settings, port: int) -> Home:
    """The addresses of a hub that listens on `port` (the port served, also where the setting says 0)."""
    return _home(settings.url, port)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own, for nobody else to reach."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Advice(NamedTuple):
    """What will not be as somebody may expect, and what to do."""

    said: str
    todo: str


def advise(settings: Settings) -> list[Advice]:
    """What an operator should know of the hub's addresses. None of it keeps the hub from starting."""
    return [*_of_home(settings), *_of_proxies(settings)]


def _of_proxies(settings: Settings) -> list[Advice]:
    named = [ipaddress.ip_network(one) for one in map(str.strip, settings.trusted_proxies.split(",")) if one]
    if all(network.prefixlen > 0 for network in named):
        return []
    said = "HUBCHAT_TRUSTED_PROXIES is everybody, so whoever comes may say that they come from elsewhere"
    return [Advice(said, "set it to the proxy's address alone")]


def _of_home(settings: Settings) -> list[Advice]:
    host = urlsplit(settings.url or "").hostname or ""
    if settings.url is None and not is_loopback(settings.host):
        return [Advice("HUBCHAT_URL is not set, so only http://localhost is answered", "set it to the hub's address")]
    if settings.url is None or is_loopback(host):
        return []
    if settings.url.startswith("http:"):
        return [Advice("passwords travel in the clear", "serve the hub by https, and set HUBCHAT_URL so")]
    if not settings.trusted_proxies:
        said = (
            "HUBCHAT_TRUSTED_PROXIES is not set, so everybody behind the proxy that speaks https counts as one address"
        )
        return [Advice(said, "set it to the proxy's address, 127.0.0.1 for one on this machine")]
    return []


@lru_cache(maxsize=16)
def _home(url: str | None, port: int) -> Home:
    urls = [url] if url is not None else [f"http://{host}:{port}" for host in LOOPBACK]
    secure = urls[0].startswith("https:")
    public_port = urlsplit(urls[0]).port or DEFAULT_PORTS[urlsplit(urls[0]).scheme]
    return Home(
        url=urls[0],
        hosts=frozenset(host for each in urls for host in _spellings(each)),
        origins=frozenset(_origin(each) for each in urls),
        cookie="__Host-hubchat" if secure else f"hubchat_{public_port}",
        device_cookie="__Host-hubchat-device" if secure else f"hubchat_device_{public_port}",
        secure=secure,
    )


def _spellings(url: str) -> Iterable[str]:
    """The values of `Host` that mean this URL: a default port may be written or left out."""
    scheme, netloc = urlsplit(url)[:2]
    host, port = _parted(netloc)
    yield netloc
    if port is None or port == DEFAULT_PORTS[scheme]:
        yield from (host, f"{host}:{DEFAULT_PORTS[scheme]}")


def _origin(url: str) -> str:
    """RFC 6454, 6.2: an origin is written without its scheme's default port."""
    scheme, netloc = urlsplit(url)[:2]
    host, port = _parted(netloc)
    return f"{scheme}://{host}" if port in (None, DEFAULT_PORTS[scheme]) else f"{scheme}://{netloc}"


def _parted(netloc: str) -> tuple[str, int | None]:
    port = urlsplit(f"//{netloc}").port
    return (netloc, None) if port is None else (netloc.removesuffix(f":{port}"), port)
