"""The table verb → function. Writing verbs go to the log in arrival order; others run one at a time in a task."""

from asyncio import Future
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from hubchat import access, wire
from hubchat.access import Scope
from hubchat.actions import messages
from hubchat.channels.hub import FRESH_S
from hubchat.channels.items import Done, Stored
from hubchat.channels.log import Log
from hubchat.channels.pages import history_page
from hubchat.errors import HubError
from hubchat.storage.database import now_ms
from hubchat.storage.people import read_people
from hubchat.storage.sessions import Caller
from hubchat.storage.standings import Seat
from hubchat.wire import (
    REPLAY_ENTRIES,
    SUBSCRIPTIONS,
    Command,
    Delete,
    Edit,
    History,
    Idle,
    People,
    Pin,
    Ping,
    React,
    Read,
    Send,
    Subscribe,
    Typing,
    Unread,
    Unsubscribe,
    Watch,
)

if TYPE_CHECKING:
    from hubchat.gateway.session import Session

Ok: TypeAlias = Mapping[str, Any] | None
Asked: TypeAlias = dict[int, tuple[int, float, Future[Seat | None]]]
"""By channel: what was asked ahead, how far the access channel had been acted upon then, and when (s, monotonic)."""

# ---------------------------------------------------------------- subscriptions


async def subscribe(session: "Session", command: Subscribe) -> Ok:
    """Registers as joining, asks the right, replies with where the channel stands, then replays what is missing."""
    hub, subscriptions = session.node.hub, session.subscriptions
    if command.channel not in subscriptions and len(subscriptions) >= SUBSCRIPTIONS:
        raise HubError("too_many_subscriptions")
    subscription = subscriptions[command.channel] = hub.join(session, command.channel)
    try:
        seat = await _seat_to_read(session, command.channel, session.asked)
        if subscriptions.get(command.channel) is not subscription:
            raise HubError("channel_unknown")  # ended meanwhile, by a lost right
        subscription.member = seat.stand.standing.state == "member"  # before any wait: joining may change it meanwhile
        await hub.open(subscription.live, seat.channel.access_id)
        if command.after is not None and subscription.live.at < command.after <= seat.channel.head:
            await hub.repairs.reach(subscription.live, command.after)  # another node was further
        if subscriptions.get(command.channel) is not subscription:
            raise HubError("channel_unknown")
    except BaseException:
        if subscriptions.get(command.channel) is subscription:
            del subscriptions[command.channel]
        hub.leave(subscription)
        raise
    live = subscription.live
    head = live.at
    first = seat.stand.first(seat.channel._replace(head=head))
    reset = command.after is not None and (
        command.after > head or command.after < seat.channel.tail - 1 or head - command.after > REPLAY_ENTRIES
    )
    replays = command.after is not None and not reset
    subscription.position = max(command.after or 0, first - 1) if replays else head
    subscription.position = min(subscription.position, head)
    subscription.admitted = True
    hub.moved.add(live)
    ok: dict[str, Any] = {"channel": command.channel, "head": head, "first": first}
    session.post(wire.reply_ok(command.id, ok | {"reset": True} if reset else ok))
    if not session.lagging:
        session.node.catchup.add(subscription)
    session.node.audience.welcome(session, live)
    return None


async def _seat_to_read(session: "Session", channel: int, asked: Asked | None = None) -> Seat:
    """The channel, if this member may read it; asked again when rights changed while it was asked, or since it was."""
    hub = session.node.hub
    ahead = asked.get(channel) if asked else None
    while True:
        if ahead is not None and monotonic() - ahead[1] < FRESH_S:
            epoch, _, answer = ahead
            seat = await answer
        else:
            epoch = hub.access_epoch
            seat = await session.node.seats.get((session.account_id or 0, channel))
        ahead = None
        if epoch == hub.access_epoch:
            break
    if seat is None or not access.can("read", seat.stand.standing, seat.channel.place):
        raise HubError("channel_unknown")
    return seat


async def unsubscribe(session: "Session", command: Unsubscribe) -> Ok:
    if (subscription := session.subscriptions.pop(command.channel, None)) is not None:
        session.node.hub.leave(subscription)
    return {}


# ---------------------------------------------------------------- reading


async def history(session: "Session", command: History) -> Ok:
    seat = await _seat_to_read(session, command.channel)
    return await session.node.database.read(
        lambda connection: history_page(connection, seat, command, session.kind.dialect)
    )


