"""The hub in a hand: one thing at a time, and back leads to where one came from."""

from typing import Any, Final

import pytest
from playwright.sync_api import expect

from tests.browser.people import People
from tests.program import Running

PHONE: Final[dict[str, Any]] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
TABLET: Final[dict[str, Any]] = {**PHONE, "viewport": {"width": 820, "height": 1180}}
LEAST_PX: Final = 44  # what a finger hits
FROM_TO: Final = "(one) => [one.getBoundingClientRect().top, one.getBoundingClientRect().bottom]"


def test_groups_room_details_and_back(hub: Running, people: People) -> None:
    ana, ben = people.member(hub, "Ana", **PHONE), people.member(hub, "Ben")
    group = people.group(ben, ana)
    ben.ask("POST", f"channels/{group.id}/messages", {"text": "Who walks on Sunday?"})
    ana.go("/")
    ana.page.get_by_role("listitem").filter(has_text=group.title).tap()
    expect(ana.message("Who walks on Sunday?")).to_be_visible()
    ana.say("I do")
    expect(ana.message("I do")).to_be_in_viewport()
    ana.button("Show details").tap()
    expect(ana.page.get_by_role("dialog")).to_be_visible()
    ana.page.get_by_role("dialog").get_by_role("button", name="Hide details").tap()
    expect(ana.page.get_by_role("dialog")).to_be_hidden()
    ana.button("Back").tap()
    expect(ana.sees("Hello, Ana")).to_be_visible()
    ana.page.get_by_role("link", name="Groups").first.tap()
    expect(ana.page.get_by_role("heading", name="Groups", level=1)).to_be_visible()
    ana.page.go_back()
    expect(ana.sees("Hello, Ana")).to_be_visible()


def test_a_message_is_acted_on_by_touch(hub: Running, people: People) -> None:
    ana, ben = people.member(hub, "Ana", **PHONE), people.member(hub, "Ben")
    group = people.group(ben, ana)
    ben.ask("POST", f"channels/{group.id}/messages", {"text": "The scan was clear"})
    ana.open_room(group.path)
    message = ana.message("The scan was clear")
    message.tap()
    message.get_by_role("button", name="React", exact=True).tap()
    ana.page.get_by_role("button", name="❤️", exact=True).tap()
    expect(message.get_by_role("button", name="reacted with ❤️")).to_have_text("❤️1")


@pytest.mark.parametrize("screen", [PHONE, TABLET], ids=["phone", "tablet"])
def test_the_tools_for_a_message_cover_nobodys_words(hub: Running, people: People, screen: dict[str, Any]) -> None:
    ana, ben = people.member(hub, "Ana", **screen), people.member(hub, "Ben")
    group = people.group(ben, ana)
    ben.pour(group.id, [f"Line {number}. " + "Slept badly, walked anyway. " * 8 for number in range(1, 31)])
    ana.open_room(group.path)
    message = ana.message("Line 30.")
    message.tap()
    reply = message.get_by_role("button", name="Reply")
    expect(reply).to_contain_text("Reply")
    feed, tools, composer = (one.evaluate(FROM_TO) for one in (ana.feed, reply, ana.composer))
    assert feed[1] <= tools[0], "below the last line of the history"
    assert tools[1] <= composer[0], "above the field"
    ana.feed.evaluate("(feed) => { feed.scrollTop = 0 }")
    expect(reply).to_be_hidden()
    ana.message("Line 1.").first.tap()
    reply = ana.message("Line 1.").first.get_by_role("button", name="Reply")
    expect(reply).to_be_visible()
    ana.composer.tap()
    expect(reply).to_be_hidden()
    ana.message("Line 2.").first.tap()
    ana.message("Line 2.").first.get_by_role("button", name="Actions").tap()
    ana.page.get_by_role("menuitem", name="Reply").tap()
    expect(ana.composer).to_be_focused()
    expect(ana.feed.get_by_role("button", name="Actions")).to_be_hidden()


def test_a_finger_finds_out_who_reacted(hub: Running, people: People) -> None:
    ana, ben = people.member(hub, "Ana", **PHONE), people.member(hub, "Ben")
    group = people.group(ben, ana)
    seq = ben.ask("POST", f"channels/{group.id}/messages", {"text": "The scan was clear"})["seq"]
    ben.ask("PUT", f"channels/{group.id}/messages/{seq}/reactions/❤️")
    ana.open_room(group.path)
    message = ana.message("The scan was clear")
    message.tap()
    message.get_by_role("button", name="Actions").tap()
    ana.page.get_by_role("menuitem", name="Who reacted").tap()
    dialog = ana.page.get_by_role("dialog", name="Who reacted")
    expect(dialog.get_by_role("listitem")).to_contain_text("❤️")
    expect(dialog.get_by_role("listitem")).to_contain_text("Ben")
    dialog.get_by_role("button", name="Close").tap()
    expect(dialog).to_be_hidden()
    expect(message).to_be_focused()


def test_what_a_finger_aims_at_is_large_enough(hub: Running, people: People) -> None:
    ana = people.member(hub, "Ana", **PHONE)
    group = people.group(ana)
    ana.ask("POST", f"channels/{group.id}/messages", {"text": "Hello"})
    small: list[str] = []
    # Left out: links within a sentence, and those whose whole card or label is the aim.
    for path in ("/", "/groups", group.path, "/account", "/conversations/new", "/groups/new"):
        ana.go(path)
        expect(ana.page.get_by_role("heading", level=1).first).to_be_visible()
        expect(ana.page.locator(".skeleton, [aria-busy=true]")).to_have_count(0)
        small += ana.page.evaluate(
            """(least) => [...document.querySelectorAll('button, a[href], input, select, textarea, summary')]
              .filter((one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
              .filter((one) => !one.matches('.skip, p a, li.none a, h3 a, [type=checkbox], [type=radio]'))
              .map((one) => [one, one.getBoundingClientRect()])
              .filter(([, { width, height }]) => width > 1 && (width < least || height < least))
              .map(([one, { width, height }]) =>
                `${location.pathname} ${one.outerHTML.slice(0, 120)} ${width.toFixed()} x ${height.toFixed()}`)""",
            LEAST_PX,
        )
    assert not small, "\n".join(small)
