"""Hostile words: they are shown as they were written, and nothing in them ever runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import expect

from tests.browser.people import People
from tests.program import Running

PAYLOADS: Final = (
    "<script>window.__xss = 1</script>",
    "<img src=x onerror=window.__xss=1>",
    "<svg/onload=window.__xss=1>",
    "<svg><script>window.__xss=1</script></svg>",
    "<iframe src='javascript:parent.__xss=1'></iframe>",
    "<style>@import 'http://elsewhere.example/x.css'</style>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.__xss=1>",
    "<details open ontoggle=window.__xss=1>",
    "<a href='javascript:window.__xss=1'>tap me</a>",
    '"><img src=x onerror=window.__xss=1>',
    "{{constructor.constructor('window.__xss=1')()}}",
    "${window.__xss=1}",
    "&lt;script&gt;window.__xss=1&lt;/script&gt;",
    "</p></div></article><script>window.__xss=1</script>",
)
"""They hold no Markdown, so every sign of them is to be seen."""
LINKS: Final = (
    "[tap me](javascript:window.__xss=1)",
    "[tap me](JaVaScRiPt:window.__xss=1)",
    "[tap me](java\tscript:window.__xss=1)",
    "[tap me](data:text/html,<script>window.__xss=1</script>)",
    "[tap me](vbscript:x)",
    "[tap me](&#106;avascript:window.__xss=1)",
    "[tap me](//elsewhere.example/x)",
    "![look](http://elsewhere.example/pixel.png)",
    "![look](javascript:window.__xss=1)",
    "<javascript:window.__xss=1>",
)
FORBIDDEN: Final = """(feed) => {
  const found = [];
  for (const prose of feed.querySelectorAll('.prose')) {
    for (const one of prose.querySelectorAll('*')) {
      if (/^(SCRIPT|IFRAME|OBJECT|EMBED|IMG|SVG|MATH|STYLE|FORM|INPUT|BASE|META|LINK|VIDEO|AUDIO)$/i.test(one.tagName))
        found.push(one.outerHTML);
      for (const { name } of one.attributes)
        if (name.startsWith('on') || name === 'style' || name === 'srcdoc') found.push(one.outerHTML);
      if (one.tagName === 'A' && !/^(https?|mailto):$/.test(one.protocol)) found.push(one.outerHTML);
    }
  }
  return found;
}"""
"""What members' words must never become, wherever they are shown."""


def test_hostile_words_are_shown_as_they_were_written(hub: Running, people: People) -> None:
    _, (ana, ben) = people.together(hub, "Ana", "Ben")
    for text in PAYLOADS:
        ana.say(text)
    for person in (ana, ben):
        expect(person.messages).to_have_count(len(PAYLOADS))
        shown = [text.strip() for text in person.feed.locator(".prose").all_inner_texts()]
        assert shown == [text.replace("&lt;", "<").replace("&gt;", ">") for text in PAYLOADS]
        assert person.feed.evaluate(FORBIDDEN) == []
        assert person.page.evaluate("window.__xss") is None


def test_links_lead_nowhere_but_to_pages(hub: Running, people: People) -> None:
    _, (ana, ben) = people.together(hub, "Ana", "Ben")
    for text in LINKS:
        ana.say(text)
    expect(ben.messages).to_have_count(len(LINKS))
    assert ben.feed.evaluate(FORBIDDEN) == []
    for link in ben.feed.locator(".prose a").all():
        assert str(link.get_attribute("href")).startswith("http://elsewhere.example/")
        assert link.get_attribute("rel") == "noopener noreferrer nofollow ugc"
    for name in ("tap me", "look"):
        for words in ben.feed.locator(".prose").get_by_text(name).filter(has_not=ben.page.locator("a")).all():
            words.click(modifiers=["Alt"], no_wait_after=True)
    assert ben.page.evaluate("window.__xss") is None
    assert len(ben.page.context.pages) == 1


def test_hostile_names_and_titles_are_words_too(hub: Running, people: People) -> None:
    ana, ben = people.member(hub, "Ana"), people.member(hub, "Ben")
    evil = "<img src=x onerror=window.__xss=1>"
    ana.ask("PATCH", "me", {"name": evil, "about": evil})
    group = people.group(ana, ben, title=evil, visibility="closed")
    ana.ask("PATCH", f"groups/{group.id}", {"about": evil})
    ana.ask("POST", f"channels/{group.id}/messages", {"text": f"@{ben.handle} {evil}"})
    ben.go("/")
    expect(ben.page.get_by_role("listitem").filter(has_text=evil).first).to_be_visible()
    ben.go("/groups")
    expect(ben.page.get_by_text(evil).first).to_be_visible()
    ben.open_room(group.path)
    expect(ben.page).to_have_title(f"{evil} · hubchat")
    expect(ben.message(evil)).to_be_visible()
    ben.page.get_by_role("tab", name="People").click()
    expect(ben.page.get_by_role("tabpanel")).to_contain_text(evil)
    assert ben.page.evaluate("window.__xss") is None


@pytest.mark.timeout(300)
@pytest.mark.corpus
def test_no_script_of_the_corpora_ever_runs(hub: Running, people: People, corpus: Path) -> None:
    ana = people.member(hub, "Ana")
    group = people.group(ana)
    texts = ana.pour(group.id, list(dict.fromkeys(hostile(corpus))), refusable="text_empty")
    assert len(texts) > 2_500
    ana.open_room(group.path)
    ana.page.evaluate("window.unharmed = true")
    kept: list[str] = []
    for first in range(1, len(texts) + 1, 100):
        page = ana.ask("GET", f"channels/{group.id}/entries?after={first - 1}&limit=100")
        kept += [entry["text"] for entry in page["entries"]]
        middle = min(first + 50, len(texts))
        ana.page.evaluate("(seq) => { location.hash = `#${seq}` }", middle)
        expect(ana.page.locator(f'[data-key="{middle}"]')).to_be_focused()
        assert ana.feed.evaluate(FORBIDDEN) == []
    assert kept == texts
    assert ana.page.evaluate("window.unharmed") is True, "something left the page"


def hostile(corpus: Path) -> Iterator[str]:
    folder = corpus / "09-text-security"
    naughty: list[Any] = json.loads((folder / "blns.json").read_text("utf-8"))
    examples: list[Any] = json.loads((folder / "commonmark-examples.json").read_text("utf-8"))
    yield from (folder / "xss-payloads.txt").read_text("utf-8").splitlines()
    yield from naughty
    yield from (example["markdown"] for example in examples)