async def people(session: "Session", command: People) -> Ok:
    found = await session.node.database.read(
        lambda connection: read_people(connection, session.account_id, command.ids, command.channel)
    )
    return {"people": [person.to_map() for person in found]}


async def read(session: "Session", command: Read) -> Ok:
    seat = await _seat_to_read(session, command.channel)
    assert session.account_id is not None, "the scope was asked"
    session.node.readings.note(session.account_id, command.channel, min(command.seq, seat.channel.head), live=True)
    return {}


async def unread(session: "Session", command: Unread) -> Ok:
    seat = await _seat_to_read(session, command.channel)
    assert session.account_id is not None, "the scope was asked"
    seq = min(command.seq, seat.channel.head + 1)
    await session.node.readings.move_back(session.account_id, command.channel, seq)
    return {}


# ---------------------------------------------------------------- presence


async def typing(session: "Session", command: Typing) -> Ok:
    """Tells the channel's members, unless this member shows no presence."""
    seat = await _seat_to_read(session, command.channel)
    access.require("typing", seat.stand.standing, seat.channel.place)
    caller = session.caller
    assert caller is not None, "the scope was asked"
    shows = seat.stand.presence == "shared" or (
        seat.stand.presence == "conversations" and seat.channel.kind == "conversation"
    )
    due = session.node.tracker.may_signal_typing(caller.account_id, command.channel, monotonic())
    if shows and due:
        person = seat.stand.persona_id or caller.persona_id
        session.node.hub.tell_typing(command.channel, person)
    return {}


async def idle(session: "Session", command: Idle) -> Ok:
    session.node.tracker.set_idle(session, command.on)
    return {}


async def watch(session: "Session", command: Watch) -> Ok:
    return {"online": await session.node.tracker.watch(session, command.people)}


async def ping(session: "Session", command: Ping) -> Ok:
    return {"time": now_ms()}


# ---------------------------------------------------------------- writing


def send(log: Log, caller: Caller, command: Send, done: Done) -> None:
    messages.send(
        log, caller, command.channel, command.text, done,
        nonce=command.nonce, reply_to=command.reply_to, media=command.media,
    )  # fmt: skip


def edit(log: Log, caller: Caller, command: Edit, done: Done) -> None:
    messages.edit(log, caller, command.channel, command.seq, command.text, done)


def delete(log: Log, caller: Caller, command: Delete, done: Done) -> None:
    messages.delete(log, caller, command.channel, command.seq, done)


def react(log: Log, caller: Caller, command: React, done: Done) -> None:
    messages.react(log, caller, command.channel, command.seq, command.emoji, command.on, done)


def pin(log: Log, caller: Caller, command: Pin, done: Done) -> None:
    messages.pin(log, caller, command.channel, command.seq, command.on, done)


def _sent(command: Command, stored: Stored) -> Ok:
    assert isinstance(command, Send)
    return {"channel": command.channel, "seq": stored.seq, "at": stored.at}


def _changed(command: Command, stored: Stored) -> Ok:
    """`{"seq"}` of the entry; a repeat that changed nothing has none, or that of the change it repeats."""
    return {"seq": stored.seq} if stored.seq else {}


# ---------------------------------------------------------------- the tables

Submit: TypeAlias = Callable[[Log, Caller, Any, Done], None]

WRITES: Final[Mapping[type[Command], tuple[Submit, Callable[[Command, Stored], Ok]]]] = {
    Send: (send, _sent),
    Edit: (edit, _changed),
    Delete: (delete, _changed),
    React: (react, _changed),
    Pin: (pin, _changed),
}
OTHERS: Final[Mapping[type[Command], Callable[["Session", Any], Awaitable[Ok]]]] = {
    Subscribe: subscribe,
    Unsubscribe: unsubscribe,
    History: history,
    People: people,
    Read: read,
    Unread: unread,
    Typing: typing,
    Idle: idle,
    Watch: watch,
    Ping: ping,
}
SCOPES: Final[Mapping[type[Command], Scope]] = {
    Send: "write",
    Edit: "write",
    Delete: "write",
    React: "write",
    Pin: "write",
    Read: "write",
    Unread: "write",
    Typing: "write",
    Idle: "read",
    Watch: "read",
}
"""What a token must allow. Verbs that are not here are for guests too."""
