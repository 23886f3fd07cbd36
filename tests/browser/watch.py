"""What a browser must never do on the hub's pages. Every test of this folder fails at its end if one did.

Violations of the Content-Security-Policy, exceptions, console errors, dialogs, requests to another host.
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Page

VIOLATION: Final = "addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective}`))"
AT_HOME: Final = frozenset({"blob", "data", "about"})


class Watch:
    """Follows the contexts of one test on the hub at these `hosts` (HOST:PORT)."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self.hosts = frozenset(hosts)
        self.seen: list[str] = []
        self._forgiven: list[tuple[str, str]] = []

    def forgive(self, text: str, url: str = "") -> None:
        """Console errors that the test brings about: patterns of their text and of the address they are about."""
        self._forgiven.append((text, url))

    def follow(self, context: BrowserContext) -> None:
        context.add_init_script(VIOLATION)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.seen.append(f"exception: {error.error}"))
        context.on("dialog", self._dialog)
        context.on("request", lambda request: self._request(request.url))
        context.on("page", self._page)

    def require_clean(self) -> None:
        assert not self.seen, "\n".join(self.seen)

    def _page(self, page: Page) -> None:
        page.on("websocket", lambda socket: self._request(socket.url))

    def _console(self, message: ConsoleMessage) -> None:
        about = message.location["url"]
        if message.type != "error" or any(
            re.search(text, message.text) and re.search(url, about) for text, url in self._forgiven
        ):
            return
        self.seen.append(f"console: {message.text} ({about})")

    def _dialog(self, dialog: Dialog) -> None:
        self.seen.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in AT_HOME and parts.netloc not in self.hosts:
            self.seen.append(f"request elsewhere: {url}")
