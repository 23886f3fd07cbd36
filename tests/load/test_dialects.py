"""Members count right in the peers' dialects too: driven against stand-ins that say what the real ones say."""

import json
import os
import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from websockets import Subprotocol
from websockets.sync.server import ServerConnection, serve

from load import speech
from load.members import Members, Run
from load.servers import Server
from tests.servers import free_port

pytestmark = pytest.mark.skipif(not (shutil.which("gcc") or shutil.which("cc")), reason="no C compiler")
XMPP = Subprotocol("xmpp")


@contextmanager
def listening(handler: Callable[[ServerConnection], None], *subprotocols: Subprotocol) -> Iterator[Server]:
    """A WebSocket server in this process."""
    port = free_port()
    with serve(handler, "127.0.0.1", port, compression=None, subprotocols=subprotocols or None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Server(os.getpid(), port)
        finally:
            server.shutdown()
            thread.join()


def counted(run: Run) -> tuple[int, int, int]:
    return run.missing, run.doubled, run.out_of_order


class Centrifuge:
    """Gathers two publications, then says both in one frame, as well as both replies."""

    def __init__(self, *, refusing: bool = False, cutting: bool = False) -> None:
        self.readers: list[ServerConnection] = []
        self.published: list[tuple[int, str]] = []
        self.channels: list[str] = []
        self.pongs = 0
        self._refusing = refusing
        self._cutting = cutting
        self._waiting: list[tuple[int, str]] = []

    def handle(self, connection: ServerConnection) -> None:
        for frame in connection:
            for line in str(frame).split("\n"):
                self._obey(connection, json.loads(line))

    def _obey(self, connection: ServerConnection, command: dict[str, object]) -> None:
        match command:
            case {} if not command:
                self.pongs += 1
            case {"id": int(number), "publish": {"data": str(data)}}:
                self._waiting.append((number, data))
                if len(self._waiting) == 2 and self._cutting:
                    connection.socket.shutdown(socket.SHUT_RDWR)
                elif len(self._waiting) == 2:
                    self._say(connection)
            case {"id": int(number), "subscribe": {"channel": str(channel)}}:
                self.channels.append(channel)
                if connection not in self.readers:
                    self.readers.append(connection)
                connection.send(f'{{"id":{number},"subscribe":{{}}}}')
            case {"id": int(number), "connect": _}:
                connection.send(f'{{}}\n{{"id":{number},"connect":{{"client":"c"}}}}')

    def _say(self, sender: ServerConnection) -> None:
        told, self._waiting = self._waiting, []
        self.published += told
        outcome = '"error":{"code":103}' if self._refusing else '"publish":{}'
        sender.send("\n".join(f'{{"id":{number},{outcome}}}' for number, _ in told))
        if not self._refusing:
            pushes = (f'{{"push":{{"channel":"room0","pub":{{"data":"{data}"}}}}}}' for _, data in told)
            frame = "\n".join(pushes)
            for reader in self.readers:
                reader.send(frame)


def test_each_line_of_a_frame_is_a_message() -> None:
    room = Centrifuge()
    with (
        listening(room.handle) as server,
        Members(server, speech.centrifuge(2), readers=3, senders=1) as members,
    ):
        run = members.run(2, 0.3, warmup_s=0.1, until="delivered")
    assert run.messages > 0
    assert counted(run) == (0, 0, 0)
    assert run.errors == 0
    assert run.deliveries >= 3 * (run.messages - 2)
    assert sorted(room.channels) == ["room0"] * 3 + ["room1"] * 3
    assert room.pongs == 4  # what asked for a sign of life beside the first reply got one from everybody


def test_a_publication_carries_the_number_that_its_reply_brings_back() -> None:
    room = Centrifuge()
    with listening(room.handle) as server, Members(server, speech.centrifuge(1), readers=1, senders=1) as members:
        members.run(2, 0.1, warmup_s=0, until="delivered")
    assert room.published
    assert all(number == 1_000_000_000 + int(data[5:13], 16) for number, data in room.published)


def test_a_refused_publication_is_an_error_and_neither_a_message_nor_missing() -> None:
    room = Centrifuge(refusing=True)
    with listening(room.handle) as server, Members(server, speech.centrifuge(1), readers=2, senders=1) as members:
        run = members.run(2, 0.2, warmup_s=0, until="acked")
    assert run.errors == len(room.published) > 0
    assert (run.messages, run.deliveries, run.missing) == (0, 0, 0)
    assert run.reply_p99_ms == 0  # a refusal's time is no message's


def test_what_nobody_answers_and_who_is_cut_off_are_errors() -> None:
    room = Centrifuge(cutting=True)
    with listening(room.handle) as server, Members(server, speech.centrifuge(1), readers=1, senders=1) as members:
        run = members.run(2, 0.1, warmup_s=0, until="acked")
    assert run.errors == 3  # two publications without an answer, and their sender
    assert (run.messages, run.missing) == (0, 2)


class Room:
    """A room of XMPP: whoever comes in is told so, and everybody hears every message, its author too."""

    def __init__(self, *, refusing: bool = False) -> None:
        self.nicks: list[str] = []
        self._refusing = refusing
        self._inside: list[ServerConnection] = []
        self._one_at_a_time = threading.Lock()

    def handle(self, connection: ServerConnection) -> None:
        for frame in connection:
            with self._one_at_a_time:
                self._obey(connection, str(frame))

    def _obey(self, connection: ServerConnection, stanza: str) -> None:
        if joined := re.search(r'<presence .* to="room@conference.localhost/([^"]+)"', stanza):
            self.nicks.append(joined[1])
            self._inside.append(connection)
            connection.send("<presence type='available'/>")
            connection.send("<presence><x><status code='201'/><status code='110'/></x></presence>")
        elif body := re.search(r"<body>.*</body>", stanza):
            kind = "error" if self._refusing else "groupchat"
            for each in [connection] if self._refusing else self._inside:
                each.send(f"<message type='{kind}'>{body[0]}</message>")
        else:
            connection.send("<success/>")


def test_what_the_room_says_to_a_sender_is_its_acknowledgement_and_no_delivery() -> None:
    room = Room()
    with listening(room.handle, XMPP) as server, Members(server, speech.ejabberd(), readers=3, senders=2) as members:
        run = members.run(2, 0.3, warmup_s=0.1, until="acked")
    assert run.messages > 0
    assert counted(run) == (0, 0, 0)
    assert run.errors == 0
    assert 3 * (run.messages - 4) <= run.deliveries <= 3 * (run.messages + 4)  # 4 are under way at either edge
    assert len(set(room.nicks)) == 5  # a room has each name once


def test_a_message_that_the_room_gives_back_is_an_error() -> None:
    room = Room(refusing=True)
    with listening(room.handle, XMPP) as server, Members(server, speech.ejabberd(), readers=2, senders=1) as members:
        run = members.run(1, 0.2, warmup_s=0, until="acked")
    assert run.errors > 0
    assert (run.messages, run.deliveries, run.missing) == (0, 0, 0)
