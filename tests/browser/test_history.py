"""Reading back: history pages up under the reader's eyes, and what is new since the last visit is marked."""

from typing import Final

from playwright.sync_api import expect

from tests.browser.people import People
from tests.program import Running

ANCHOR: Final = """(feed) => {
  const top = feed.getBoundingClientRect().top;
  const line = [...feed.querySelectorAll('article')].find((one) => one.getBoundingClientRect().bottom > top + 40);
  window.anchor = line;
  window.anchorText = line.textContent;
  return line.getBoundingClientRect().top;
}"""
"""Remembers the line that is being read, and gives where it stands."""
READ_BACK: Final = """async (feed) => {
  const frame = () => new Promise(requestAnimationFrame);
  const said = { worst: 0, pages: 0, reached: false };
  let oldest = feed.querySelector('article');
  for (let step = 0; step < 300 && !said.reached; step++) {
    feed.scrollTop -= 500;
    const line = [...feed.querySelectorAll('.prose')].find((one) => one.getBoundingClientRect().bottom > 150);
    const stood = line.getBoundingClientRect().top;
    for (let painted = 0; painted < 6; painted++) {
      await frame();
      said.worst = Math.max(said.worst, Math.abs(line.getBoundingClientRect().top - stood));
    }
    const first = feed.querySelector('article');
    said.pages += first !== oldest;
    oldest = first;
    said.reached = feed.scrollTop === 0 && feed.textContent.includes('This is the beginning.');
  }
  return said;
}"""
"""Scrolls to the beginning, and watches in each frame how far the words that are read stray from their place (px)."""
WHERE: Final = "() => window.anchor.isConnected ? window.anchor.getBoundingClientRect().top : null"
STILL_PX: Final = 2


def lines(count: int) -> list[str]:
    """Messages of very different heights."""
    return [f"Line {number}. " + "Slept badly, walked anyway. " * (number % 7) for number in range(1, count + 1)]


def test_history_pages_up_without_moving_the_line_that_is_read(hub: Running, people: People) -> None:
    ana = people.member(hub, "Ana")
    group = people.group(ana)
    ana.pour(group.id, lines(400))
    ana.open_room(group.path)
    expect(ana.message("Line 400.")).to_be_visible()
    read = ana.feed.evaluate(READ_BACK)
    assert read["reached"], read
    assert read["pages"] >= 3, "nothing was loaded while somebody read"
    assert read["worst"] <= STILL_PX, read
    expect(ana.message("Line 1.").first).to_be_in_viewport()


def test_who_reads_back_keeps_their_place_while_others_write(hub: Running, people: People) -> None:
    ana, ben = people.member(hub, "Ana"), people.member(hub, "Ben")
    group = people.group(ana, ben)
    ana.pour(group.id, lines(120))
    ana.open_room(group.path)
    expect(ana.message("Line 120.")).to_be_visible()
    ana.feed.hover()
    ana.page.mouse.wheel(0, -1500)
    expect(ana.button("To the newest")).to_be_visible()
    top = ana.feed.evaluate(ANCHOR)
    ben.pour(group.id, [f"News {number}" for number in range(1, 31)])
    pill = ana.button("30 new messages")
    expect(pill).to_be_visible()
    assert abs(ana.page.evaluate(WHERE) - top) <= STILL_PX
    pill.click()
    expect(ana.message("News 30")).to_be_in_viewport()
    expect(pill).to_be_hidden()
    ben.pour(group.id, ["And one more"])
    expect(ana.message("And one more")).to_be_in_viewport()


def test_a_room_opens_at_its_end_though_a_long_draft_makes_the_composer_grow(hub: Running, people: People) -> None:
    ana = people.member(hub, "Ana", viewport={"width": 820, "height": 1180})
    group = people.group(ana, title="A long draft")
    ana.pour(group.id, lines(60))
    ana.open_room(group.path)
    ana.composer.fill("\n".join(["What I would like to ask on Monday"] * 9))
    height = ana.composer.evaluate("(one) => getComputedStyle(one).height")
    for _ in range(3):  # without loading the page: all of the room is there at once, and then the draft
        ana.link("Groups").click()
        expect(ana.page.get_by_role("heading", name="Groups", level=1)).to_be_visible()
        ana.enter(group.title)
        expect(ana.composer).to_have_css("height", height)
        expect(ana.message("Line 60.")).to_be_in_viewport(ratio=1)
        expect(ana.button("To the newest")).to_be_hidden()


