"""Search: what members wrote, as far as the caller may read it, as it is now."""

import asyncio
from typing import Annotated, Final, Literal, NamedTuple, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from hubchat.api.answers import time_of
from hubchat.api.cursors import make_cursor, read_cursor
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.forms import Id, Query
from hubchat.api.people import PersonShown, show_person
from hubchat.errors import HubError
from hubchat.sought import NOTHING, QUERY_CHARS, Part, Sought, excerpt, handle_of, read_query, read_time, score
from hubchat.storage import search
from hubchat.storage.conversations import read_people
from hubchat.storage.database import Connection
from hubchat.storage.members import Person
from hubchat.storage.people import read_named
from hubchat.storage.search import Found, Scope
from hubchat.throttle import network_of
from hubchat.words import Word

LIMIT: Final = 50  # each text of a page is looked through
RANKED: Final = 300  # the newest finds, of which `best` are the best: all of a common word would take seconds
ROUNDS: Final = 8  # the index may name what is gone or nobody's to read; a page that stays short goes on behind it
ROUND: Final = 100

Short = Annotated[str, Field(min_length=1, max_length=100)]


class Searched(Query):
    """What is looked for; `q` may be left out where a filter is given."""

    q: Annotated[str, Field(max_length=QUERY_CHARS)] = ""
    in_: Short | None = Field(default=None, alias="in")
    from_: Short | None = Field(default=None, alias="from")
    after: Short | None = None
    before: Short | None = None
    channel: Id | None = None
    sort: Literal["newest", "best"] = "newest"
    limit: int = Field(default=20, ge=1, le=LIMIT)
    cursor: str | None = Field(default=None, max_length=200)


class PlaceShown(TypedDict):
    """Where it was written; `people` of a conversation."""

    id: int
    kind: str
    slug: str | None
    title: str | None
    people: NotRequired[list[PersonShown]]


class FoundShown(TypedDict):
    """A message. `excerpt` is a piece of its text around the first hit, in parts."""

    channel: PlaceShown
    seq: int
    author: PersonShown | None
    at: str
    edited_at: NotRequired[str]
    excerpt: list[Part]


class FoundsShown(TypedDict):
    """A page may be short, or empty, and have a `next`."""

    items: list[FoundShown]
    next: str | None


class Kept(NamedTuple):
    """A text of now that is what is looked for, and where the words stand in it."""

    found: Found
    hits: list[list[Word]]


class Seeker(NamedTuple):
    """One search."""

    ask: Ask
    sought: Sought
    channel: int | None

    async def gather(self, below: int | None, most: int) -> tuple[list[Kept], int | None]:
        """At most `most` finds before the id `below`, newest first; and where the rest begins, None: there is none."""
        scope: Scope | None = None
        kept: list[Kept] = []
        for _ in range(ROUNDS):
            wanted = min(ROUND, most - len(kept)) if scope is None else ROUND

            def read(
                connection: Connection, scope: Scope | None = scope, below: int | None = below, wanted: int = wanted
            ) -> tuple[Scope, search.Round]:
                scope = scope or self._scope(connection)
                return scope, search.seek(connection, scope, self.sought, below=below, limit=wanted)

            scope, one = await self.ask.node.database.read(read)
            kept += await asyncio.to_thread(_hold, self.sought, one.found)
            below = one.last
            if len(kept) >= most:
                return kept[:most], kept[most - 1].found.id if below or len(kept) > most else None
            if below is None:
                return kept, None
        return kept, below

    def _scope(self, connection: Connection) -> Scope:
        caller = self.ask.caller
        account, myself = (caller.account_id, caller.handle) if caller else (0, None)
        return search.read_scope(connection, account, self.sought, self.channel, myself)


async def look_for(ask: Ask, asked: Searched) -> FoundsShown:
    """Newest first (`sort=newest`), or the best of the newest 300 (`best`).

    `q` has words, of which the last may be a beginning, phrases in quotes, and filters: `from:` (a handle, or `me`),
    `in:` (a group's slug, `~ID`, `groups` or `conversations`), `before:` and `after:` (a day, or an RFC 3339 time;
    `after` includes it), `has:link`. Values with spaces stand in quotes; a filter that is not known is a word. Several
    `from:` mean any of them, several `in:` too; all else must hold. The fields of these names add to those in `q`;
    `channel` holds beside all that. What the caller may not read is as what does not exist. A page may be short and
    have a `next`.
    """
    _require_pace(ask)
    seeker = Seeker(ask, _sought(asked), asked.channel)
    kept, cursor = await (_best if asked.sort == "best" else _newest)(seeker, asked)
    places = {one.found.channel.id for one in kept if one.found.channel.kind == "conversation"}
    authors = {one.found.author_id for one in kept if one.found.author_id is not None}

    def read(connection: Connection) -> tuple[dict[int, Person], dict[int, list[Person]]]:
        return read_named(connection, authors), read_people(connection, places)

    people, talks = await ask.node.database.read(read) if kept else ({}, {})
    items = await asyncio.to_thread(lambda: [_show(one, people, talks) for one in kept])
    return {"items": items, "next": cursor}


