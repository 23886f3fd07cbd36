"""The pages in the reader's language: chosen, kept, followed, and in two made-up ones whether everything has room.

`en-XA` is long and accented, `ar-XB` runs from right to left (web/scripts/made-up.js). No hub has them: the browser is
handed their words in the place of the English ones.
"""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Route, ViewportSize, expect

from tests.browser.people import People
from tests.browser.person import PASSWORD, Person
from tests.program import Running

ROOT: Final = Path(__file__).resolve().parents[2]
WEB: Final = ROOT / "web"
LONG: Final = "en-XA"
TURNED: Final = "ar-XB"
WIDE: Final[ViewportSize] = {"width": 1440, "height": 900}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
SHOTS: Final = os.environ.get("HUBCHAT_TEST_SHOTS")
"""A folder for pictures of each page in the made-up languages, to be looked at."""

FOLLOW: Final = """(path) => {
  const link = Object.assign(document.createElement('a'), { href: path });
  document.querySelector('main').append(link);
  link.click();
  link.remove();
}"""
DRAWN: Final = """async () => {
  await document.fonts.ready;
  for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
}"""
OUTSIDE: Final = """() => {
  const shown = (one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true }) &&
    !one.closest('.unseen, .skip, [aria-hidden=true]') && getComputedStyle(one).clipPath === 'none';
  const cuts = (one) => ['hidden', 'clip'].includes(getComputedStyle(one).overflowX);
  const told = (one) => `${location.pathname} ${one.tagName} ${one.className}: ${one.textContent.trim().slice(0, 60)}`;
  const words = [...document.querySelectorAll('h1,h2,h3,p,label,legend,button,a,summary,select,[role=tab],.word')]
    .filter((one) => shown(one) && one.textContent.trim());
  const beyond = words.filter((one) => {
    const { left, right, width } = one.getBoundingClientRect();
    return width > 1 && (left < -1 || right > document.documentElement.clientWidth + 1);
  });
  // What its own title tells in full, or is a member's words, may be cut.
  const cut = words.filter((one) => !one.closest('[title]') && !one.matches(':has(bdi, [dir=auto])'))
    .filter((one) => [one, ...one.querySelectorAll('*')].some((part) =>
      cuts(part) && !part.matches('svg, svg *, bdi, .unseen, .unseen *') && part.scrollWidth > part.clientWidth + 1));
  const sideways = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const wide = sideways > 0 ? [`${location.pathname} goes ${sideways} px sideways`] : [];
  return [...[...beyond, ...cut].map(told), ...wide];
}"""


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of their words, compiled as those of the real ones."""
    folder = tmp_path_factory.mktemp("made-up")
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    command = ["node", "scripts/made-up.js", str(folder)]
    subprocess.run(command, cwd=WEB, env={**os.environ, "PATH": path}, check=True, capture_output=True)
    return folder / "words"


def speak(person: Person, tag: str, words: Path) -> None:
    """Their browser gets these words when it asks for the English ones."""
    manifest = json.loads((WEB / ".svelte-kit/output/client/.vite/manifest.json").read_text("utf-8"))
    english = "/" + manifest["src/lib/paraglide/messages/en.js"]["file"]
    registry = "/_app/immutable/registry.js"  # what ../registry.js is, seen from there

    def answer(path: Path) -> Callable[[Route], None]:
        return lambda route: route.fulfill(path=path, content_type="text/javascript")

    person.page.context.route(f"**{english}", answer(words / "messages" / f"{tag}.js"))
    person.page.context.route(f"**{registry}", answer(words / "registry.js"))


def test_a_guest_chooses_a_language_and_finds_it_again(hub: Running, people: People) -> None:
    ana = people.guest(hub)
    ana.go("/sign-in")
    expect(ana.button("Sign in")).to_be_visible()
    expect(ana.page.locator("html")).to_have_attribute("lang", "en")
    ana.page.get_by_label("Handle").fill("ana")
    ana.page.get_by_role("combobox").select_option(label="Deutsch")
    expect(ana.button("Anmelden")).to_be_visible()
    expect(ana.page.get_by_label("Kurzname")).to_have_value("ana")  # nothing that was typed is lost
    expect(ana.page.locator("html")).to_have_attribute("lang", "de")
    expect(ana.page.locator("html")).to_have_attribute("dir", "ltr")
    ana.page.reload()
    expect(ana.button("Anmelden")).to_be_visible()
    ana.button("Anmelden").click()
    expect(ana.page.get_by_text("Bitte geben Sie Ihren Kurznamen ein.")).to_be_visible()


def test_a_browser_in_german_is_met_in_german(hub: Running, people: People) -> None:
    ana = people.guest(hub, locale="de-AT")
    ana.go("/sign-in")
    expect(ana.button("Anmelden")).to_be_visible()


def test_a_member_has_their_language_on_every_device(hub: Running, people: People) -> None:
    ana = people.member(hub, "Ana")
    group = people.group(ana)
    ana.open_room(group.path)
    ana.say("Guten Morgen")
    ana.composer.fill("not sent yet")
    ana.page.get_by_role("link", name="Account").first.click()
    ana.page.get_by_role("combobox", name="Language").select_option(label="Deutsch")
    expect(ana.page.get_by_role("heading", name="Konto", level=1)).to_be_visible()
    assert ana.ask("GET", "me")["lang"] == "de"
    ana.page.go_back()
    field = ana.page.get_by_label("Ihre Nachricht")
    expect(field).to_have_value("not sent yet")
    expect(ana.page.get_by_text("Heute", exact=True)).to_be_visible()

    elsewhere = people.guest(hub)
    elsewhere.go("/sign-in")
    elsewhere.page.get_by_label("Handle").fill(ana.handle)
    elsewhere.page.get_by_label("Password", exact=True).fill(PASSWORD)
    elsewhere.button("Sign in").click()
    expect(elsewhere.page.get_by_text("Guten Tag, ")).to_be_visible()
    elsewhere.ask("PATCH", "me", {"lang": ""})
    elsewhere.page.reload()
    expect(elsewhere.page.get_by_text("Hello, ")).to_be_visible()


@pytest.mark.parametrize("tag", [LONG, TURNED])
def test_every_page_has_room_for_its_words(hub: Running, people: People, made_up: Path, tag: str) -> None:
    ben = people.member(hub, "Ben")
    ana = people.guest(hub)
    speak(ana, tag, made_up)
    ana.go("/")
    wrong = [*look(ana, "/", "main", tag), *look(ana, "/sign-in", "form", tag), *look(ana, "/sign-up", "form", tag)]
    ana.handle, ana.name = f"ana-{ben.handle}", "Ana"
    ana.sign_up()
    group, other = people.group(ana, ben), people.group(ben, ana, title="Wer kocht heute? من يطبخ اليوم؟")
    first = ben.ask("POST", f"channels/{group.id}/messages", {"text": "Who walks on Sunday? **I do.**"})["seq"]
    ana.ask("POST", f"channels/{group.id}/messages", {"text": f"So do I, @{ben.handle}", "reply_to": first})
    ben.ask("PUT", f"channels/{group.id}/messages/{first}/reactions/❤️")
    ben.ask("POST", f"channels/{other.id}/messages", {"text": "صباح الخير من مالمو"})
    talk = ben.ask("POST", "conversations", {"handles": [ana.handle]})["id"]
    places = {
        "/groups": "h3", "/groups/new": "form", f"{group.path}/settings": "form", "/account": "form",
        "/conversations": "h1", "/conversations/new": "form", f"/conversations/{talk}": "textarea",
        "/nowhere": ".lucide-compass", other.path: "article", group.path: "article",
    }  # fmt: skip
    ana.go("/")
    wrong += look(ana, "/", "h2", tag)
    for path, shown in places.items():
        wrong += look(ana, path, shown, tag)
    assert not wrong, "\n".join(wrong)
    if tag == TURNED:
        require_mirrored(ana)


def look(person: Person, path: str, shown: str, tag: str) -> list[str]:
    """What is cut or stands outside of a page, which is gone to as by a link, on either screen."""
    person.page.locator("main").wait_for()
    person.page.evaluate(FOLLOW, path)
    expect(person.page).to_have_url(person.url + path)
    person.page.locator(shown).first.wait_for()
    expect(person.page.locator(".skeleton, [aria-busy=true]")).to_have_count(0)
    expect(person.page.locator("html")).to_have_attribute("lang", tag)
    expect(person.page.locator("html")).to_have_attribute("dir", "rtl" if tag == TURNED else "ltr")
    told: list[str] = []
    for size in (PHONE, WIDE):
        person.page.set_viewport_size(size)
        person.page.evaluate(DRAWN)
        told += person.page.evaluate(OUTSIDE)
        if SHOTS:
            name = f"{tag}-{size['width']}{path.replace('/', '-')}.png"
            person.page.screenshot(path=Path(SHOTS) / name, animations="disabled")
    return told


def require_mirrored(ana: Person) -> None:
    """A room whose lines begin at the right, on a wide screen and on a phone."""
    start = "(one) => document.documentElement.clientWidth - one.getBoundingClientRect().right"
    rail, side, prose = ana.page.locator(".rail").first, ana.messages.last.locator(".side"), ana.page.locator(".prose")
    assert rail.evaluate(start) == 0
    assert rail.evaluate(start) < ana.feed.evaluate(start)
    assert side.evaluate(start) < prose.last.evaluate(start), "a picture stands where lines begin"
    assert ana.page.locator("textarea").evaluate("(one) => getComputedStyle(one).direction") == "rtl"
    ana.page.set_viewport_size(PHONE)
    arrow = ana.page.locator(".lucide-arrow-left")
    expect(arrow).to_have_css("scale", "-1 1")
    assert arrow.evaluate(start) < PHONE["width"] / 2
