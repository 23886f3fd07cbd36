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
DEVICES: Final[dict[str, dict[str, Any]]] = {
    "desktop": {"viewport": {"width": 1440, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}


def sign_in(person: Person) -> None:
    person.go("/sign-in")
    expect(person.button("Sign in")).to_be_visible()


def start(person: Person) -> None:
    person.go("/")
    expect(person.button("Continue as Ana Sousa")).to_be_visible()


def room(person: Person) -> None:
    person.ask("POST", "demo/continue", {"handle": "ana"})
    person.open_room("/groups/lung-cancer")
    expect(person.messages.last).to_be_in_viewport()
    expect(person.feed.locator(".prose .plain")).to_have_count(0)


def groups(person: Person) -> None:
    person.ask("POST", "demo/continue", {"handle": "ana"})
    person.go("/groups")
    expect(person.page.get_by_role("heading", name="More groups")).to_be_visible()


PAGES: Final[dict[str, Callable[[Person], None]]] = {
    "sign-in": sign_in,
    "start": start,
    "room": room,
    "groups": groups,
}


@pytest.mark.pictures
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", PAGES)
def test_a_picture_shows(demo: Running, people: People, name: str, device: str, scheme: str) -> None:
    person = people.guest(
        demo,
        **DEVICES[device],
        color_scheme=scheme,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/Brussels",
    )
    PAGES[name](person)
    person.page.evaluate("document.fonts.ready")
    path = PICTURES / f"{name}-{device}-{scheme}.png"
    person.page.screenshot(path=path, animations="disabled", caret="hide")
    assert path.stat().st_size < MOST_BYTES
