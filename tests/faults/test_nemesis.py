"""What a seed says is what happens, whoever else draws from chance meanwhile."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults import nemesis
from tests.faults.nemesis import Fault, Nemesis

FAULTS = 100


async def _plan(seed: str, monkeypatch: pytest.MonkeyPatch, *, is_long: bool = True) -> tuple[list[str], list[float]]:
    """The faults of a seed in their order, and the waits between; nothing is broken and no time passes."""
    order: list[str] = []
    waits: list[float] = []
    calm = asyncio.Event()

    def named(kind: str, fault: Fault) -> Fault:
        @asynccontextmanager
        async def told() -> AsyncIterator[None]:
            order.append(f"{kind}: {getattr(fault, '__name__', fault)}")
            if len(order) >= FAULTS:
                calm.set()
            yield

        return told

    async def sleep(wait_s: float) -> None:
        waits.append(wait_s)

    monkeypatch.setattr(nemesis, "asyncio", SimpleNamespace(sleep=sleep))
    site: Any = SimpleNamespace(mortals=[], nodes=[], to_redis=[], to_postgres=[])
    made = Nemesis(site, [], random.Random(seed), is_long=is_long)
    for kind, faults in made.faults.items():
        made.faults[kind] = [named(kind, fault) for fault in faults]
    await made.rage(calm)
    return order, waits


async def test_a_seed_repeats_its_faults_and_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    first = await _plan("1-nemesis", monkeypatch)
    random.random()  # as others do
    assert await _plan("1-nemesis", monkeypatch) == first
    assert await _plan("2-nemesis", monkeypatch) != first


async def test_every_fault_comes_and_in_long_runs_some_last(monkeypatch: pytest.MonkeyPatch) -> None:
    order, waits = await _plan("1-nemesis", monkeypatch)
    made = Nemesis(SimpleNamespace(), [], random.Random(1))  # type: ignore[arg-type]  # nothing is done to it
    assert set(order) == {f"{kind}: {f.__name__}" for kind, faults in made.faults.items() for f in faults}
    assert [wait_s for wait_s in waits if wait_s > 10]
    _, short = await _plan("1-nemesis", monkeypatch, is_long=False)
    assert not [wait_s for wait_s in short if wait_s > 5]
