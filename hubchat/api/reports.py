"""Reports: made by members, and the queue of those who decide them."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, NotRequired

from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from hubchat.actions import reports
from hubchat.actions.reports import Reported, Why, possible, seer_of
from hubchat.api.answers import Json, time_of, time_or_none
from hubchat.api.cursors import make_cursor, read_cursor
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.forms import Form, Id, Page
from hubchat.api.people import PersonShown, show_person
from hubchat.errors import HubError
from hubchat.storage import reports as kept
from hubchat.storage.channels import ChannelRow, read_channels
from hubchat.storage.database import Connection, now_ms
from hubchat.storage.members import Person
from hubchat.storage.people import read_named
from hubchat.storage.reports import Decision, Report, State, read_reporters

Words = Annotated[str, Field(max_length=4_000)]


class NewReport(Form):
    """A message (`channel` and `seq`), a person (by id), or a group or conversation (`channel` alone)."""

    channel: Id | None = None
    seq: Id | None = None
    person: Id | None = None
    reason: Why
    text: Words | None = None


class ReportMade(TypedDict):
    """The same thing reported twice is one report: 201 the first time, then 200."""

    id: int


class PlaceShown(TypedDict):
    """Where something happened. A conversation has no title."""

    id: int
    kind: str
    title: str | None
    slug: str | None


class ReportShown(TypedDict):
    """A report. `reporter` is told to the hub's moderators alone; `word` is why it was decided so."""

    id: int
    kind: Literal["message", "person", "group", "conversation"]
    state: State
    queue: Literal["group", "hub"]
    reason: str
    text: str | None
    at: str
    channel: PlaceShown | None
    seq: int | None
    person: PersonShown | None
    reporter: NotRequired[PersonShown]
    decision: Decision | None
    word: str | None
    decided_at: str | None


class LineShown(TypedDict):
    """A message as it was when it was reported."""

    seq: int
    author: PersonShown | None
    at: str
    text: str | None


class ReportWhole(ReportShown):
    """With the messages as they were, and how the caller may decide."""

    lines: list[LineShown]
    can: list[Decision]


class QueueShown(TypedDict):
    items: list[ReportShown]
    next: str | None


class QueuePage(Page):
    state: State = "open"


class Decided(Form):
    """`reason` is told to both sides."""

    decision: Decision
    reason: Words


async def make(ask: Ask, form: NewReport) -> Response:
    """Tells moderators of something, with the message and five around it as they are now."""
    what = Reported(form.reason, form.channel, form.seq, form.person, form.text)
    made, is_new = await reports.report(ask.node, ask.member, what)
    shown: ReportMade = {"id": made}
    return Json(shown, status_code=201 if is_new else 200)


async def list_queue(ask: Ask, page: QueuePage) -> QueueShown:
    """What the caller decides: as a group's owner or moderator what is in it, as the hub's moderator everything else
    and what a group left for 48 hours. Open ones oldest first, decided ones newest first."""
    place = read_cursor(page.cursor, 2)
    after = None if place is None else (place[0], place[1])
    seer = seer_of(ask.member, now_ms())

    def read(connection: Connection) -> QueueShown:
        found = kept.read_queue(connection, seer, page.state, limit=page.limit + 1, after=after)
        shown = _show(connection, found[: page.limit], seer.is_of_hub)
        last = found[page.limit - 1] if len(found) > page.limit else None
        return {"items": shown, "next": make_cursor(last.decided_at or last.at, last.id) if last else None}

    return await ask.node.database.read(read)


async def show(ask: Ask) -> ReportWhole:
    """One report with its messages, and what the caller may decide."""
    report_id, member = ask.id(), ask.member
    seer = seer_of(member, now_ms())

    def read(connection: Connection) -> ReportWhole:
        found = kept.read_report(connection, report_id, seer)
        if found is None:
            raise HubError("thing_unknown")
        lines = kept.read_lines(connection, found.id)
        people = read_named(connection, [line.author_id for line in lines])
        shown: list[LineShown] = [
            {
                "seq": line.seq,
                "author": _person(people, line.author_id),
                "at": time_of(line.at),
                "text": line.text,
            }
            for line in lines
        ]
        can = [] if found.decision else possible(connection, member, found)
        return {**_show(connection, [found], seer.is_of_hub)[0], "lines": shown, "can": can}

    return await ask.node.database.read(read)


async def decide(ask: Ask, form: Decided) -> None:
    """Decides, and does what was decided by the caller's own rights."""
    await reports.decide(ask.node, ask.member, ask.id(), form.decision, form.reason)


def _show(connection: Connection, found: Sequence[Report], is_of_hub: bool) -> list[ReportShown]:
    channels = read_channels(connection, {one.channel_id for one in found if one.channel_id is not None})
    people = read_named(connection, [one.persona_id for one in found])
    shown = [_show_one(one, channels.get(one.channel_id or 0), people) for one in found]
    if is_of_hub:
        reporters = read_reporters(connection, [one.reporter_id for one in found])
        named = read_named(connection, reporters.values())
        for report, one in zip(found, shown, strict=True):
            who = _person(named, reporters.get(report.reporter_id))
            if who is not None:
                one["reporter"] = who
    return shown


def _show_one(one: Report, channel: ChannelRow | None, people: dict[int, Person]) -> ReportShown:
    kind: Literal["message", "person", "group", "conversation"] = "person"
    if one.seq is not None:
        kind = "message"
    elif one.persona_id is None:
        kind = "group" if channel is None or channel.kind == "group" else "conversation"
    place: PlaceShown | None = None
    if channel is not None:
        is_group = channel.kind == "group"
        place = {
            "id": channel.id,
            "kind": channel.kind,
            "title": channel.title or None,
            "slug": channel.slug if is_group else None,
        }
    return {
        "id": one.id,
        "kind": kind,
        "state": "open" if one.decision is None else "decided",
        "queue": one.queue,
        "reason": one.reason,
        "text": one.text,
        "at": time_of(one.at),
        "channel": place,
        "seq": one.seq,
        "person": _person(people, one.persona_id),
        "decision": one.decision,
        "word": one.word,
        "decided_at": time_or_none(one.decided_at),
    }


def _person(people: dict[int, Person], persona_id: int | None) -> PersonShown | None:
    person = None if persona_id is None else people.get(persona_id)
    return None if person is None else show_person(person)


ROUTES: Final = (
    # A kept answer would outlive the report; that doubles are one report is answer enough
    Endpoint("POST", "/reports", make, scope="write", takes=NewReport, gives=ReportMade, status=201, repeats=False),
    Endpoint("GET", "/moderation/queue", list_queue, scope="groups", takes=QueuePage, gives=QueueShown),
    Endpoint("GET", "/moderation/{id}", show, scope="groups", gives=ReportWhole),
    Endpoint("POST", "/moderation/{id}", decide, scope="groups", takes=Decided),
)
