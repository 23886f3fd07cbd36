"""Tells watchers who is here, in batches: every 0.8 s, changes only, and only what each may see. What a batch
costs goes by who came and went, not by how many watch.

Per member, never per tab. Somebody who shows nothing, or shares nothing with the watcher, looks offline, as an
unknown id does.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from time import monotonic
from typing import Final, NamedTuple, Protocol

from hubchat.channels.bus import Signal
from hubchat.channels.hub import Hub
from hubchat.presence.roster import RANK, Beat, Presence, Roster, State
from hubchat.storage.database import Database
from hubchat.storage.presence import read_personas, read_visible

log = logging.getLogger(__name__)

BATCH_S: Final = 0.8  # a node waits for its own, another for its next: two of them, and the way between, stay under 2 s
PART: Final = 10_000  # changes told in one payload: some 160 KB
PAIRS: Final = 1_000  # who may see whom, in one read: some 0.15 s where each two share eight groups
TYPING_S: Final = 3.0  # one signal for one member and channel in this time
TYPING_KEPT: Final = 10_000  # members and channels remembered for it; more: the oldest are forgotten


class Watcher(Protocol):
    """A connection that watches people."""

    account_id: int | None
    lagging: bool

    def signal(self, signal: Mapping[str, object]) -> None:
        """Sends a signal."""


@dataclass
class _Watch:
    """Whom a connection watches, whom of those it may see, and what it was told last."""

    wanted: frozenset[int]
    visible: dict[int, int] = field(default_factory=dict)
    told: dict[int, Presence] = field(default_factory=dict)


class _Coming(NamedTuple):
    """A node's beat of which more parts are to come: `end` changes have."""

    version: int
    end: int
    members: dict[int, State]


