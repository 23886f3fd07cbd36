"""Acting at the operator's word: for members, from the command line and in the demo, and for nobody."""

from hubchat.access import SCOPES, VISIBILITIES
from hubchat.actions import messages
from hubchat.actions.groups import NewGroup, check_slug, check_title
from hubchat.channels.log import outcome
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import audit, groups, indexing
from hubchat.storage.accounts import Me, read_me_by_handle
from hubchat.storage.channels import read_by_slug, read_channel
from hubchat.storage.sessions import Caller
from hubchat.wire import MAX_ID, check_text


async def act_as(node: Node, handle: str) -> Caller:
    """The member behind a handle as who asks, with every right that they have; raises `person_unknown`."""
    me: Me | None = await node.database.read(lambda connection: read_me_by_handle(connection, handle))
    if me is None:
        raise HubError("person_unknown", f"there is no member @{handle}")
    return Caller(
        me.account_id, me.id, me.handle, me.name, me.inbox_id, me.role, me.presence,
        None, None, frozenset(SCOPES), 0, 0,
    )  # fmt: skip


async def create_ownerless(node: Node, new: NewGroup) -> int:
    """Makes a group that everybody may join and nobody owns, and gives its id. Raises as `groups.create` does."""
    slug, title = check_slug(new.slug), check_title(new.title)

    def create(tx: Transaction) -> int:
        room, _ = groups.insert_group(
            tx.connection, presets=VISIBILITIES[new.visibility], slug=slug, title=title, about=None, lang=None,
            history=new.history,
        )  # fmt: skip
        audit.record(tx.connection, tx.now, None, "group.create", room.id)
        return room.id

    return await node.log.write(create)


async def say(node: Node, caller: Caller, channel: str, text: str) -> int:
    """Sends a message to a channel, named by its id or a group's address, and gives its seq."""
    words = check_text("text", text)
    found = await _find(node, channel)
    stored = await outcome(lambda done: messages.send(node.log, caller, found, words, done))
    return stored.seq


async def _find(node: Node, channel: str) -> int:
    """An id wins over an address of digits alone. Rights are asked when something is sent there."""
    found = None
    if channel.isascii() and channel.isdigit() and int(channel) <= MAX_ID:
        found = await node.database.read(lambda connection: read_channel(connection, int(channel)))
    if found is None:
        found = await node.database.read(lambda connection: read_by_slug(connection, channel))
    if found is None:
        raise HubError("channel_unknown")
    return found.id


async def reindex(node: Node) -> int:
    """Empties the index of texts, and gives how many entries a hub that runs has to read for it to be made anew."""

    def restart(tx: Transaction) -> int:
        indexing.restart(tx.connection)
        return sum(indexing.read_behind(tx.connection).values())

    return await node.log.write(restart)
