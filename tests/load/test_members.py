"""The virtual members count what they say they count: driven against the C loop, which loses nothing."""

import http.client
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from websockets.sync.server import ServerConnection

from load import filling, peers, speech
from load.compiler import CannotMeasureError
from load.hub import WRITERS, Hub
from load.members import Members
from tests.load.test_dialects import listening

pytestmark = pytest.mark.skipif(not (shutil.which("gcc") or shutil.which("cc")), reason="no C compiler")


def test_every_reader_gets_every_message_once_and_in_order() -> None:
    with peers.EPOLL.server() as server, Members(server, peers.EPOLL.speech(), readers=20, senders=3) as members:
        run = members.run(4, 0.3, warmup_s=0.1, until="delivered")
    assert run.messages > 0
    assert run.deliveries >= 20 * (run.messages - 12)  # what was under way at the edges counts on one side
    assert (run.missing, run.doubled, run.out_of_order, run.errors) == (0, 0, 0, 0)


def test_a_delivery_carries_the_whole_message() -> None:
    with peers.EPOLL.server() as server, Members(server, peers.EPOLL.speech(), readers=2, senders=1) as members:
        run = members.run(1, 0.2, warmup_s=0, until="delivered")
    assert run.bytes == run.deliveries * 204  # 200 of text, 4 of a frame's head


def test_who_comes_back_gets_what_it_missed_and_who_stalled_reads_on_without_a_gap(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.settle(members=3, rooms=2, each=1)
    coming = speech.rooms(hub.tokens, hub.channels, [[{"channel": one, "after": 0}] for one in hub.channels], replays=5)
    with hub.node() as server, Members(server, hub.room(), readers=4, senders=2, copies=2) as members:
        said = Members(server, speech.rooms(hub.tokens, hub.channels, [[]]), readers=0, senders=2)
        with said as writers:
            assert writers.say(10).messages == 10
            members.stall()
            with Members(server, coming, readers=6):
                pass
            assert writers.say(100).messages == 100
        assert members.read(3, hub.head(server.port), within_s=20).slips == 0


def test_a_run_with_more_messages_than_can_be_followed_fails() -> None:
    with (
        peers.EPOLL.server() as server,
        Members(server, peers.EPOLL.speech(), readers=1, senders=1, messages_most=50) as members,
        pytest.raises(CannotMeasureError, match="the members ended"),
    ):
        members.run(4, 60, warmup_s=0, until="delivered")


def test_two_crowds_of_one_hub_have_an_account_each() -> None:
    came: list[str] = []

    def note(connection: ServerConnection) -> None:
        assert connection.request
        came.append(connection.request.headers["Authorization"])
        connection.recv()

    crowd = replace(speech.plain(), headers=tuple(f"Authorization: {number}" for number in range(5)))
    with listening(note) as server, Members(server, crowd, readers=2), Members(server, crowd, readers=3, first=2):
        pass
    assert sorted(came) == ["0", "1", "2", "3", "4"]


def test_a_filled_history_lies_among_other_rooms_and_is_read_as_what_was_said_there(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.settle(WRITERS, 3, 3)
    for first, last in ((1, 9), (10, 30)):
        hub.fill(lambda at, first=first, last=last: filling.insert_history(at, hub.channels, hub.author, first, last))  # type: ignore[misc]
    stored = hub.fill(lambda at: at.execute(sa.text("SELECT channel_id FROM entry ORDER BY rowid")).scalars().all())
    assert stored[-30:] == hub.channels * 10
    with hub.node() as server:
        line = http.client.HTTPConnection("127.0.0.1", server.port)
        for channel in hub.channels:
            page = hub.entries(line, channel, limit=50)
            assert [entry["seq"] for entry in page if entry["kind"] == "message"] == list(range(1, 11))
        line.close()
