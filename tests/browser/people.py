"""Whoever takes part in a test, each at a browser of their own, and the groups they make."""

import itertools
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from playwright.sync_api import BrowserContext

from tests.browser.person import Person
from tests.browser.watch import Watch
from tests.program import Running

PATIENCE_MS: Final = 20_000  # machines that build and test at once are slow; nothing waits this long when all is well

numbers: Final = itertools.count(1)


class Group(NamedTuple):
    """A group of a test."""

    id: int
    path: str
    title: str


class People:
    """`open_browser` makes a Playwright context. Hubs are shared by tests, so handles and slugs are new each time."""

    def __init__(self, open_browser: Callable[..., BrowserContext]) -> None:
        self._open = open_browser
        self.watches: dict[int, Watch] = {}

    def watch(self, hub: Running) -> Watch:
        hosts = (f"localhost:{hub.port}", f"127.0.0.1:{hub.port}")
        return self.watches.setdefault(hub.port, Watch(hosts))

    def guest(self, hub: Running, url: str = "", **browser: Any) -> Person:
        """Somebody who is not signed in; `browser` are options of a Playwright context."""
        context = self._open(**browser)
        context.set_default_timeout(PATIENCE_MS)
        self.watch(hub).follow(context)
        return Person(context.new_page(), url or hub.url)

    def member(self, hub: Running, name: str, **browser: Any) -> Person:
        """Somebody new, signed in."""
        person = self.guest(hub, **browser)
        person.handle, person.name = f"{name.lower()}-{next(numbers)}", name
        person.sign_up()
        return person

    def group(self, owner: Person, *others: Person, visibility: str = "open", title: str = "Walking group") -> Group:
        """A new group of `owner`'s, with the others let in."""
        slug = f"group-{next(numbers)}"
        id = owner.ask("POST", "groups", {"slug": slug, "title": title, "visibility": visibility})["id"]
        for other in others:
            if other.ask("POST", f"groups/{id}/join", {})["state"] == "requested":
                owner.ask("POST", f"groups/{id}/requests/{other.handle}", {"decision": "approve"})
        return Group(id, f"/groups/{slug}", title)

    def together(self, hub: Running, *names: str, visibility: str = "open") -> tuple[Group, list[Person]]:
        """Members of one group, each looking at its room; the first is its owner."""
        members = [self.member(hub, name) for name in names]
        group = self.group(*members, visibility=visibility)
        for member in members:
            member.open_room(group.path)
        return group, members
