"""Waiting for what comes about by itself."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any


async def until(found: Callable[[], Any], within_s: float) -> float:
    """Waits until `found` gives something true, and gives how many seconds that took."""
    began = monotonic()
    async with asyncio.timeout(within_s):
        while not found():
            await asyncio.sleep(0.01)
    return monotonic() - began
