"""Channels and entries as JSON, the same wherever they are told."""

from collections.abc import Sequence
from typing import Any, Final, Literal, NotRequired

from typing_extensions import TypedDict

from hubchat.access import Action, Audience, ChannelState, GroupRole, History, Visibility, allowed, can, visibility
from hubchat.api.answers import time_of, time_or_none
from hubchat.api.people import PersonShown, show_person
from hubchat.errors import HubError
from hubchat.storage.channels import ChannelRow
from hubchat.storage.conversations import read_people
from hubchat.storage.database import Connection
from hubchat.storage.groups import read_rosters
from hubchat.storage.members import Person, count_members, count_requests
from hubchat.storage.readings import Notify, Position, read_positions
from hubchat.storage.sessions import Caller
from hubchat.wire import Entry

FEW: Final = 10
"""A smaller number of members is told to members only: with few, a number is nearly a name."""


class ChannelShown(TypedDict):
    """A channel as the caller has it. Who may not read it gets no more of its log than zeros.

    `requests`: how many ask to come in, told to those who decide. `keep_days`: what was said there is forgotten after
    so many days (`keep_days` of `GET /hub` counts too, the shorter holds); null: the group says nothing of it.
    `indexed`: search engines may list its page, while it is public.
    `slow_s`: how long a member waits between
    two messages; who may `send_freely` does not. `waiting`: how many more messages a request holds till it is accepted.
    """

    id: int
    kind: str
    slug: str | None
    title: str | None
    about: str | None
    lang: str | None
    visibility: Visibility | None
    state: ChannelState
    history: History
    slow_s: int
    writers: Audience
    waiting: NotRequired[int]
    role: GroupRole | None
    membership: Literal["member", "requested", "invited", "none"]
    members: int | Literal["fewer than 10"]
    roster: int | None
    requests: NotRequired[int]
    can: list[Action]
    people: NotRequired[list[PersonShown]]
    head: int
    first: int
    read_seq: int
    unread: int
    mentions: int
    last_at: str | None
    notify: Notify | None
    follow: bool
    keep_days: int | None
    indexed: bool


class EntryShown(TypedDict):
    """An entry of the live protocol; further fields by its kind. Times are RFC 3339."""

    channel: int
    seq: int
    kind: str
    author: int | None
    at: str


def account_of(caller: Caller | None) -> int | None:
    return caller.account_id if caller else None


def read_shown(connection: Connection, caller: Caller | None, rows: Sequence[ChannelRow]) -> list[ChannelShown]:
    """These channels as the caller has them, those that they may see, in their order."""
    return show_channels(connection, read_positions(connection, account_of(caller), rows))


def read_one(connection: Connection, caller: Caller | None, row: ChannelRow | None) -> ChannelShown:
    """One channel; raises `channel_unknown` where the caller may not see it."""
    shown = [] if row is None else read_shown(connection, caller, [row])
    if not shown:
        raise HubError("channel_unknown")
    return shown[0]


def show_channels(connection: Connection, positions: Sequence[Position]) -> list[ChannelShown]:
    """Four statements for what stands around them, however many there are."""
    seen = [one for one in positions if one.first is not None or can("see", one.stand.standing, one.channel.place)]
    counts = count_members(connection, [one.channel.access_id for one in seen])
    rosters = read_rosters(connection, [one.channel.id for one in seen if one.channel.kind == "group"])
    people = read_people(connection, [one.channel.id for one in seen if one.channel.kind == "conversation"])
    deciding = [one.channel.id for one in seen if can("decide", one.stand.standing, one.channel.place)]
    requests = count_requests(connection, deciding)
    shown = [_show(one, counts[one.channel.access_id], rosters, people.get(one.channel.id)) for one in seen]
    for one in shown:
        if one["id"] in requests:
            one["requests"] = requests[one["id"]]
    return shown


def _show(one: Position, count: int, rosters: dict[int, int], people: list[Person] | None) -> ChannelShown:
    channel, standing = one.channel, one.stand.standing
    is_member = standing.state == "member"
    can_read = one.first is not None
    shown: ChannelShown = {
        "id": channel.id,
        "kind": channel.kind,
        "slug": channel.slug if channel.kind == "group" else None,
        "title": channel.title or None,
        "about": channel.about,
        "lang": channel.lang,
        "visibility": visibility(channel.place.presets),
        "state": channel.state,
        "history": channel.history,
        "slow_s": channel.slow_s,
        "writers": channel.writers,
        "role": standing.role if is_member else None,
        "membership": standing.state if standing.state != "banned" else "none",
        "members": count if is_member or count >= FEW else "fewer than 10",
        "roster": rosters.get(channel.id) if is_member else None,
        "can": allowed(standing, channel.place),
        "head": channel.head if can_read else 0,
        "first": one.first or 1,
        "read_seq": one.read_seq,
        "unread": one.unread,
        "mentions": one.mentions,
        "last_at": time_or_none(one.last_at),
        "notify": one.notify,
        "follow": one.follow,
        "keep_days": channel.keep_days,
        "indexed": bool(channel.indexed),
    }
    if channel.asking is not None and is_member:
        shown["waiting"] = max(0, channel.asking)
    if people is not None:
        shown["people"] = [show_person(person) for person in people]
        shown["members"] = len(people)
    return shown


def show_entry(entry: Entry) -> dict[str, Any]:
    """An entry's fields of the live protocol, with RFC 3339 times."""
    return with_times(entry.to_map())


def with_times(fields: dict[str, Any]) -> dict[str, Any]:
    """An entry's fields, its times (ms in the live protocol) as HTTP writes them."""
    for name in ("at", "edited_at"):
        if name in fields:
            fields[name] = time_of(fields[name])
    return fields
