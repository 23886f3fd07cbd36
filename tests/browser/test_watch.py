"""The watch over all other tests of this folder: what it is there for, it sees."""

from typing import Final

import pytest
from playwright.sync_api import Page

from tests.browser.people import People
from tests.program import Running

DEEDS: Final = {
    "policy: script-src-elem": "document.head.append(Object.assign(document.createElement('script'), { text: '1' }))",
    "policy: img-src": "new Image().src = 'http://elsewhere.example/pixel.png'",
    "policy: connect-src": "fetch('http://elsewhere.example/').catch(() => 0)",
    "exception: oh": "setTimeout(() => { throw new Error('oh') })",
    "exception: no": "void Promise.reject(new Error('no'))",
    "console: ouch": "console.error('ouch')",
    "status of 404": "fetch('/api/v1/groups/nowhere')",
    "dialog: 1": "setTimeout(() => alert(1))",
    "request elsewhere: http://elsewhere.example/away": "location.href = 'http://elsewhere.example/away'",
}


@pytest.mark.parametrize(("seen", "deed"), DEEDS.items(), ids=list(DEEDS))
def test_it_sees_what_a_page_must_never_do(hub: Running, people: People, seen: str, deed: str) -> None:
    guest = people.guest(hub)
    guest.go("/")
    watch = people.watch(hub)
    assert watch.seen == []
    guest.page.evaluate(f"() => {{ {deed} }}")
    wait_until_seen(guest.page, watch.seen, seen)
    watch.seen.clear()


def wait_until_seen(page: Page, told: list[str], seen: str) -> None:
    for _ in range(200):
        if any(seen in one for one in told):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{seen!r} was not seen: {told}")
