"""A TCP proxy whose network can be cut, slowed, or go silent, both ways or one, as when a cable is pulled and nobody is
told."""

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Literal, Self

Weather = Literal["fine", "slow", "silent", "mute", "deaf", "cut"]
Way = Literal["there", "back"]
SILENT: Final[dict[Weather, frozenset[Way]]] = {
    "silent": frozenset({"there", "back"}),
    "mute": frozenset({"there"}),
    "deaf": frozenset({"back"}),
}
"""Which way what is said is lost: `there` is from who connected."""
CHUNK: Final = 65_536
RESET: Final = struct.pack("ii", 1, 0)  # lingers for 0 s: what is open is reset, not ended
SLOW_S: Final = (0.02, 0.25)


class Proxy:
    """Hands each new connection to one of `targets` (loopback ports), chosen by `choice`; a context manager.

    Slow holds every piece back for a while, in order. Silent swallows what is said, mute only what is said by who
    connected, deaf only what is answered; who said it learns of that when the weather is another again, or by
    waiting in vain. Cut resets what is open and lets nobody in.
    """

    def __init__(self, targets: Sequence[int], choice: random.Random) -> None:
        self.targets = list(targets)
        self.port = 0
        self.weather: Weather = "fine"
        self.connections = 0
        self._choice = choice
        self._open: set[_Pair] = set()
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        self.turn("cut")
        await asyncio.gather(*(pair.ended.wait() for pair in self._open))

    def turn(self, weather: Weather) -> None:
        """Changes the weather for what is open and for what comes."""
        self.weather = weather
        for pair in list(self._open):
            if weather == "cut" or pair.lost - SILENT.get(weather, frozenset()):
                pair.reset()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        pair = _Pair(self, writer)
        self._open.add(pair)
        try:
            await pair.carry(reader)
        finally:
            pair.reset()
            self._open.discard(pair)
            pair.ended.set()

    def choose(self) -> int:
        return self._choice.choice(self.targets)

    def delay_s(self) -> float:
        return self._choice.uniform(*SLOW_S) if self.weather == "slow" else 0.0


class _Pair:
    """One connection, and the one that it is carried on by."""

    def __init__(self, proxy: Proxy, near: asyncio.StreamWriter) -> None:
        self.proxy = proxy
        self.lost: set[Way] = set()  # which way something was swallowed: nothing may follow it
        self.ended = asyncio.Event()
        self._writers = [near]
        self._reset = asyncio.Event()

    def reset(self) -> None:
        self._reset.set()
        for writer in self._writers:
            line: socket.socket | None = writer.get_extra_info("socket")
            if line is not None and line.fileno() >= 0:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    async def carry(self, near: asyncio.StreamReader) -> None:
        if self.proxy.weather == "cut":
            return
        if self.proxy.weather == "silent":  # the handshake is ours: what is said goes nowhere
            self.lost |= SILENT["silent"]
            await self._reset.wait()
            return
        with contextlib.suppress(OSError):
            far, writer = await asyncio.open_connection("127.0.0.1", self.proxy.choose(), limit=CHUNK)
            self._writers.append(writer)
            if self._reset.is_set():
                return
            await asyncio.gather(self._pump(near, writer, "there"), self._pump(far, self._writers[0], "back"))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: Way) -> None:
        """Carries one way until its end, which is carried on too."""
        try:
            while data := await source.read(CHUNK):
                if wait_s := self.proxy.delay_s():
                    await asyncio.sleep(wait_s)
                if not self._is_silent(way):
                    sink.write(data)
                    await sink.drain()
            if self._is_silent(way):
                await self._reset.wait()
            else:
                sink.write_eof()
        except OSError:
            self.reset()

    def _is_silent(self, way: Way) -> bool:
        """Whether what was said now goes nowhere; a line that swallowed something carries nothing after that."""
        if way in SILENT.get(self.proxy.weather, ()):
            self.lost.add(way)
        return way in self.lost
