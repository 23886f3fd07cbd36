"""Drives the C program of virtual members: load/member.c."""

import json
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from load import machine
from load.compiler import CannotMeasureError, compiled
from load.servers import Server, on_core
from load.speech import Speech

MESSAGES_MOST = 1 << 20  # of a run: a minute's at 17,000 a second; each is kept (32 B) until what came of it is told
SLIPS = ("errors", "doubled", "missing", "out_of_order", "gaps")


@dataclass(frozen=True)
class Run:
    """What one run counted. Times of single messages in ms, `seconds` and `cpu_s` over the whole of it.

    `messages` are those that were taken, of which alone there are times; `errors` were refused, stayed without an
    answer for 5 s, or are members that were cut off.
    """

    seconds: float
    messages: int
    deliveries: int
    bytes: int
    cpu_s: float  # of the server
    errors: int
    doubled: int
    missing: int
    out_of_order: int
    gaps: int  # in the numbers that hubchat gives a channel's entries
    members_cpu_s: float
    reply_p50_ms: float
    reply_p99_ms: float
    delivery_p50_ms: float
    delivery_p99_ms: float

    def values(self) -> dict[str, float]:
        """What was counted and what follows from it, as a Reading keeps it."""
        return {
            **asdict(self),
            "messages_per_s": self.messages / self.seconds,
            "deliveries_per_s": self.deliveries / self.seconds,
            "cpu_share": self.cpu_s / self.seconds,
            "members_cpu_share": self.members_cpu_s / self.seconds,
            "cpu_us_per_message": self.cpu_s / max(self.messages, 1) * 1e6,
            "cpu_us_per_delivery": self.cpu_s / max(self.deliveries, 1) * 1e6,
        }


@dataclass(frozen=True)
class CaughtUp:
    """What those heard who read again: all has to be 0 but the time. `lost` were cut off."""

    seconds: float
    behind: int
    lost: int
    doubled: int
    gaps: int
    out_of_order: int

    @property
    def slips(self) -> int:
        """Whatever should not have been."""
        return self.behind + self.lost + self.doubled + self.gaps + self.out_of_order


class Members:
    """`readers` and `senders` connected to one server; a context manager that lets them go at its end.

    With nodes `beside` it readers take turns between all of them, and senders stay with the first.
    """

    def __init__(
        self,
        server: Server,
        speech: Speech,
        *,
        readers: int,
        senders: int = 0,
        opening: int = 64,
        copies: int | None = None,
        beside: Sequence[Server] = (),
        first: int = 0,
        messages_most: int = MESSAGES_MOST,
    ) -> None:
        """`opening` is how many handshakes are under way at once, `copies` how many readers hear a message: all,
        unless said. `first` is the account of the first reader, whose others have those that follow."""
        self._servers = (server, *beside)
        self.readers = readers
        self._wanted = readers + senders
        self._folder = tempfile.TemporaryDirectory(prefix="hubchat-load-")
        self._command = [
            *(str(compiled("member.c")), f"--dialect={speech.dialect}", f"--replays={speech.reader.replays}"),
            *(f"--port={one.port}" for one in self._servers),
            *(f"--copies={readers if copies is None else copies}", f"--messages-most={messages_most}"),
            *(f"--readers={readers}", f"--senders={senders}", f"--opening={opening}", f"--first={first}"),
            *(f"--reader-path={speech.reader.path}", f"--sender-path={speech.sender.path}"),
            f"--reader-greetings={speech.reader.greetings}",
            f"--sender-greetings={speech.sender.greetings}",
            f"--reader-hello={self._pack('reader', speech.reader.hello, *speech.reader.hellos)}",
            f"--sender-hello={self._pack('sender', speech.sender.hello, *speech.sender.hellos)}",
            f"--headers={self._file('headers', chr(10).join(speech.headers).encode())}",
            f"--message={self._pack('message', speech.message, *speech.messages)}",
            *([f"--subprotocol={speech.subprotocol}"] if speech.subprotocol else []),
        ]
        self.connect_s = 0.0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=on_core(machine.cores()[1]),
        )
        opened = self._event("ready")
        self.connect_s = float(opened["seconds"])
        if opened["ready"] != self._wanted:
            self.close()
            raise CannotMeasureError(f"{self._wanted} members, only {opened['ready']} got in")
        if slips := opened["doubled"] + opened["gaps"] + opened["out_of_order"]:
            self.close()
            raise CannotMeasureError(f"{slips} of the entries that they missed came twice, late or never")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def run(self, in_flight: int, seconds: float, *, warmup_s: float, until: str) -> Run:
        """`in_flight` messages under way for each sender; one ends when it is `delivered` or `acked`."""
        return self._counted(f"run {in_flight} {warmup_s} {seconds} until-{until}")

    def say(self, messages: int, in_flight: int = 8) -> Run:
        """So many messages in all, each acknowledged."""
        return self._counted(f"say {messages} {in_flight}")

    def stall(self) -> None:
        """No reader takes anything from its socket any more."""
        self._tell("stall")
        self._event("stalled")

    def read(self, readers: int, seq: int, *, within_s: float) -> CaughtUp:
        """The first `readers` read again, until they have entry `seq` of the one channel that they follow."""
        self._tell(f"read {readers} {seq} {within_s}")
        heard = self._event("read")
        return CaughtUp(**{name: value for name, value in heard.items() if name != "event"})

    def _counted(self, command: str) -> Run:
        self._tell(command)
        self._event("start")
        before_s, own_before_s = self._cpu_s(), machine.cpu_s(self._process.pid)
        self._event("end")
        cpu_s, own_s = self._cpu_s() - before_s, machine.cpu_s(self._process.pid) - own_before_s
        result = self._event("result")
        counts = {name: result[name] for name in ("seconds", "messages", "deliveries", "bytes", *SLIPS)}
        times = {
            f"{what}_{point}_ms": result[f"{what}_ms"][point]
            for what in ("reply", "delivery")
            for point in ("p50", "p99")
        }
        return Run(cpu_s=cpu_s, members_cpu_s=own_s, **counts, **times)

    def close(self) -> None:
        """Every connection is dropped with the process."""
        with self._process as process:
            process.kill()
        self._folder.cleanup()

    def _cpu_s(self) -> float:
        return sum(machine.cpu_s(server.pid) for server in self._servers)

    def _tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()

    def _pack(self, name: str, *contents: bytes) -> Path:
        """Each after its size, as native/plan.h reads it."""
        return self._file(name, b"".join(struct.pack("<I", len(content)) + content for content in contents))

    def _file(self, name: str, content: bytes) -> Path:
        path = Path(self._folder.name) / name
        path.write_bytes(content)
        return path

    def _event(self, name: str) -> dict[str, Any]:
        """Any: the line's shape is member.c's, and read where it is used."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        event: dict[str, Any] = json.loads(line) if line else {"event": "nothing"}
        if event["event"] != name:
            raise CannotMeasureError(f"the members ended: expected {name}, got {line.strip()!r}")
        return event
