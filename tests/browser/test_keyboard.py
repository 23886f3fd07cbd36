"""Everything without a mouse."""

from typing import Final, Literal

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.people import People
from tests.browser.person import PASSWORD, Person
from tests.program import Running

MOST: Final = 40  # stops on any page


def tab_to(person: Person, name: str, role: Literal["link", "button", "textbox"] = "link") -> None:
    """Presses Tab until what is called so has the focus."""
    press_until_focused(person, "Tab", person.page.get_by_role(role, name=name).first)


def tab_back_to(person: Person, aim: Locator) -> None:
    press_until_focused(person, "Shift+Tab", aim)


def press_until_focused(person: Person, key: str, aim: Locator) -> None:
    aim.wait_for()
    for _ in range(MOST):
        if aim.evaluate("(one) => one === document.activeElement"):
            return
        person.page.keyboard.press(key)
    expect(aim).to_be_focused()


def test_the_way_from_signing_in_to_an_edited_message_needs_no_mouse(hub: Running, people: People) -> None:
    ana, ben = people.member(hub, "Ana"), people.member(hub, "Ben")
    group = people.group(ana, ben)
    ben.ask("POST", f"channels/{group.id}/messages", {"text": "Who walks on Sunday?"})
    person = people.guest(hub)
    keys = person.page.keyboard
    person.go("/sign-in")
    tab_to(person, "Handle", "textbox")
    keys.type(ana.handle)
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    expect(person.sees("Hello, Ana")).to_be_visible()

    tab_to(person, group.title)
    keys.press("Enter")
    person.feed.wait_for()
    expect(person.composer).to_be_focused()
    keys.type("I do")
    keys.press("Shift+Enter")
    keys.type("with the dog")
    keys.press("Enter")
    expect(person.message("with the dog")).to_be_visible()

    # Back into the list: one tab stop, at the newest or where one left it; arrows between messages.
    question = person.message("Who walks on Sunday?")
    tab_back_to(person, person.message("with the dog"))
    keys.press("ArrowUp")
    expect(question).to_be_focused()
    keys.press("Enter")
    expect(person.page.get_by_role("menuitem", name="React")).to_be_focused()
    keys.press("Enter")
    expect(person.page.get_by_role("button", name="👍", exact=True)).to_be_visible()
    tab_to(person, "👍", "button")
    keys.press("Enter")
    expect(question.get_by_role("button", name="reacted with 👍")).to_be_visible()
    expect(question).to_be_focused()
    keys.press("Escape")
    expect(person.composer).to_be_focused()
    expect(person.message("with the dog")).not_to_contain_text("Being sent")

    keys.press("ArrowUp")
    expect(person.composer).to_have_value("I do\nwith the dog")
    keys.type(" and the cat")
    keys.press("Enter")
    expect(person.message("and the cat")).to_contain_text("(edited)")
    expect(person.composer).to_be_focused()
    expect(person.composer).to_have_value("")


def test_escape_leaves_a_reply_and_an_edit_as_they_were(hub: Running, people: People) -> None:
    _, (ana,) = people.together(hub, "Ana")
    ana.say("As it was")
    expect(ana.message("As it was")).not_to_contain_text("Being sent")
    ana.composer.press("ArrowUp")
    expect(ana.sees("You are editing your message")).to_be_visible()
    ana.composer.fill("Something else")
    ana.composer.press("Escape")
    expect(ana.sees("You are editing your message")).to_be_hidden()
    expect(ana.composer).to_have_value("")
    expect(ana.message("As it was")).to_be_visible()
    expect(ana.message("Something else")).to_be_hidden()


