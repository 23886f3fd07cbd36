"""Scripts, directions and lengths that a layout must bear."""

from typing import Final

import pytest
from playwright.sync_api import expect

from tests.browser.people import People
from tests.browser.person import Person
from tests.program import Running

ARABIC: Final = "صباح الخير من مالمو، كيف حالكم اليوم؟"
HEBREW_FIRST: Final = "שלום everybody"
LONG_WORD: Final = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 5
LONG_NAME: Final = "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewis"
WIDE: Final = {"width": 1440, "height": 900}
PHONE: Final = {"width": 390, "height": 844}


def overflow_px(person: Person) -> int:
    """How far the page can be pushed sideways."""
    return int(person.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_long_words_and_names_stay_within_the_page(hub: Running, people: People, viewport: dict[str, int]) -> None:
    ana = people.member(hub, "Ana", viewport=viewport)
    ana.ask("PATCH", "me", {"name": LONG_NAME})
    group = people.group(ana, title=LONG_NAME)
    ana.pour(
        group.id,
        [LONG_WORD, f"`{LONG_WORD}`", f"> {LONG_WORD}", "| " + " | ".join([LONG_WORD] * 6) + " |\n|" + "-|" * 6],
    )
    ana.open_room(group.path)
    expect(ana.messages).to_have_count(4)
    assert overflow_px(ana) == 0
    feed = ana.feed.evaluate("(feed) => [feed.scrollWidth, feed.clientWidth]")
    assert feed[0] <= feed[1]
    for path in ("/", "/groups", "/account"):
        ana.go(path)
        expect(ana.page.get_by_role("heading", level=1)).to_be_visible()
        assert overflow_px(ana) == 0, path


def test_each_text_runs_in_its_own_direction(hub: Running, people: People) -> None:
    _, (ana,) = people.together(hub, "Ana")
    for text in (ARABIC, HEBREW_FIRST, "Good morning سمير"):
        ana.say(text)
    directions = "(prose) => getComputedStyle(prose.querySelector('p') ?? prose).direction"
    for text, direction in ((ARABIC, "rtl"), (HEBREW_FIRST, "rtl"), ("Good morning", "ltr")):
        message = ana.message(text)
        expect(message).to_be_visible()
        assert message.locator(".prose").evaluate(directions) == direction
    ana.composer.fill(ARABIC)
    assert ana.composer.evaluate("(field) => getComputedStyle(field).direction") == "rtl"


def test_a_page_that_runs_from_right_to_left_holds_together(hub: Running, people: People) -> None:
    _, (ana,) = people.together(hub, "Ana")
    ana.say(ARABIC)
    ana.page.evaluate("document.documentElement.dir = 'rtl'")
    expect(ana.message(ARABIC)).to_be_visible()
    assert overflow_px(ana) == 0
    feed = ana.feed.bounding_box()
    rooms = ana.page.get_by_role("complementary", name="My groups and conversations").bounding_box()
    assert feed is not None
    assert rooms is not None
    assert rooms["x"] > feed["x"] + feed["width"] - 1, "the list stands where lines begin: at the right"
