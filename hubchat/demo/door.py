"""How one comes into the demo: as one of its people, without a password."""

from hubchat.actions.accounts import require_account
from hubchat.actions.proofs import Browser
from hubchat.actions.sessions import Started, begin
from hubchat.channels.transaction import Transaction
from hubchat.demo.story import read_people
from hubchat.errors import HubError
from hubchat.node import Node


async def continue_as(node: Node, handle: str, browser: Browser) -> Started:
    """Begins a session as one of the invented people; raises `person_unknown` for everybody else.

    Raises `demo_only` on a hub that is no demo, even where these people are there.
    """
    if not node.settings.demo:
        raise HubError("demo_only")
    if not any(person.handle == handle and not person.bot for person in read_people()):
        raise HubError("person_unknown")

    def verb(tx: Transaction) -> Started:
        return begin(tx, require_account(tx, handle).account_id, browser)

    return await node.log.write(verb)