def test_a_room_with_more_news_than_fit_opens_at_their_line(hub: Running, people: People) -> None:
    ana, ben = people.member(hub, "Ana"), people.member(hub, "Ben")
    group = people.group(ana, ben, title="Much news")
    ana.open_room(group.path)
    ana.composer.fill("\n".join(["What I would like to ask on Monday"] * 9))
    ana.link("Groups").click()
    expect(ana.page.get_by_role("heading", name="Groups", level=1)).to_be_visible()
    ben.pour(group.id, lines(25))
    expect(ana.page.get_by_role("listitem").filter(has_text=group.title).first).to_contain_text("25 unread messages")
    ana.enter(group.title)
    expect(ana.sees("New since you were here")).to_be_in_viewport(ratio=1)
    expect(ana.button("To the newest")).to_be_visible()


def test_an_edit_above_the_view_does_not_move_it(hub: Running, people: People) -> None:
    ana = people.member(hub, "Ana")
    group = people.group(ana)
    ana.pour(group.id, lines(60))
    ana.open_room(group.path)
    expect(ana.message("Line 60.")).to_be_visible()
    ana.feed.hover()
    ana.page.mouse.wheel(0, -800)
    expect(ana.button("To the newest")).to_be_visible()
    top = ana.feed.evaluate(ANCHOR)
    first = ana.messages.first
    seq = first.get_attribute("data-key")
    ana.ask("PATCH", f"channels/{group.id}/messages/{seq}", {"text": "Much longer than before. " * 40})
    expect(first).to_contain_text("Much longer than before.")
    assert abs(ana.page.evaluate(WHERE) - top) <= STILL_PX


def test_what_was_read_the_moment_before_a_page_is_left_stays_read(hub: Running, people: People) -> None:
    group, (ana, ben) = people.together(hub, "Ana", "Ben")
    for line in lines(3):
        ben.say(line)
        expect(ana.message(line)).to_be_visible()
    ana.go("/")
    expect(ana.page.get_by_role("listitem").filter(has_text=group.title).first).not_to_contain_text("unread")


def test_a_line_marks_what_is_new_since_the_last_visit(hub: Running, people: People) -> None:
    group, (ana, ben) = people.together(hub, "Ana", "Ben")
    ben.say("Seen already")
    expect(ana.message("Seen already")).to_be_visible()
    ana.go("/")
    unread = ana.page.get_by_role("listitem").filter(has_text=group.title).first
    expect(unread).not_to_contain_text("unread")
    ben.pour(group.id, ["New one", "New two"])
    expect(unread).to_contain_text("2 unread messages")
    ana.enter(group.title)
    line = ana.sees("New since you were here")
    expect(line).to_be_visible()
    above = ana.feed.inner_text().split("New since you were here")[0]
    assert "Seen already" in above
    assert "New one" not in above
    expect(ana.page.get_by_role("listitem").filter(has_text=group.title).first).not_to_contain_text("unread")
    ana.go("/")
    ana.enter(group.title)
    expect(ana.message("New two")).to_be_visible()
    expect(line).to_be_hidden()


def test_a_link_to_one_message_leads_there_however_old_it_is(hub: Running, people: People) -> None:
    ana = people.member(hub, "Ana")
    group = people.group(ana)
    ana.pour(group.id, lines(500))
    ana.open_room(f"{group.path}#12")
    for seq in (12, 112, 212, 312):  # each just beyond what the one before has loaded
        ana.page.evaluate("(seq) => { location.hash = seq }", str(seq))
        aim = ana.page.locator(f'[data-key="{seq}"]')
        expect(aim).to_be_in_viewport()
        expect(aim).to_be_focused()
    ana.button("To the newest").click()
    expect(ana.message("Line 500.")).to_be_in_viewport()
