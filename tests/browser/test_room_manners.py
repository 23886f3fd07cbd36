"""What the room does of itself: where the focus goes, what stays and what goes away."""

import re
from typing import Final

from playwright.sync_api import WebSocketRoute, expect

from tests.browser.people import People
from tests.program import Running

BANNER_GONE: Final = """() => {
  window.banner = { seen: false, gone: false };
  const place = document.querySelector('.banner-place');
  new MutationObserver(() => {
    const isThere = place.querySelector('.banner') !== null;
    window.banner.gone ||= window.banner.seen && !isThere;
    window.banner.seen ||= isThere;
  }).observe(place, { childList: true, subtree: true });
}"""
"""Sees whether the banner goes once it is there."""


def test_entering_a_room_says_its_name_and_leads_to_where_one_writes(hub: Running, people: People) -> None:
    ana = people.member(hub, "Ana")
    group = people.group(ana, title="Night walkers")
    ana.go("/groups")
    expect(ana.page).to_have_title(re.compile("Groups"))
    ana.page.get_by_role("complementary").get_by_role("link", name="Night walkers").click()
    expect(ana.composer).to_be_focused()
    expect(ana.page.locator("#svelte-announcer")).to_contain_text("Night walkers")
    ana.page.goto(f"{hub.url}{group.path}")
    expect(ana.composer).to_be_focused()


def test_after_a_deletion_the_focus_is_at_a_message(hub: Running, people: People) -> None:
    _, (ana,) = people.together(hub, "Ana")
    for text in ("First", "Second", "Third"):
        ana.say(text)
        expect(ana.message(text)).not_to_contain_text("Being sent")
    ana.act(ana.message("Second"), "Delete")
    ana.page.get_by_role("dialog").get_by_role("button", name="Delete").press("Enter")
    gone = ana.message("This message was deleted.")
    expect(gone).to_be_visible()
    expect(gone).to_be_focused()
    ana.page.keyboard.press("ArrowUp")
    expect(ana.message("First")).to_be_focused()


def test_tools_go_with_the_pointer_that_used_them(hub: Running, people: People) -> None:
    _, (ana,) = people.together(hub, "Ana")
    ana.say("First")
    expect(ana.message("First")).not_to_contain_text("Being sent")
    ana.say("Second")
    expect(ana.message("Second")).not_to_contain_text("Being sent")
    first = ana.message("First")
    first.hover()
    first.get_by_role("button", name="Actions").click()
    ana.page.get_by_role("menuitem", name="Pin").click()
    expect(first).to_contain_text("Pinned")
    ana.composer.hover()
    expect(first.get_by_role("button", name="Actions")).to_be_hidden()
    ana.act(first, "Delete")
    dialog = ana.page.get_by_role("dialog")
    ana.page.mouse.move(5, 5)
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()


def test_the_field_is_small_again_after_a_cancelled_edit(hub: Running, people: People) -> None:
    _, (ana,) = people.together(hub, "Ana")
    small = ana.composer.bounding_box()
    ana.say("\n".join("line" for _ in range(6)))
    expect(ana.messages.first).not_to_contain_text("Being sent")
    ana.composer.press("ArrowUp")
    expect(ana.composer).not_to_have_value("")
    tall = ana.composer.bounding_box()
    ana.composer.press("Escape")
    expect(ana.composer).to_have_value("")
    expect(ana.sees("You are editing your message")).to_be_hidden()
    ana.page.evaluate("() => new Promise(requestAnimationFrame)")
    after = ana.composer.bounding_box()
    assert small
    assert tall
    assert after
    assert tall["height"] > small["height"]
    assert after["height"] == small["height"]


def test_nobody_is_shown_as_here_while_this_browser_is_offline(hub: Running, people: People) -> None:
    _, (ana, ben) = people.together(hub, "Ana", "Ben", visibility="closed")
    ana.page.get_by_role("tab", name="People").click()
    panel = ana.page.get_by_role("tabpanel")
    expect(panel.get_by_text("here now").first).to_be_visible()
    expect(panel.locator(".online")).to_have_count(2)
    people.watch(hub).forgive("ERR_INTERNET_DISCONNECTED")
    ana.page.context.set_offline(True)
    expect(ana.banner).to_be_visible()
    expect(panel.locator(".online")).to_have_count(0)
    expect(panel).to_contain_text(ben.name)
    ana.page.context.set_offline(False)
    expect(panel.locator(".online")).to_have_count(2)


