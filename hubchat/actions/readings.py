"""What a member wants to be told of in a channel."""

from hubchat import access
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage.readings import Notify, set_notify
from hubchat.storage.sessions import Caller
from hubchat.storage.standings import read_seats


async def follow(node: Node, caller: Caller, channel_id: int, notify: Notify | None, follow: bool | None) -> None:
    """Sets what is given; None leaves as it is."""

    def follow_(tx: Transaction) -> None:
        key = (caller.account_id, channel_id)
        seat = read_seats(tx.connection, [key]).get(key)
        if seat is None or not access.can("read", seat.stand.standing, seat.channel.place):
            raise HubError("channel_unknown")
        access.require("mark_read", seat.stand.standing, seat.channel.place)
        set_notify(tx.connection, channel_id, caller.account_id, notify, follow)

    await node.log.write(follow_)
    node.readings.tell_changed(caller.account_id, "channels")
