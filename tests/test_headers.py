"""What is read from the headers of a request."""

import pytest

from hubchat.headers import cookie_in


@pytest.mark.parametrize(
    "beside", ['prefs={"a":1}', "a b=1", "[x]=1", "=", "nothing", '"', "theme=dark", "name=Ана"]
)  # fmt: skip
def test_our_cookie_is_found_beside_whatever_else_the_host_has_set(beside: str) -> None:
    assert cookie_in([f"{beside}; hubchat_8000=secret"], "hubchat_8000") == "secret"
    assert cookie_in([f"hubchat_8000=secret; {beside}"], "hubchat_8000") == "secret"
    assert cookie_in([beside, "hubchat_8000=secret"], "hubchat_8000") == "secret"
    assert cookie_in([beside], "hubchat_8000") is None
