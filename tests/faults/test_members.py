"""What a member's client notes is what happened to it."""

import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tests.blackbox.client import Refused
from tests.faults.history import Closed, Denied, Stood, Welcomed
from tests.faults.members import Witness
from tests.waiting import until

WAIT_S = 10.0
RESTARTING = {"bye": {"code": 1012, "reason": "restarting", "reconnect_in_ms": [0, 1]}}
NOT_FOUND = {"code": "not_found", "reason": "channel_unknown", "message": ""}


class _Hub:
    """Goes down after its first connection, is not there for the next one, and then has another history."""

    def __init__(self) -> None:
        self.tried = 0

    def answer(self, line: ServerConnection, _request: Request) -> Response | None:
        self.tried += 1
        return line.respond(503, "restarting\n") if self.tried == 2 else None

    async def speak(self, line: ServerConnection) -> None:
        await line.send(json.dumps({"welcome": {"log": self.tried}}))
        async for frame in line:
            command = json.loads(frame)
            stands = {"channel": 7, "head": 3, "first": 1}
            reply = {"ok": stands} if self.tried == 1 else {"error": NOT_FOUND}
            if command["do"] == "subscribe" or self.tried > 1:
                await line.send(json.dumps({"re": command["id"], **reply}))
            if self.tried == 1:
                await line.send(json.dumps(RESTARTING))
                await line.close(1012)


@pytest.fixture
async def line() -> AsyncIterator[Any]:
    """The way to it."""
    hub = _Hub()
    protocol = Subprotocol("hubchat.v1.json")
    async with serve(hub.speak, "127.0.0.1", 0, process_request=hub.answer, subprotocols=[protocol]) as server:
        yield SimpleNamespace(port=next(iter(server.sockets)).getsockname()[1])


async def test_a_connection_that_was_refused_is_not_one_that_ended_well(line: Any) -> None:
    async with Witness(line, "token", "json") as witness:
        await witness.subscribe(7)
        await until(lambda: any(isinstance(event, Denied) for event in witness.events), WAIT_S)
    assert witness.counted == {
        "connections ended by 1012": 1, "connections not opened: 503": 1, "answers: channel_unknown": 1,
    }  # fmt: skip
    kinds = [type(event) for event in witness.events]
    assert kinds == [Welcomed, Stood, Closed, Welcomed, Denied]
    assert [event.log for event in witness.events if isinstance(event, Welcomed)] == [1, 3]
    assert 7 not in witness.at


async def test_what_is_sent_again_on_the_next_connection_is_counted(line: Any) -> None:
    async with Witness(line, "token", "json") as witness:
        with pytest.raises(Refused):
            await witness.send(7, "hello", nonce="n")
        assert witness.sendings["n"] == 2