def test_the_banner_stands_above_the_room_and_covers_none_of_it(hub: Running, people: People) -> None:
    ana = people.member(hub, "Ana")
    group = people.group(ana)
    ana.pour(group.id, [f"Line {number}" for number in range(60)])
    ana.open_room(group.path)
    line = ana.message("Line 30")
    line.scroll_into_view_if_needed()
    ana.page.evaluate("() => new Promise(requestAnimationFrame)")
    before = line.bounding_box()
    people.watch(hub).forgive("ERR_INTERNET_DISCONNECTED")
    ana.page.context.set_offline(True)
    expect(ana.banner).to_be_visible()
    ana.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    banner, heading, after = (
        one.bounding_box() for one in (ana.banner, ana.page.get_by_role("heading", level=1), line)
    )
    assert banner
    assert heading
    assert before
    assert after
    assert banner["y"] + banner["height"] <= heading["y"]
    assert abs(after["y"] - before["y"]) < 2, "what is read stays where it is"


def test_the_banner_stays_from_a_lost_connection_to_the_next_one(hub: Running, people: People) -> None:
    ana = people.member(hub, "Ana")
    group = people.group(ana)
    lines: list[WebSocketRoute] = []

    def connect(line: WebSocketRoute) -> None:
        lines.append(line)
        if len(lines) == 1:  # the hub answers the first one only
            line.connect_to_server()

    ana.page.route_web_socket("**/live", connect)
    ana.open_room(group.path)
    expect(ana.composer).to_be_visible()
    ana.page.evaluate(BANNER_GONE)
    lines[0].close(code=1012)
    expect(ana.banner).to_contain_text("Connecting …")
    assert ana.page.evaluate("window.banner") == {"seen": True, "gone": False}


def test_times_of_twelve_hours_stay_in_their_column(hub: Running, people: People) -> None:
    ana = people.member(hub, "Ana", locale="en-US")
    group = people.group(ana)
    for text in ("One", "Two"):
        ana.ask("POST", f"channels/{group.id}/messages", {"text": text})
    ana.open_room(group.path)
    second = ana.message("Two")
    second.hover()
    time, words = second.locator(".aside").bounding_box(), second.get_by_text("Two").bounding_box()
    assert time
    assert words
    assert time["x"] + time["width"] <= words["x"]
    expect(second.locator(".aside")).to_have_text(re.compile(r"^\d{1,2}:\d\d$"))


def test_who_is_banned_stands_in_the_settings_at_once(hub: Running, people: People) -> None:
    ana, ben = people.member(hub, "Ana"), people.member(hub, "Ben")
    group = people.group(ana, ben, visibility="closed")
    ana.go(f"{group.path}/settings")
    banned = ana.page.get_by_role("region", name="Banned")
    expect(banned).to_contain_text("Nobody is banned.")
    ana.button("Actions for Ben").click()
    ana.page.get_by_role("menuitem", name="Ban from the group").click()
    ana.page.get_by_role("dialog").get_by_role("button", name="Ban from the group").click()
    expect(banned).to_contain_text("Ben")
    cara = people.member(hub, "Cara")
    cara.ask("POST", f"groups/{group.id}/join", {})
    ana.ask("POST", f"groups/{group.id}/requests/{cara.handle}", {"decision": "approve"})
    expect(ana.page.get_by_role("region", name="Members")).to_contain_text("Cara")


def test_ones_own_handle_is_known_as_ones_own(hub: Running, people: People) -> None:
    ana = people.member(hub, "Ana")
    ana.go("/conversations/new")
    ana.page.get_by_label("With whom?").fill(f"@{ana.handle}")
    expect(ana.page.get_by_text("This is your own handle.")).to_be_visible()
