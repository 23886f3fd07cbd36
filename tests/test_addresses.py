"""The hub's own addresses."""

import pytest

from hubchat.addresses import home
from hubchat.settings import Settings


def test_without_a_url_the_hub_is_at_home_on_loopback_alone() -> None:
    here = home(Settings(), 8001)
    assert here.hosts == {"localhost:8001", "127.0.0.1:8001", "[::1]:8001"}
    assert here.origins == {"http://localhost:8001", "http://127.0.0.1:8001", "http://[::1]:8001"}
    assert (here.url, here.cookie, here.secure) == ("http://localhost:8001", "hubchat_8001", False)


HUB = "https://hub.example.org"


@pytest.mark.parametrize(
    ("url", "hosts", "origin", "cookie"),
    [
        (HUB, {"hub.example.org", "hub.example.org:443"}, HUB, "__Host-hubchat"),
        ("https://Hub.Example.org:443/", {"hub.example.org", "hub.example.org:443"}, HUB, "__Host-hubchat"),
        (f"{HUB}:8443", {"hub.example.org:8443"}, f"{HUB}:8443", "__Host-hubchat"),
        ("http://10.0.0.7", {"10.0.0.7", "10.0.0.7:80"}, "http://10.0.0.7", "hubchat_80"),
        ("http://[2001:db8::1]:81", {"[2001:db8::1]:81"}, "http://[2001:db8::1]:81", "hubchat_81"),
    ],
)
def test_with_a_url_it_is_at_home_there_alone(url: str, hosts: set[str], origin: str, cookie: str) -> None:
    here = home(Settings(url=url), 8000)
    assert here.hosts == hosts
    assert here.origins == {origin}
    assert here.cookie == cookie
