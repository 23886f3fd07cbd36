"""A gateway that writes down what it is told, and can be made to do otherwise."""

from collections.abc import Callable
from typing import Any

from hubchat.gateway.keeper import SPOKES
from hubchat.gateway.protocol import Keeper, Link, Rules, Upgrade
from tests.conformance.echo import Echo
from tests.gateway.raw import settle

NEVER_S = 1e9
"""A round so long that only `rounds` makes one."""


async def rounds(gateway: "RecordingGateway", count: int) -> None:
    """Let the keeper go round, as it would every 5 s, and what it does be felt."""
    for _ in range(count):
        for _ in range(SPOKES):
            gateway.keeper.turn()
        await settle(3)


class Recorder(Echo):
    """An echo that keeps a list of what it heard, and after that does what `then` says."""

    def __init__(self, link: Link, then: Callable[["Recorder", str], None]) -> None:
        super().__init__(link)
        self.heard: list[Any] = []
        self._then = then

    def received(self, message: bytes | str) -> None:
        self._note(message)
        super().received(message)

    def paused(self) -> None:
        self._note("paused")
        super().paused()

    def resumed(self) -> None:
        self._note("resumed")
        super().resumed()

    def stalled(self) -> None:
        self._note("stalled")
        super().stalled()

    def shutdown(self) -> None:
        self._note("shutdown")
        super().shutdown()

    def closed(self) -> None:
        self._note("closed")

    def _note(self, what: Any) -> None:
        self.heard.append(what)
        self._then(self, what)


class RecordingGateway:
    """`asked` are the upgrades it was asked about, `listeners` those it opened, in order."""

    def __init__(self, rules: Rules | None = None, keeper: Keeper | None = None) -> None:
        self.rules = rules or Rules()
        self.keeper = keeper or Keeper(NEVER_S)
        self.asked: list[Upgrade] = []
        self.listeners: list[Recorder] = []
        self.then: Callable[[Recorder, str], None] = lambda listener, what: None

    async def admit(self, request: Upgrade) -> str:
        self.asked.append(request)
        return "admitted"

    def open(self, link: Link, admission: Any) -> Recorder:
        assert admission == "admitted"
        listener = Recorder(link, lambda *told: self.then(*told))
        self.listeners.append(listener)
        return listener

    @property
    def heard(self) -> list[Any]:
        """What the one listener there is has heard."""
        (listener,) = self.listeners
        return listener.heard
