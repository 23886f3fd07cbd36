"""Pip and Olive, two programs that talk at the kitchen table while somebody is connected.

They are members like others: they send, and delete what is older than their last KEPT lines. To who only listens they
say less and less, so that a page left open for a day has some sixty new lines, and no field of deleted ones.
"""

import asyncio
import itertools
import logging
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, TypeAlias

from hubchat.actions import messages
from hubchat.actions.operator import act_as
from hubchat.channels.log import outcome
from hubchat.demo.story import read_small_talk
from hubchat.errors import HubError
from hubchat.faults import place_of
from hubchat.node import Node
from hubchat.storage.channels import read_by_slug
from hubchat.storage.entries import read_before
from hubchat.storage.sessions import Caller

TABLE: Final = "kitchen-table"
PIP, OLIVE = "pip", "olive"
KEPT: Final = 200  # lines of both together: a demo that runs for months stays small enough to scroll
PAGE: Final = 200
PAGES: Final = 20  # how far back own lines are looked for at start; older ones stay
LOOK_S: Final = 1.0  # between looks at whether somebody is here
ANSWER_S: Final = (3.0, 7.0)  # as long as typing takes
PAUSE_S: Final = (15.0, 40.0)  # between two exchanges, at first
GROWTH: Final = 1.5  # of the pause, as long as nobody says or does anything there
LONGEST_S: Final = 3_600.0
TROUBLE_S: Final = 60.0  # after a refusal: the table may be closed for a while

Sleep: TypeAlias = Callable[[float], Awaitable[None]]

log: Final = logging.getLogger(__name__)


@asynccontextmanager
async def talking(node: Node) -> AsyncIterator[None]:
    """Lets the two talk as long as the context lasts. Without the table or one of them nobody talks."""
    task = asyncio.create_task(_talk(node))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _talk(node: Node) -> None:
    while True:
        try:
            await (await sit_down(node)).talk()
        except HubError as error:
            log.warning("the demo's programs are silent for a while: %s", error.reason)
        except Exception as error:  # noqa: BLE001  # the edge: the hub goes on without its small talk
            log.error("the demo's programs are silent for a while: %s", place_of(error))
        await asyncio.sleep(TROUBLE_S)


async def sit_down(node: Node) -> "Table":
    """The two at their table, with the lines they said before. Raises `person_unknown`, `channel_unknown`."""
    pip, olive = await act_as(node, PIP), await act_as(node, OLIVE)
    channel = await node.database.read(lambda connection: read_by_slug(connection, TABLE))
    if channel is None:
        raise HubError("channel_unknown")
    table = Table(node, channel.id, pip, olive)
    await table.remember()
    return table


class Table:
    """Two programs, their channel, and which of its lines are theirs."""

    def __init__(self, node: Node, channel: int, pip: Caller, olive: Caller) -> None:
        self.node = node
        self.channel = channel
        self.pip = pip
        self.olive = olive
        self.lines: deque[tuple[int, Caller]] = deque()

    async def remember(self) -> None:
        """Finds their lines of earlier days, the oldest first."""
        authors = {self.pip.persona_id: self.pip, self.olive.persona_id: self.olive}
        before = 2**53
        for _ in range(PAGES):
            page = await self.node.database.read(
                partial(read_before, channel_id=self.channel, first=1, before=before, limit=PAGE)
            )
            for entry in reversed(page.entries):
                if entry.author in authors and not entry.deleted:
                    self.lines.appendleft((entry.seq, authors[entry.author]))
            if not page.more:
                return
            before = page.entries[0].seq

    async def talk(self, sleep: Sleep = asyncio.sleep) -> None:
        """Goes on for ever, with pauses as long as nobody is here, and longer and longer ones before who is silent."""
        exchanges = read_small_talk()
        pause_s = 0.0
        for number in itertools.count(random.randrange(len(exchanges))):
            while not self.has_company():
                pause_s = 0.0
                await sleep(LOOK_S)
            said, answered = exchanges[number % len(exchanges)]
            await sleep(random.uniform(*ANSWER_S))
            await self.say(self.pip, said)
            await sleep(random.uniform(*ANSWER_S))
            await self.say(self.olive, answered)
            pause_s = min(max(random.uniform(*PAUSE_S), pause_s * GROWTH), LONGEST_S)
            if await self.is_interrupted(pause_s, sleep):
                pause_s = 0.0

    async def is_interrupted(self, pause_s: float, sleep: Sleep) -> bool:
        """Waits until the pause is over, all have gone, or somebody comes or does something here: whether that was."""
        waited_s, before = LOOK_S, None
        while waited_s < pause_s and self.has_company():
            await sleep(LOOK_S)
            waited_s += LOOK_S
            head, readers = self.state
            before = before or (head, readers)  # by now our own lines are in it
            if waited_s >= PAUSE_S[0] and (head > before[0] or readers > before[1]):
                return True
        return False

    def has_company(self) -> bool:
        """Whether a member is connected, or a guest reads along."""
        live = self.node.hub.channels.get(self.channel)
        return bool(self.node.hub.accounts) or (live is not None and bool(live.subscriptions))

    @property
    def state(self) -> tuple[int, int]:
        """The last number at the table, while somebody reads there, and how many read."""
        live = self.node.hub.channels.get(self.channel)
        return (0, 0) if live is None else (live.at, len(live.subscriptions))

    async def say(self, who: Caller, text: str) -> None:
        """One more line; the oldest beyond KEPT go."""
        log = self.node.log
        stored = await outcome(partial(messages.send, log, who, self.channel, text))
        self.lines.append((stored.seq, who))
        while len(self.lines) > KEPT:
            seq, author = self.lines.popleft()
            await outcome(partial(messages.delete, log, author, self.channel, seq))
