"""What stands where: words clear of edges, and things of one column in one column."""

from typing import Final

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.people import People
from tests.program import Running

ROUNDING_PX: Final = 1
CLEAR_PX: Final = 4
"""The least space between a word and what ends beside it."""
HEIGHT: Final = "(one) => getComputedStyle(one).height"
LINES: Final = """(one) => {
  const { height } = one.getBoundingClientRect();
  return Math.round(height / parseFloat(getComputedStyle(one).lineHeight));
}"""
WORDS_CLEAR: Final = """(rail) => [...rail.querySelectorAll('.word')].map((word) => {
  const text = document.createRange();
  text.selectNodeContents(word);
  const [inner, outer] = [text.getBoundingClientRect(), word.closest('a').getBoundingClientRect()];
  return [word.textContent, Math.min(inner.left - outer.left, outer.right - inner.right)];
})"""


def left(one: Locator) -> float:
    return float(one.evaluate("(one) => one.getBoundingClientRect().left"))


def right(one: Locator) -> float:
    return float(one.evaluate("(one) => one.getBoundingClientRect().right"))


@pytest.mark.parametrize("width", [320, 390, 820, 1440])
def test_the_words_of_the_rail_stand_clear_of_its_edges(hub: Running, people: People, width: int) -> None:
    ana = people.member(hub, "Ana", viewport={"width": width, "height": 800})
    ana.go("/")
    rail = ana.page.get_by_role("navigation", name="Parts of the hub")
    expect(rail.get_by_role("link", name="Conversations")).to_be_visible()
    ana.page.evaluate("document.fonts.ready")
    words = rail.evaluate(WORDS_CLEAR)
    assert len(words) == 4
    assert all(space >= CLEAR_PX for _, space in words), words


def test_day_lines_are_as_wide_as_the_text_column(hub: Running, people: People) -> None:
    ana = people.member(hub, "Ana", viewport={"width": 1800, "height": 900})
    group = people.group(ana)
    ana.ask("POST", f"channels/{group.id}/messages", {"text": "Slept badly, walked anyway. " * 20})
    ana.open_room(group.path)
    text = ana.messages.last.locator(".prose")
    expect(text).to_be_visible()
    ana.page.evaluate("document.fonts.ready")
    line = ana.feed.locator("p").filter(has_text="Today")
    assert right(text) < right(ana.feed) - 100, "the room is wider than its text"
    assert abs(right(line) - right(text)) <= ROUNDING_PX
    assert abs(left(line) - left(ana.messages.last.locator(".side"))) <= ROUNDING_PX


def test_the_field_is_as_high_as_what_is_edited(hub: Running, people: People) -> None:
    _, (ana,) = people.together(hub, "Ana")
    ana.composer.fill("one\ntwo\nthree\nfour")
    height = ana.composer.evaluate(HEIGHT)
    ana.composer.press("Enter")
    expect(ana.message("four")).not_to_contain_text("Being sent")
    empty = ana.composer.evaluate(HEIGHT)
    assert float(empty[:-2]) < float(height[:-2])
    ana.composer.press("ArrowUp")
    expect(ana.composer).to_have_css("height", height)
    ana.composer.press("Escape")
    expect(ana.composer).to_have_css("height", empty)


@pytest.mark.parametrize("width", [390, 1440])
def test_the_way_out_of_a_group_stands_in_the_column_of_its_neighbours(
    hub: Running, people: People, width: int
) -> None:
    ana, ben = people.member(hub, "Ana", viewport={"width": width, "height": 800}), people.member(hub, "Ben")
    group = people.group(ben, ana)
    ana.open_room(group.path)
    if width < 1280:
        ana.button("Show details").click()
    panel = ana.page.get_by_role("tabpanel")
    sign = panel.get_by_role("button", name="Leave the group").locator("svg")
    assert abs(left(sign) - left(panel.get_by_role("heading", name=group.title))) <= ROUNDING_PX


def test_the_name_on_a_pin_is_not_broken_where_it_has_a_line_to_itself(hub: Running, people: People) -> None:
    ana = people.member(hub, "Ana", viewport={"width": 1440, "height": 800})
    ana.ask("PATCH", "me", {"name": "Bartholomew Featherstone"})
    group = people.group(ana)
    seq = ana.ask("POST", f"channels/{group.id}/messages", {"text": "Read this first"})["seq"]
    ana.ask("PUT", f"channels/{group.id}/messages/{seq}/pin")
    ana.open_room(group.path)
    ana.page.get_by_role("tab", name="Pinned").click()
    name = ana.page.get_by_role("tabpanel").locator("bdi")
    expect(name).to_have_text("Bartholomew Featherstone")
    assert name.evaluate(LINES) == 1