def test_who_reacted_is_told_without_a_pointer(hub: Running, people: People) -> None:
    ana, ben = people.member(hub, "Ana"), people.member(hub, "Ben")
    group = people.group(ben, ana)
    seq = ben.ask("POST", f"channels/{group.id}/messages", {"text": "The scan was clear"})["seq"]
    for person, emoji in ((ben, "❤️"), (ana, "👍")):
        person.ask("PUT", f"channels/{group.id}/messages/{seq}/reactions/{emoji}")
    ana.open_room(group.path)
    keys = ana.page.keyboard
    message = ana.message("The scan was clear")
    tab_back_to(ana, message)
    keys.press("Enter")
    expect(ana.page.get_by_role("menuitem", name="React", exact=True)).to_be_focused()
    press_until_focused(ana, "ArrowDown", ana.page.get_by_role("menuitem", name="Who reacted"))
    keys.press("Enter")
    told = ana.page.get_by_role("dialog", name="Who reacted").get_by_role("listitem")
    expect(told).to_have_count(2)
    expect(told.filter(has_text="❤️")).to_contain_text("Ben")
    expect(told.filter(has_text="👍")).to_contain_text("Ana")
    keys.press("Escape")
    expect(told).to_have_count(0)
    expect(message).to_be_focused()


def test_wide_code_and_tables_are_scrolled_by_keys_and_have_a_name(hub: Running, people: People) -> None:
    ana = people.member(hub, "Ana")
    group = people.group(ana)
    wide = "| a | b |\n|---|---|\n| 1 | " + "w" * 300 + " |"
    for text in ("```\n" + "x = 1; " * 80 + "\n```", "```\nshort = 1\n```", wide, "The last words"):
        ana.ask("POST", f"channels/{group.id}/messages", {"text": text})
    ana.open_room(group.path)
    code = ana.page.get_by_role("group", name="Code")
    expect(code).to_have_count(2)
    last = ana.message("The last words")
    tab_back_to(ana, last)
    tab_back_to(ana, ana.page.get_by_role("group", name="Table"))
    tab_back_to(ana, code.first)
    ana.page.keyboard.press("ArrowRight")
    ana.page.wait_for_function("() => document.activeElement.scrollLeft > 0")
    expect(code.last).not_to_have_attribute("tabindex", "0")
    press_until_focused(ana, "Tab", last)


@pytest.mark.parametrize("width", [390, 1440])
def test_reading_back_replying_deleting_and_writing_on_need_no_mouse(hub: Running, people: People, width: int) -> None:
    ana = people.member(hub, "Ana", viewport={"width": width, "height": 844})
    ben = people.member(hub, "Ben")
    group = people.group(ana, ben)
    for text in ("Who walks on Sunday?", "I slept badly"):
        ben.ask("POST", f"channels/{group.id}/messages", {"text": text})
    ana.go("/")
    keys = ana.page.keyboard
    press_until_focused(ana, "Tab", ana.page.locator(f'a[href="{group.path}"]:visible').first)
    keys.press("Enter")
    expect(ana.composer).to_be_focused()

    question = ana.message("Who walks on Sunday?").first
    tab_back_to(ana, ana.message("I slept badly"))
    keys.press("ArrowUp")
    expect(question).to_be_focused()
    keys.press("Enter")
    expect(ana.page.get_by_role("menuitem", name="React")).to_be_focused()
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(ana.composer).to_be_focused()
    keys.type("I do")
    keys.press("Enter")
    answer = ana.message("I do")
    expect(answer).not_to_contain_text("Being sent")

    tab_back_to(ana, question)  # where one left the list
    keys.press("End")
    expect(answer).to_be_focused()
    press_until_focused(ana, "Tab", answer.get_by_role("button", name="In reply to"))
    keys.press("Enter")
    expect(question).to_be_focused()
    keys.press("End")
    expect(answer).to_be_focused()
    keys.press("Enter")
    press_until_focused(ana, "ArrowDown", ana.page.get_by_role("menuitem", name="Delete"))
    keys.press("Enter")
    press_until_focused(ana, "Tab", ana.page.get_by_role("dialog").get_by_role("button", name="Delete"))
    keys.press("Enter")
    gone = ana.message("This message was deleted.")
    expect(gone).to_be_focused()
    keys.press("ArrowUp")
    expect(ana.message("I slept badly")).to_be_focused()
    keys.press("Escape")
    expect(ana.composer).to_be_focused()
    keys.type("And on Monday")
    keys.press("Enter")
    expect(ana.message("And on Monday")).to_be_visible()
    expect(ana.composer).to_be_focused()
