"""The pictures of docs/pictures, taken of the demo: `make docs`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import expect

from tests.browser.people import People
from tests.browser.person import Person
from tests.program import Running

PICTURES: Final = Path(__file__).resolve().parents[2] / "docs" / "pictures"
MOST_BYTES: Final = 200_000  # a clone is for everybody
SCREENS: Final[dict[str, dict[str, Any]]] = {
    "desktop": {"viewport": {"width": 1440, "height": 840}},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}


def sign_in(ana: Person, _: Person) -> None:
    ana.go("/sign-in")
    expect(ana.button("Sign in")).to_be_visible()


def start(ana: Person, _: Person) -> None:
    ana.go("/")
    expect(ana.button("Continue as Ana Sousa")).to_be_visible()


def room(ana: Person, ben: Person) -> None:
    """Ana has read everything, and Ben is writing."""
    for person in (ana, ben):
        person.ask("POST", "demo/continue", {"handle": "ana" if person is ana else "ben"})
    group = ana.ask("GET", "groups/lung-cancer")
    ana.ask("PUT", f"channels/{group['id']}/read", {"seq": group["head"]})
    for person in (ben, ana):
        person.open_room("/groups/lung-cancer")
        expect(person.messages.last).to_be_in_viewport()
    expect(ana.feed.locator(".prose .plain")).to_have_count(0)
    if (people := ana.page.get_by_role("tab", name="People")).is_visible():
        people.click()
        expect(ana.page.get_by_role("tabpanel")).to_contain_text("2 here now")
    ben.write_until(ana.sees("Ben Whitfield is writing …"))


def groups(ana: Person, _: Person) -> None:
    ana.ask("POST", "demo/continue", {"handle": "ana"})
    ana.go("/groups")
    expect(ana.page.get_by_role("heading", name="More groups")).to_be_visible()


PAGES: Final[dict[str, Callable[[Person, Person], None]]] = {
    "sign-in": sign_in,
    "start": start,
    "room": room,
    "groups": groups,
}


@pytest.mark.pictures
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("name", PAGES)
def test_a_picture_shows(demo: Running, people: People, name: str, screen: str, scheme: str) -> None:
    look = {"color_scheme": scheme, "reduced_motion": "reduce", "locale": "en-GB", "timezone_id": "Europe/Brussels"}
    ana = people.guest(demo, **SCREENS[screen], **look)
    PAGES[name](ana, people.guest(demo))
    ana.page.evaluate("document.fonts.ready")
    path = PICTURES / f"{name}-{screen}-{scheme}.png"
    ana.page.screenshot(path=path, animations="disabled", caret="hide")
    assert path.stat().st_size < MOST_BYTES