async def _newest(seeker: Seeker, asked: Searched) -> tuple[list[Kept], str | None]:
    place = read_cursor(asked.cursor, 1)
    kept, rest = await seeker.gather(place[0] if place else None, asked.limit)
    return kept, make_cursor(rest) if rest is not None else None


async def _best(seeker: Seeker, asked: Searched) -> tuple[list[Kept], str | None]:
    """A page goes on in the same finds: those that were newest when the first one was asked for."""
    place = read_cursor(asked.cursor, 3)
    kept, _ = await seeker.gather(place[0] + 1 if place else None, RANKED)
    top = place[0] if place else max((one.found.id for one in kept), default=0)
    ranked = await asyncio.to_thread(_rank, seeker.sought, kept)
    if place:
        ranked = [one for one in ranked if one[:2] < place[1:]]
    page = ranked[: asked.limit]
    cursor = make_cursor(top, *page[-1][:2]) if len(ranked) > asked.limit else None
    return [one for _, _, one in page], cursor


def _hold(sought: Sought, found: list[Found]) -> list[Kept]:
    """Those whose text of now is what is looked for, whatever the index remembers."""
    held = ((one, sought.hits(one.text)) for one in found)
    return [Kept(one, hits) for one, hits in held if hits is not None]


def _rank(sought: Sought, kept: list[Kept]) -> list[tuple[int, int, Kept]]:
    """Score, id and find, the best first."""
    scored = [(score(sought, one.found.text, one.hits), one.found.id, one) for one in kept]
    return sorted(scored, key=lambda one: one[:2], reverse=True)


def _sought(asked: Searched) -> Sought:
    """All that is asked for. Raises `fields_invalid`."""
    sought = read_query(asked.q)
    if sought == NOTHING and asked.q.strip():
        raise HubError("fields_invalid", fields={"q": "no word to look for"})
    if asked.from_ is not None:
        sought = sought._replace(people=(sought.people or frozenset()) | {handle_of(asked.from_)})
    if asked.in_ is not None:
        sought = sought._replace(places=(sought.places or frozenset()) | {asked.in_.strip().lower()})
    if asked.after is not None:
        sought = sought._replace(after=max(sought.after or 0, read_time(asked.after, "after")))
    if asked.before is not None:
        before = read_time(asked.before, "before")
        sought = sought._replace(before=before if sought.before is None else min(sought.before, before))
    if sought == NOTHING and asked.channel is None:
        raise HubError("fields_invalid", fields={"q": "what to look for"})
    return sought


def _require_pace(ask: Ask) -> None:
    """Raises `too_fast`."""
    client = ask.request.client
    ask.node.searches.take(
        str(ask.caller.account_id) if ask.caller else f"from {network_of(client.host if client else '')}"
    )


def _show(one: Kept, people: dict[int, Person], talks: dict[int, list[Person]]) -> FoundShown:
    found, channel = one.found, one.found.channel
    place: PlaceShown = {
        "id": channel.id,
        "kind": channel.kind,
        "slug": channel.slug if channel.kind == "group" else None,
        "title": channel.title or None,
    }
    if channel.kind == "conversation":
        place["people"] = [show_person(person) for person in talks.get(channel.id, [])]
    author = people.get(found.author_id) if found.author_id is not None else None
    shown: FoundShown = {
        "channel": place,
        "seq": found.seq,
        "author": show_person(author) if author else None,
        "at": time_of(found.at),
        "excerpt": excerpt(found.text, one.hits),
    }
    if found.edited_at is not None:
        shown["edited_at"] = time_of(found.edited_at)
    return shown


ROUTES: Final = (Endpoint("GET", "/search", look_for, scope="read", guests=True, takes=Searched, gives=FoundsShown),)
