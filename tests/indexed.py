"""The index of texts as it is once it has followed."""

from hubchat.jobs.indexing import Indexing
from hubchat.node import Node


async def index_all(node: Node) -> None:
    """Waits until search knows all that was written."""
    one = Indexing(node)
    await one.scan()
    await one.catch_up()
