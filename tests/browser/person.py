"""Somebody at the hub's pages, in a browser of their own: what they do, by the words that they see."""

import itertools
import json
import re
from collections.abc import Sequence
from typing import Any, Final

from playwright.sync_api import Locator, Page, TimeoutError, expect
from websockets.sync.client import connect
from websockets.typing import Subprotocol

PASSWORD: Final = "seven-otters-in-the-rain"
AT_ONCE: Final = 64  # welcome.limits.open_commands
WAIT_S: Final = 20
WRITTEN: Final = 60  # letters
KEY_MS: Final = 200  # between two letters
ISOLATES: Final = "[\u2066-\u2069]*"  # names carry them within sentences, so that no script turns the other's words


class Person:
    """A member, or a guest, whose hub is at `url`."""

    def __init__(self, page: Page, url: str, handle: str = "", name: str = "") -> None:
        self.page = page
        self.url = url
        self.handle = handle
        self.name = name

    # What they do

    def go(self, path: str) -> None:
        self.page.goto(self.url + path)

    def open_room(self, path: str) -> None:
        """Goes there; the room is shown when this returns."""
        self.go(path)
        self.feed.wait_for()

    def say(self, text: str) -> None:
        self.composer.fill(text)
        self.composer.press("Enter")

    def write_until(self, seen: Locator) -> None:
        """Writes on until others see it: that somebody writes is said at most once in 3 s, to who is there then."""
        for letter in itertools.islice(itertools.cycle("Soup is on the stove. "), WRITTEN):
            self.composer.press_sequentially(letter)
            try:
                seen.wait_for(timeout=KEY_MS)
            except TimeoutError:
                continue
            return
        expect(seen).to_be_visible()

    def act(self, message: Locator, action: str) -> None:
        """Chooses from the menu of a message."""
        message.hover()
        message.get_by_role("button", name="Actions").click()
        self.page.get_by_role("menuitem", name=action).click()

    def react(self, message: Locator, emoji: str) -> None:
        message.hover()
        message.get_by_role("button", name="React", exact=True).click()
        self.page.get_by_role("button", name=emoji, exact=True).click()

    def enter(self, title: str) -> None:
        """Opens a group or a conversation from a list; its name there may be followed by what is unread."""
        self.page.get_by_role("link").filter(has_text=title).first.click()
        self.feed.wait_for()

    # What they see

    @property
    def composer(self) -> Locator:
        return self.page.get_by_role("combobox", name="Your message").or_(
            self.page.get_by_role("textbox", name="Your message")
        )

    @property
    def feed(self) -> Locator:
        return self.page.get_by_role("feed")

    @property
    def messages(self) -> Locator:
        return self.feed.get_by_role("article")

    def message(self, text: str) -> Locator:
        return self.messages.filter(has_text=text)

    def sees(self, text: str) -> Locator:
        """A sentence of the page's own."""
        return self.page.get_by_text(words(text))

    @property
    def banner(self) -> Locator:
        """What the page says of its connection, while there is something to say."""
        return self.page.locator(".banner")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=words(name))

    def link(self, name: str) -> Locator:
        """The first of that name: what is in the list beside the page may be on the page too."""
        return self.page.get_by_role("link", name=words(name)).first

    # What they ask of the hub without its pages

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A request with this browser's cookie, from the hub's own Origin."""
        answer = self.page.context.request.fetch(
            f"{self.url}/api/v1/{path}", method=method, data=body, headers={"Origin": self.url}
        )
        assert answer.ok, f"{method} {path}: {answer.status} {answer.text()}"
        return answer.json() if answer.body() else None

    def sign_up(self) -> None:
        form = {"handle": self.handle, "name": self.name, "password": PASSWORD, "agreed": True}
        self.ask("POST", "signup", form)

    def pour(self, channel: int, texts: Sequence[str], *, refusable: str = "") -> list[str]:
        """Sends many messages over a connection beside the page's own, and gives those that were stored.

        What is refused for the reason `refusable` is left out.
        """
        token = self.ask("POST", "me/tokens", {"name": "pour"})["token"]
        live = connect(
            f"ws{self.url.removeprefix('http')}/live",
            subprotocols=[Subprotocol("hubchat.v1.json")],
            additional_headers={"Authorization": f"Bearer {token}"},
        )
        stored: list[str] = []
        with live:
            live.recv(timeout=WAIT_S)
            for first in range(0, len(texts), AT_ONCE):
                batch = texts[first : first + AT_ONCE]
                for number, text in enumerate(batch):
                    nonce = f"{token[-20:]}{first + number}"
                    command = {"do": "send", "id": number, "channel": channel, "nonce": nonce, "text": text}
                    live.send(json.dumps(command))
                replies = [json.loads(live.recv(timeout=WAIT_S)) for _ in batch]
                for reply in sorted(replies, key=lambda reply: int(reply["re"])):
                    if "ok" in reply:
                        stored.append(batch[reply["re"]])
                    else:
                        assert reply["error"]["reason"] == refusable, reply
        return stored


def words(text: str) -> re.Pattern[str]:
    """Exactly this sentence, whichever names in it stand in isolates."""
    return re.compile(rf"^\s*{ISOLATES}" + ISOLATES.join(map(re.escape, re.split(r"\b", text))) + rf"{ISOLATES}\s*$")
