"""What happened in the demo, read from story/*.toml into moments. Pure, but for reading those files.

A place is told in scenes; within one, a line follows the one before when somebody could have read that and written.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

from hubchat.access import History, Visibility

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
FOUNDED_DAYS: Final = 20  # so long ago the groups were made
TALKS: Final = "talks.toml"
PEOPLE: Final = "people.toml"
SMALL_TALK: Final = "small-talk.toml"


@dataclass(frozen=True)
class Person:
    """Somebody invented."""

    handle: str
    name: str
    about: str
    lang: str
    bot: bool = False


@dataclass(frozen=True)
class Line:
    """One message. `at` is when (ms); `name` is what a later line calls it in its `to`.

    `reactions` are (emoji, handles); `was` is its text before it was edited.
    """

    at: int
    by: str
    text: str
    name: str | None = None
    to: str | None = None
    was: str | None = None
    pin: bool = False
    reactions: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class Place:
    """A group. `asking` are (handle, word) of those who wait at the door."""

    title: str
    about: str
    visibility: Visibility
    owner: str
    lines: tuple[Line, ...]
    slug: str | None = None
    lang: str | None = None
    history: History = "all"
    moderators: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    invited: tuple[str, ...] = ()
    asking: tuple[tuple[str, str], ...] = ()

    @property
    def everybody(self) -> tuple[str, ...]:
        return (self.owner, *self.moderators, *self.members)


@dataclass(frozen=True)
class Talk:
    """A conversation; the first of its people begins it."""

    people: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Story:
    """The whole of it, as it looks at `now` (ms)."""

    now: int
    people: tuple[Person, ...] = field(repr=False)
    places: tuple[Place, ...] = field(repr=False)
    talks: tuple[Talk, ...] = field(repr=False)

    @property
    def founded_at(self) -> int:
        return self.now - FOUNDED_DAYS * DAY_MS


@cache
def read_people() -> tuple[Person, ...]:
    """Everybody who lives in the demo, in the order in which they are offered."""
    return tuple(Person(**one) for one in _read(PEOPLE)["people"])


@cache
def read_small_talk() -> tuple[tuple[str, str], ...]:
    """What the demo's two programs say to each other: a line and its answer."""
    return tuple((said, answered) for said, answered in _read(SMALL_TALK)["exchanges"])


def read_story(now: int) -> Story:
    """The story, its times counted back from `now` (ms)."""
    names = sorted(one.name for one in _folder().iterdir() if one.name.endswith(".toml"))
    places = tuple(_place(_read(name), now) for name in names if name not in (TALKS, PEOPLE, SMALL_TALK))
    talks = tuple(Talk(tuple(one["people"]), tuple(_lines(one["scene"], now))) for one in _read(TALKS)["talk"])
    return Story(now, read_people(), places, talks)


def _place(told: dict[str, Any], now: int) -> Place:
    people: dict[str, Any] = {name: tuple(told.pop(name, ())) for name in ("moderators", "members", "invited")}
    asking = tuple((one["handle"], one["word"]) for one in told.pop("asking", ()))
    lines = tuple(_lines(told.pop("scene"), now))
    return Place(**told, **people, asking=asking, lines=lines)


def _lines(scenes: Iterable[Mapping[str, Any]], now: int) -> Iterator[Line]:
    for scene in scenes:
        at = _moment(scene, now)
        for number, (by, text, *more) in enumerate(scene["talk"]):
            told = dict(more[0]) if more else {}
            reactions = tuple(_reaction(one) for one in told.pop("react", "").split(", ") if one)
            yield Line(at, by, text, reactions=reactions, **told)
            at += _pause_ms(text, number)


def _moment(scene: Mapping[str, Any], now: int) -> int:
    """`hours_ago` counts from now; `days_ago` and `at` name an hour (UTC) of a day that is over.

    What is called today begins at the last midnight that is half a day ago, so that yesterday never ended just now.
    """
    if "hours_ago" in scene:
        return now - int(scene["hours_ago"]) * HOUR_MS
    hour, minute = map(int, scene["at"].split(":"))
    midnight = (now - DAY_MS // 2) // DAY_MS * DAY_MS
    return midnight - int(scene["days_ago"]) * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS


def _pause_ms(text: str, number: int) -> int:
    """As long as reading a line and writing the next may take, some minutes; always the same for the same line."""
    return MINUTE_MS + 1_000 * (len(text) + 37 * number % 240)


def _reaction(told: str) -> tuple[str, tuple[str, ...]]:
    emoji, *people = told.split()
    return emoji, tuple(people)


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(_folder().joinpath(name).read_text("utf-8"))


def _folder() -> Traversable:
    return files(__package__) / "story"
