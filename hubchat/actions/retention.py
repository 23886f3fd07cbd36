"""Forgetting what is older than the hub or a group keeps it: rows deleted, `tail` moved, every node told."""

import asyncio
from functools import partial

from hubchat.channels.transaction import Transaction
from hubchat.journal import Expired, Journal
from hubchat.node import Node
from hubchat.storage import retention
from hubchat.storage.retention import DAY_MS, Keeping


async def expire(node: Node) -> None:
    """Once over all channels. Repeated, it changes nothing."""
    now, after, moved = node.log.clock(), 0, False
    while page := await node.database.read(
        partial(retention.read_keeping, hub_days=node.settings.keep_days, after=after)
    ):
        lines = []
        for keeping in page:
            before = now - keeping.days * DAY_MS
            if keeping.oldest_at is not None and keeping.oldest_at < before:
                lines.append(Expired(keeping.channel_id, await _forget(node, keeping, before), now))
        if lines:
            await asyncio.to_thread(Journal(node.settings.journal).append, lines)
        moved = moved or bool(lines)
        after = page[-1].channel_id
    if moved:
        await node.database.tidy()


async def _forget(node: Node, keeping: Keeping, before: int) -> int:
    """Forgets what a channel has from before a time; gives its new tail."""

    def forget(tx: Transaction) -> tuple[int, bool]:
        tail = tx.lock(keeping.channel_id)[keeping.channel_id].tail
        new = retention.forget_some(tx.connection, keeping.channel_id, tail, before)
        if new > tail:
            tx.revoke("tail", channel=keeping.channel_id)
        return new, new > tail

    while True:
        tail, went = await node.log.write(forget)
        if not went:
            return tail
