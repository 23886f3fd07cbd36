"""A hub that ends, in good order or not, and comes back: nothing acknowledged is lost, nothing is heard twice."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack

import pytest

from tests.blackbox.client import Frame
from tests.blackbox.hub import ON_BOTH, Hub
from tests.blackbox.line import Line
from tests.program import Program, Running
from tests.servers import free_port

pytestmark = ON_BOTH


class Restarting:
    """A hub at one port that is stopped and started."""

    def __init__(self, program: Program, stack: ExitStack) -> None:
        self.program, self.port, self._stack = program, free_port(), stack
        self.running: Running

    async def start(self) -> None:
        serving = self.program.serving(port=self.port)
        self.running = await asyncio.to_thread(self._stack.enter_context, serving)

    async def stop(self, how: signal.Signals) -> int:
        return await asyncio.to_thread(self.running.stop, how)


@pytest.fixture
def restarting(program: Program) -> Iterator[Restarting]:
    with ExitStack() as stack:
        yield Restarting(program, stack)


@pytest.fixture
async def hub(program: Program, restarting: Restarting) -> AsyncIterator[Hub]:
    await restarting.start()
    async with AsyncExitStack() as stack:
        yield Hub(program, restarting.running, stack)


def texts(line: Line) -> list[str]:
    return [one["text"] for one in line.heard if one.get("kind") == "message"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_what_was_sent_through_a_restart_is_stored_once_and_heard_once(
    hub: Hub, restarting: Restarting, how: signal.Signals
) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "open", ben)
    writer, reader = await anna.live(), await ben.live(group)
    log = writer.welcome["log"]
    sending: list[asyncio.Task[Frame]] = []
    for part in range(2):
        sending += [asyncio.create_task(writer.send(group, f"text {100 * part + n}")) for n in range(100)]
        if part == 0:
            await asyncio.sleep(0.02)
            code = await restarting.stop(how)
            assert code == (0 if how is signal.SIGTERM else -signal.SIGKILL)
    await restarting.start()
    done = await asyncio.wait_for(asyncio.gather(*sending), 60)
    assert sorted(one["seq"] for one in done) == list(range(1, 201))
    await reader.until_at(group, 200, within_s=30)
    assert texts(reader) == [f"text {n}" for n in range(200)]
    assert writer.welcome["log"] == log
    if how is signal.SIGTERM:
        (bye,) = [one["bye"] for one in reader.heard if "bye" in one]
        least, most = bye["reconnect_in_ms"]
        assert (bye["code"], 0 <= least < most) == (1012, True)
