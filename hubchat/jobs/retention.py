"""Once a day: forgets what is older than the hub, or a group, keeps it."""

from hubchat.actions import retention
from hubchat.node import Node
from hubchat.storage.jobs import Job


async def expire(node: Node, job: Job) -> None:
    await retention.expire(node)
