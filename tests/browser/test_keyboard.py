"""Everything without a mouse."""

from typing import Final, Literal

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
    tab_to(person, "Your message", "textbox")
    keys.type("I do")
    keys.press("Shift+Enter")
    keys.type("with the dog")
    keys.press("Enter")
    expect(person.message("with the dog")).to_be_visible()

    # Back into the list: one tab stop, where one left it; arrows between messages.
    question = person.message("Who walks on Sunday?")
    tab_back_to(person, question)
    keys.press("ArrowDown")
    expect(person.message("with the dog")).to_be_focused()
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
