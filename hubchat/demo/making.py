"""Tells the story to a hub: everybody signs up, joins, writes and answers as members do, at a clock of the story's.

Nothing here writes by itself; every step is an action, so what the demo shows is what the hub does.
"""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple, TypeAlias

from hubchat.actions import accounts, conversations, groups, invites, me, members, messages
from hubchat.actions.groups import NewGroup
from hubchat.actions.me import MeChange
from hubchat.actions.operator import act_as
from hubchat.channels.items import Done
from hubchat.channels.log import outcome
from hubchat.demo.story import DAY_MS, MINUTE_MS, Line, Person, Place, Story, Talk
from hubchat.node import Node
from hubchat.storage.channels import read_heads
from hubchat.storage.database import now_ms
from hubchat.storage.sessions import Caller

UNREAD: Final = 4  # lines that whoever wrote nothing in a group has still to read

Told: TypeAlias = tuple[int, str, Line]
"""When, in which channel (by its key in `Teller.channels`), what."""


class Said(NamedTuple):
    """A line that is in the log, and whose it is."""

    by: str
    seq: int


async def tell(node: Node, story: Story) -> None:
    """Makes the whole community on an empty hub; the clock is the hub's own again afterwards."""
    teller = Teller(node, story.founded_at)
    node.log.clock = lambda: teller.now
    try:
        for person in story.people:
            await teller.let_in(person)
        for place in story.places:
            await teller.found(place)
        await teller.forget_notices()
        for talk in story.talks:
            await teller.begin(talk)
        for at, channel, line in sorted(_lines(teller, story), key=lambda told: told[0]):
            await teller.say(at, channel, line)
        await teller.end()
        await teller.leave_unread(story)
        for place in story.places:
            await teller.wait_at_door(place, story.now)
    finally:
        node.log.clock = now_ms


class Teller:
    """The people and places that are there by now, and what time it is."""

    def __init__(self, node: Node, now: int) -> None:
        self.node = node
        self.now = now
        self.people: dict[str, Caller] = {}
        self.channels: dict[str, int] = {}
        self.said: dict[str, list[Said]] = {}
        self._named: dict[tuple[str, str], int] = {}
        self._waiting: dict[str, list[Callable[[Done], None]]] = {}

    async def let_in(self, person: Person) -> None:
        self.now += MINUTE_MS
        await accounts.create(self.node, person.handle, person.name, bot=person.bot)
        self.people[person.handle] = caller = await act_as(self.node, person.handle)
        await me.change_me(self.node, caller, MeChange(about=person.about, lang=person.lang))

    async def found(self, place: Place) -> None:
        """Makes a group, and lets its people in by its own door."""
        self.now += DAY_MS // 24
        owner = self.people[place.owner]
        new = NewGroup(place.title, place.visibility, place.slug, place.about, place.lang, place.history)
        group = self.channels[place.title] = await groups.create(self.node, owner, new)
        for handle in place.everybody[1:]:
            self.now += MINUTE_MS
            if place.visibility == "secret":
                await invites.invite(self.node, owner, group, handle)
            if await members.join(self.node, self.people[handle], group) == "requested":
                await members.decide(self.node, owner, group, handle, approve=True)
        for handle in place.moderators:
            await members.set_role(self.node, owner, group, handle, "moderator")

    async def begin(self, talk: Talk) -> None:
        first, *others = talk.people
        made = self.channels[_key(talk)] = await conversations.converse(self.node, self.people[first], others)
        heard = {line.by for line in talk.lines}
        heard |= {handle for line in talk.lines for _, people in line.reactions for handle in people}
        for handle in others:
            if handle in heard:  # the others are still asked
                await conversations.accept(self.node, self.people[handle], made)

    async def say(self, at: int, channel: str, line: Line) -> None:
        """One line; what was done to the one before it there goes along, in the same commit."""
        log, by, id = self.node.log, self.people[line.by], self.channels[channel]
        self.now = at
        to = self._named[channel, line.to] if line.to else None
        send = partial(messages.send, log, by, id, line.was or line.text, reply_to=to)
        *_, stored = await asyncio.gather(*map(outcome, [*self._waiting.pop(channel, ()), send]))
        self.said.setdefault(channel, []).append(Said(line.by, stored.seq))
        if line.name:
            self._named[channel, line.name] = stored.seq
        self._waiting[channel] = list(self._done_to(line, id, stored.seq))

    def _done_to(self, line: Line, id: int, seq: int) -> Iterator[Callable[[Done], None]]:
        """Its author's second thoughts, and everybody's emoji."""
        log, by = self.node.log, self.people[line.by]
        if line.was:
            yield partial(messages.edit, log, by, id, seq, line.text)
        if line.pin:
            yield partial(messages.pin, log, by, id, seq, True)
        for emoji, handles in line.reactions:
            for handle in handles:
                yield partial(messages.react, log, self.people[handle], id, seq, emoji, True)

    async def end(self) -> None:
        """What was done to the last line of each channel."""
        self.now += MINUTE_MS
        await asyncio.gather(*(outcome(act) for acts in self._waiting.values() for act in acts))

    async def forget_notices(self) -> None:
        """What everybody was told while the groups were made, they have read."""
        inboxes = {person.inbox_id: person.account_id for person in self.people.values()}
        heads = await self.node.database.read(lambda connection: read_heads(connection, inboxes))
        for inbox, head in heads.items():
            self.node.readings.note(inboxes[inbox], inbox, head)

    async def leave_unread(self, story: Story) -> None:
        """Who writes has read up to their last line; who only listens is some lines behind."""
        for channel, handles in [
            *((place.title, place.everybody) for place in story.places),
            *((_key(talk), talk.people) for talk in story.talks),
        ]:
            said = self.said[channel]
            for handle in handles:
                mine = [one.seq for one in said if one.by == handle]
                read = mine[-1] if mine else said[max(0, len(said) - UNREAD - 1)].seq
                self.node.readings.note(self.people[handle].account_id, self.channels[channel], read)
        await self.node.readings.flush()

    async def wait_at_door(self, place: Place, now: int) -> None:
        """An invitation that is not answered yet, and a request that is not decided."""
        self.now = now - 2 * DAY_MS // 24
        group = self.channels[place.title]
        for handle in place.invited:
            await invites.invite(self.node, self.people[place.owner], group, handle)
        for handle, word in place.asking:
            await members.join(self.node, self.people[handle], group, word)


def _key(talk: Talk) -> str:
    return " ".join(talk.people)


def _lines(teller: Teller, story: Story) -> Iterator[Told]:
    for place in story.places:
        yield from ((line.at, place.title, line) for line in place.lines)
    for talk in story.talks:
        yield from ((line.at, _key(talk), line) for line in talk.lines)