class Tracker:
    """The presence of this node's members, and its watchers."""

    def __init__(self, database: Database, hub: Hub, node: int) -> None:
        self.database = database
        self.bus = hub.bus
        self.node = node
        hub.on_signal |= {"presence": self._hear, "presence at": self._hear_at, "presence?": self._hear_question}
        self.roster = Roster()
        self._version = 0
        self._devices: dict[int, tuple[Watcher, ...]] = {}  # by account: most have one, which as a set would cost 170 B
        self._idle: set[Watcher] = set()
        self._watches: dict[Watcher, _Watch] = {}
        self._seen_by: dict[int, set[tuple[Watcher, int]]] = {}  # account → who sees it, and as which persona
        self._moved: set[int] = set()
        self._late: set[Watcher] = set()
        self._asked: set[int] = set()  # accounts whose memberships or choices changed
        self._outdated: dict[Watcher, frozenset[int]] = {}  # whom of those it watches it may see no more, or only now
        self._asks = 0
        self._said: dict[int, State] = {}  # what other nodes know of ours
        self._doubts = False  # another node asked for all of it
        self._coming: dict[int, _Coming] = {}
        self._typed: dict[tuple[int, int], float] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._run_asking())]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ------------------------------------------------------------ who is here

    def connect(self, watcher: Watcher) -> None:
        """A member's connection was opened."""
        if (account := watcher.account_id) is not None:
            self._devices[account] = (*self._devices.get(account, ()), watcher)
            self._moved.add(account)

    def set_idle(self, watcher: Watcher, idle: bool) -> None:
        """This device had no input for 5 minutes, or has again."""
        if (account := watcher.account_id) is not None and watcher in self._devices.get(account, ()):
            (self._idle.add if idle else self._idle.discard)(watcher)
            self._moved.add(account)

    def disconnect(self, watcher: Watcher) -> None:
        if (watch := self._watches.pop(watcher, None)) is not None:
            self._show(watcher, watch, watch.wanted, {})
        self._outdated.pop(watcher, None)
        self._late.discard(watcher)
        self._idle.discard(watcher)
        if (account := watcher.account_id) is not None:
            if rest := tuple(device for device in self._devices.pop(account, ()) if device is not watcher):
                self._devices[account] = rest
            self._moved.add(account)

    def _presence(self, account: int) -> Presence:
        """As far as it was told to all, or better: who came since the last beat is here already."""
        devices = self._devices.get(account)
        here: Presence = self._state(devices) if devices else "offline"
        return max(here, self.roster.presence(account), key=RANK.__getitem__)

    def _members(self) -> dict[int, State]:
        return {account: self._state(devices) for account, devices in self._devices.items()}

    def _state(self, devices: Collection[Watcher]) -> State:
        return "away" if self._idle.issuperset(devices) else "online"

    # ------------------------------------------------------------ who watches

    async def watch(self, watcher: Watcher, people: Iterable[int]) -> list[int]:
        """Replaces whom `watcher` watches; gives those who are online or away now and may be seen."""
        assert watcher.account_id is not None, "guests watch nobody"
        if (old := self._watches.get(watcher)) is not None:
            self._show(watcher, old, old.wanted, {})
        watch = self._watches[watcher] = _Watch(frozenset(people))
        account, asks = watcher.account_id, self._asks
        pairs = [(account, person) for person in watch.wanted]
        visible = (await self.database.read(lambda c: read_visible(c, pairs))).get(account, {}) if pairs else {}
        if self._watches.get(watcher) is not watch:
            return []  # replaced, or gone, meanwhile
        if asks != self._asks:
            self._outdate(watcher, watch.wanted)  # rights were asked again meanwhile: this answer may be the older one
        self._show(watcher, watch, watch.wanted, visible)
        watch.told = {person: self._presence(other) for person, other in visible.items()}
        return [person for person, presence in watch.told.items() if presence != "offline"]

    def ask_again(self, account: int) -> None:
        """Something changed in who may see this account, or whom it may see."""
        self._asked.add(account)

    def ask_all_again(self) -> None:
        """A group is gone: whoever watches may see fewer people now."""
        for watcher, watch in self._watches.items():
            self._outdate(watcher, watch.wanted)

    def afresh(self, watcher: Watcher) -> None:
        """Tells a connection that lagged everything again, also who has gone meanwhile."""
        if watcher in self._watches:
            self._late.add(watcher)

    def _show(self, watcher: Watcher, watch: _Watch, people: Iterable[int], visible: Mapping[int, int]) -> None:
        """Lets a watcher see those of `people` who are in `visible` (persona → account), and the others not."""
        for person in people:
            if (account := watch.visible.pop(person, None)) is not None:
                self._seen_by[account].discard((watcher, person))
                if not self._seen_by[account]:
                    del self._seen_by[account]
            if (account := visible.get(person)) is not None:
                watch.visible[person] = account
                self._seen_by.setdefault(account, set()).add((watcher, person))

    def may_signal_typing(self, account: int, channel: int, now: float) -> bool:
        """Whether a typing signal is due: at most one in 3 s for one member and channel."""
        key = (account, channel)
        if now - self._typed.get(key, -TYPING_S) < TYPING_S:
            return False
        self._typed.pop(key, None)
        self._typed[key] = now
        if len(self._typed) > TYPING_KEPT:
            del self._typed[next(iter(self._typed))]
        return True

    # ------------------------------------------------------------ batches

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(BATCH_S)
            try:
                if self._moved or self._doubts:
                    self._tell(self._beat())
                else:  # whoever missed the last beat learns of it
                    self.bus.tell(0, {"signal": "presence at", "version": self._version})
                if self._late:
                    self._tell_all()
            except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
                log.warning("presence waits", extra={"cause": type(error).__name__})

    def _beat(self) -> frozenset[int]:
        """Says who is here; gives the accounts whose presence that may have changed for somebody."""
        self._version += 1
        moved, self._moved = frozenset(self._moved), set()
        members = self._members()
        self._say(members)
        return moved | self.roster.merge(Beat(self.node, self._version, members))

    # ------------------------------------------------------------ between nodes

    def _say(self, members: dict[int, State]) -> None:
        """Tells other nodes what changed here since the last beat, or everything when one of them has lost track."""
        whole = self._doubts or not self._said
        was = {} if whole else self._said
        changes = {account: members.get(account) for account, _ in was.items() ^ members.items()}
        self._said, self._doubts = members, False
        told = list(changes.items())
        for start in range(0, len(told) or 1, PART):
            end = start + PART
            more, part = end < len(told), dict(told[start:end])
            beat = {"signal": "presence", "version": self._version, "whole": whole, "from": start, "more": more}
            self.bus.tell(0, {**beat, "members": part})

    def _hear(self, node: int, _about: int, signal: Signal) -> None:
        """Another node's beat, or a part of it. One that does not follow what was heard last asks for everything."""
        version, start, beat = signal["version"], signal["from"], self.roster.beats.get(node)
        if start:
            coming = self._coming.pop(node, None)
            if coming is None or (coming.version, coming.end) != (version, start):
                return  # a part was lost: what stands there at last tells so
            members = coming.members
        elif signal["whole"] or beat is None:
            members = {}
        else:
            members = dict(beat.members)
        if not signal["whole"] and (beat is None or version != beat.version + 1):
            return self._hear_at(node, 0, signal)
        for account, state in signal["members"].items():
            if state is None:
                members.pop(account, None)
            else:
                members[account] = state
        if signal["more"]:
            self._coming[node] = _Coming(version, start + len(signal["members"]), members)
        else:
            self._moved |= self.roster.merge(Beat(node, version, members))

    def _hear_at(self, node: int, _about: int, signal: Signal) -> None:
        """Another node says how far it is; who is behind asks for everything."""
        beat = self.roster.beats.get(node)
        if signal["version"] > (beat.version if beat is not None else 0):
            self.bus.tell(0, {"signal": "presence?", "of": node})

    def _hear_question(self, _node: int, _about: int, signal: Signal) -> None:
        self._doubts = self._doubts or signal["of"] == self.node

    def greet(self, _node: int) -> None:
        """A node has come: it has to be told everything."""
        self._doubts = True

    def forget(self, node: int) -> None:
        """A node is gone, and with it who was there alone."""
        self._coming.pop(node, None)
        self._moved |= self.roster.forget(node)

    # ------------------------------------------------------------ telling

    def _tell(self, accounts: Iterable[int]) -> None:
        changed: dict[Watcher, dict[str, Presence]] = {}
        for account in accounts:
            presence = self.roster.presence(account)
            for watcher, person in self._seen_by.get(account, ()):
                told = self._watches[watcher].told
                if not watcher.lagging and told.get(person, "offline") != presence:
                    told[person] = presence
                    changed.setdefault(watcher, {})[str(person)] = presence
        for watcher, people in changed.items():
            watcher.signal({"signal": "presence", "people": people})

    def _tell_all(self) -> None:
        late, self._late = self._late, set()
        for watcher in late:
            watch = self._watches[watcher]
            watch.told = {person: self.roster.presence(account) for person, account in watch.visible.items()}
            people = {str(person): watch.told.get(person, "offline") for person in watch.wanted}
            if people and not watcher.lagging:  # else it is told once it takes again
                watcher.signal({"signal": "presence", "people": people})

    # ------------------------------------------------------------ asking again

    async def _run_asking(self) -> None:
        """Apart from the beats: who is here goes on while SQL is slow, or away."""
        while True:
            await asyncio.sleep(BATCH_S)
            try:
                await self._ask()
            except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
                log.warning("who sees whom can't be asked", extra={"cause": type(error).__name__})

    async def _ask(self) -> None:
        """Asks again who sees whom, as far as it changed; what takes longer than a batch goes on in the next one."""
        until = monotonic() + BATCH_S
        while self._asked and monotonic() < until:
            await self._find_outdated()
        while self._outdated and monotonic() < until:
            await self._ask_part()

    async def _find_outdated(self) -> None:
        """Finds the watches that concern accounts whose memberships or choices changed."""
        asked = frozenset(islice(self._asked, PAIRS))
        self._asked -= asked  # who changes again from here on is asked for again
        try:
            personas = frozenset(await self.database.read(lambda connection: read_personas(connection, asked)))
        except BaseException:
            self._asked |= asked
            raise
        for watcher, watch in self._watches.items():
            if people := watch.wanted if watcher.account_id in asked else watch.wanted & personas:
                self._outdate(watcher, people)

    def _outdate(self, watcher: Watcher, people: frozenset[int]) -> None:
        """Has it asked whom of these a watcher may see; the latest comes first: one that hides need not wait long."""
        self._outdated[watcher] = self._outdated.pop(watcher, frozenset()) | people

    async def _ask_part(self) -> None:
        part: list[tuple[Watcher, _Watch, frozenset[int]]] = []
        pairs: set[tuple[int, int]] = set()
        while self._outdated and len(pairs) < PAIRS:
            watcher, people = self._outdated.popitem()
            watch = self._watches[watcher]
            part.append((watcher, watch, people & watch.wanted))
            pairs |= {(watcher.account_id or 0, person) for person in people & watch.wanted}
        try:
            found = await self.database.read(lambda connection: read_visible(connection, pairs)) if pairs else {}
        except BaseException:
            for watcher, watch, people in part:
                if self._watches.get(watcher) is watch:
                    self._outdate(watcher, people)
            raise
        self._asks += 1
        for watcher, watch, people in part:
            if self._watches.get(watcher) is watch:  # else replaced, or gone, meanwhile
                self._reveal(watcher, watch, people, found.get(watcher.account_id or 0, {}))

    def _reveal(self, watcher: Watcher, watch: _Watch, people: frozenset[int], visible: Mapping[int, int]) -> None:
        """Lets a watcher see of `people` those who are visible, and tells at once who is not any more."""
        self._show(watcher, watch, people, visible)
        hidden = [person for person in people - visible.keys() if watch.told.pop(person, "offline") != "offline"]
        self._moved.update(visible[person] for person in people & visible.keys())
        if hidden and not watcher.lagging:
            watcher.signal({"signal": "presence", "people": {str(person): "offline" for person in hidden}})
