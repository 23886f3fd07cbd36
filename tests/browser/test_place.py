"""The reader's place: whatever comes, goes or grows around what is read, its words stay where they are.

What a test waits for is held back and let go, so that it comes while the reader is where it would do harm; the page
runs as on a slow phone. Each painted frame is looked at.
"""

from collections.abc import Sequence
from typing import Any, Final

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.people import Group, People
from tests.browser.person import Person
from tests.program import Running

STILL_PX: Final = 2
SLOWER: Final = 4  # times
LONG: Final = "\n".join(f"Row {number} of many" for number in range(1, 61))
WATCH: Final = """(feed) => {
  const words = (line) => line.querySelector('.prose');
  const view = feed.getBoundingClientRect();
  const read = [...feed.querySelectorAll('article')]
    .map((line) => ({ key: line.dataset.key, of: words(line), stood: words(line).getBoundingClientRect().top }))
    .filter(({ stood }) => stood >= view.top && stood < view.bottom);
  const watch = { lines: read.length, strayed: {}, frames: 0 };
  window.watch = watch;
  const look = () => {
    watch.frames += 1;
    for (const { key, of, stood } of read) {
      const by = of.isConnected ? Math.abs(of.getBoundingClientRect().top - stood) : Infinity;
      watch.strayed[key] = Math.max(watch.strayed[key] ?? 0, by);
    }
  };
  const painted = new MessageChannel();
  painted.port1.onmessage = look;
  const frame = () => { painted.port2.postMessage(null); requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
}"""
"""Looks after each frame is painted how far the lines in view have strayed (px)."""
FRAMES: Final = "(from) => window.watch.frames > from + 10"
SCROLL: Final = """async (feed, top) => {
  feed.scrollTop = top;
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
}"""
CUT: Final = """async (feed) => {
  const top = feed.getBoundingClientRect().top;
  const line = [...feed.querySelectorAll('article')].find((one) => one.getBoundingClientRect().bottom > top);
  feed.scrollTop += line.getBoundingClientRect().bottom - top - 12;
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
  return Number(line.dataset.key);
}"""
"""Scrolls so that a line is cut by the upper edge of the view, and gives its number."""
TO_END: Final = "(feed) => feed.scrollHeight - feed.clientHeight - feed.scrollTop"
MIDDLE: Final = """(one) => {
  const { top, bottom } = one.getBoundingClientRect();
  return (top + bottom) / 2;
}"""
SCROLL_AS_THEY_COME: Final = """(feed, by) => {
  const rows = feed.querySelector('.rows');
  const came = new MutationObserver(() => {
    came.disconnect();
    const line = feed.querySelectorAll('article')[70];
    feed.scrollTop -= by;
    window.stands = { line, at: line.getBoundingClientRect().top };
  });
  came.observe(rows, { childList: true });
}"""
"""A step up in the very frame in which more is drawn, which the page is told of in the next one only."""
STRAYED: Final = "() => Math.abs(window.stands.line.getBoundingClientRect().top - window.stands.at)"


class HeldBack:
    """What the hub says to a page over its live connection, held back from `hold` to `let_go`."""

    def __init__(self, person: Person) -> None:
        self._socket: WebSocketRoute | None = None
        self._kept: list[str | bytes] = []
        self._holds = False
        person.page.route_web_socket("**/live", self._follow)

    def _follow(self, socket: WebSocketRoute) -> None:
        self._socket = socket
        socket.connect_to_server().on_message(
            lambda said: self._kept.append(said) if self._holds else socket.send(said)
        )

    def hold(self) -> None:
        self._holds = True

    def let_go(self) -> None:
        assert self._socket is not None
        self._holds = False
        while self._kept:
            self._socket.send(self._kept.pop(0))


def texts(count: int, *, long: bool = False) -> list[str]:
    """Short ones, and long ones between them if so wished."""
    return [LONG if long and number % 9 == 4 else f"Line {number}." for number in range(1, count + 1)]


def reader(hub: Running, people: People, said: Sequence[str], **browser: Any) -> tuple[Person, Group]:
    """At a slow browser, in a group in which all this was said, with the room still to open."""
    ana = people.member(hub, "Ana", **browser)
    group = people.group(ana)
    ana.pour(group.id, said)
    slow = ana.page.context.new_cdp_session(ana.page)
    slow.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    return ana, group


def require_still(ana: Person) -> None:
    """Nothing that was in view has moved since `WATCH`, nor does it in the next frames."""
    ana.page.wait_for_function(FRAMES, arg=ana.page.evaluate("window.watch.frames"))
    watch = ana.page.evaluate("window.watch")
    assert watch["lines"] > 0, "nothing was read"
    assert {key: by for key, by in watch["strayed"].items() if by > STILL_PX} == {}


def far_up(ana: Person) -> int:
    """Goes well above the end, to where the upper edge cuts a line, and gives that line's number."""
    ana.feed.evaluate(SCROLL, 600)
    expect(ana.button("To the newest")).to_be_visible()
    return int(ana.feed.evaluate(CUT))


