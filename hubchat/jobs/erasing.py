"""Takes away what is left of an account that was erased, some at a time."""

from hubchat.actions import erasures
from hubchat.node import Node
from hubchat.storage.jobs import Job


async def erase(node: Node, job: Job) -> None:
    assert job.subject is not None, "it is of somebody"
    await erasures.carry_out(node, job.subject)