@pytest.mark.parametrize("long", [False, True], ids=["short", "long"])
@pytest.mark.parametrize("width", [390, 820, 1440])
def test_what_is_read_stays_when_older_messages_come_late(hub: Running, people: People, width: int, long: bool) -> None:
    """At the top of what is loaded, whose first message loses the name and the day above it to an older one."""
    ana, group = reader(hub, people, texts(400, long=long), viewport={"width": width, "height": 840})
    line = HeldBack(ana)
    ana.open_room(group.path)
    expect(ana.messages.last).to_be_in_viewport()
    line.hold()
    for top in (0, 150):  # the first message whole in the view, then cut by its upper edge
        ana.feed.evaluate(SCROLL, top)
        expect(ana.sees("Loading older messages …")).to_be_attached()
        first = ana.messages.first.get_attribute("data-key") or ""
        ana.feed.evaluate(WATCH)
        line.let_go()
        expect(ana.messages.first).not_to_have_attribute("data-key", first)
        require_still(ana)
        line.hold()


def test_a_step_up_in_the_frame_in_which_older_messages_come_is_not_undone(hub: Running, people: People) -> None:
    ana, group = reader(hub, people, texts(150))
    line = HeldBack(ana)
    ana.open_room(group.path)
    expect(ana.messages.last).to_be_in_viewport()
    line.hold()
    ana.feed.evaluate(SCROLL, 500)
    first = ana.messages.first.get_attribute("data-key") or ""
    ana.feed.evaluate(SCROLL_AS_THEY_COME, 300)
    ana.feed.evaluate(WATCH)
    line.let_go()
    expect(ana.messages.first).not_to_have_attribute("data-key", first)
    ana.page.wait_for_function(FRAMES, arg=ana.page.evaluate("window.watch.frames"))
    assert ana.page.evaluate(STRAYED) <= STILL_PX


def test_an_edit_above_the_view_that_folds_does_not_move_it(hub: Running, people: People) -> None:
    ana, group = reader(hub, people, texts(60))
    ana.open_room(group.path)
    expect(ana.messages.last).to_be_in_viewport()
    above = far_up(ana) - 3
    ana.feed.evaluate(WATCH)
    ana.ask("PATCH", f"channels/{group.id}/messages/{above}", {"text": LONG})
    expect(ana.button("Show all 60 lines")).to_be_attached()
    require_still(ana)


@pytest.mark.parametrize("what", ["reaction", "edit"])
def test_a_change_to_the_line_at_the_upper_edge_does_not_move_those_below(
    hub: Running, people: People, what: str
) -> None:
    ana, group = reader(hub, people, texts(60))
    ana.open_room(group.path)
    expect(ana.messages.last).to_be_in_viewport()
    cut = far_up(ana)
    path = f"channels/{group.id}/messages/{cut}"
    ana.feed.evaluate(WATCH)
    if what == "reaction":
        ana.ask("PUT", f"{path}/reactions/👍")
        expect(ana.feed.get_by_role("button", name="👍")).to_be_attached()
    else:
        ana.ask("PATCH", path, {"text": "Much longer than before. " * 40})
        expect(ana.message("Much longer than before.")).to_be_attached()
    require_still(ana)


def test_a_long_message_unfolds_downwards(hub: Running, people: People) -> None:
    ana, group = reader(hub, people, [*texts(30), LONG, *texts(30)], viewport={"width": 1440, "height": 1200})
    ana.open_room(group.path)
    expect(ana.messages.last).to_be_in_viewport()
    more = ana.button("Show all 60 lines")
    long = ana.messages.filter(has=more).locator(".prose")
    more.evaluate("(button) => button.scrollIntoView({ block: 'start' })")
    ana.feed.evaluate(SCROLL, ana.feed.evaluate("(feed) => feed.scrollTop") - 200)
    expect(ana.button("To the newest")).to_be_visible()
    stood = long.evaluate("(words) => words.getBoundingClientRect().top")
    more.click()
    expect(ana.button("Show less")).to_be_attached()
    ana.feed.evaluate(WATCH)
    ana.page.wait_for_function(FRAMES, arg=0)
    words = ana.message("Row 60 of many").locator(".prose")
    assert abs(words.evaluate("(words) => words.getBoundingClientRect().top") - stood) <= STILL_PX


def test_a_message_that_is_linked_to_stays_in_the_middle_though_long_ones_around_it_fold(
    hub: Running, people: People
) -> None:
    ana, group = reader(hub, people, texts(300, long=True))
    ana.open_room(f"{group.path}#149")
    aim = ana.page.locator('[data-key="149"]')
    expect(aim).to_be_focused()
    ana.feed.evaluate(WATCH)
    require_still(ana)
    assert abs(aim.evaluate(MIDDLE) - ana.feed.evaluate(MIDDLE)) <= STILL_PX


@pytest.mark.parametrize("back_px", [0, 100])
def test_writing_on_in_a_long_draft_does_not_move_the_room(hub: Running, people: People, back_px: int) -> None:
    ana, group = reader(hub, people, texts(60))
    ana.open_room(group.path)
    ana.composer.fill("\n".join(["What I would like to ask on Monday"] * 9))
    expect(ana.messages.last).to_be_in_viewport(ratio=1)
    ana.feed.evaluate(SCROLL, ana.feed.evaluate("(feed) => feed.scrollTop") - back_px)
    ana.feed.evaluate(WATCH)
    ana.composer.press_sequentially(" and more")
    require_still(ana)
    assert abs(ana.feed.evaluate(TO_END) - back_px) <= STILL_PX
