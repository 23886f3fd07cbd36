"""Members who write, read, edit, delete, and are removed and let in again; what they saw is kept as a history."""

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from time import monotonic
from typing import Any, Final

import httpx2

from tests.blackbox.client import Client, Ended, Frame, Lost, Refused
from tests.faults.history import Deleted, Event, Heard, Revoked, Sent, Stood, Unread
from tests.faults.proxy import Proxy
from tests.faults.site import NAME

PASSWORD: Final = "seven-otters-in-the-rain"
PAUSE_S: Final = (0.05, 0.4)  # between two messages of a member
EDIT, DELETE, READ = 0.1, 0.1, 0.3  # how often, after a message of one's own
REQUEST_S: Final = 5.0
NOTICED_S: Final = 3.0  # how long a client goes without a pong before it tries another way


class Witness(Client):
    """A live connection that notes what it hears, right or wrong; the checker judges."""

    def __init__(self, line: Proxy, token: str, dialect: str) -> None:
        super().__init__(
            NAME, {"Authorization": f"Bearer {token}"}, dialect,  # type: ignore[arg-type]  # one of the two
            host="127.0.0.1", port=line.port, ping_interval=NOTICED_S / 2, ping_timeout=NOTICED_S / 2,
            open_timeout=NOTICED_S, close_timeout=0.2,
        )  # fmt: skip
        self.events: list[Event] = []
        self.ends: Counter[str] = Counter()  # of connections, by close code

    def _take(self, frame: Frame) -> Frame:
        if frame.get("re") is None and "kind" in frame:
            self.events.append(_heard(frame))
        elif "revoked" in frame:
            self.events.append(Revoked(monotonic(), frame["revoked"]["channel"]))
        return super()._take(frame)

    def _follow(self, channel: int, seq: int) -> None:
        if channel in self.at:
            self.at[channel] = seq

    def _stand(self, command: Frame, frame: Frame) -> None:
        super()._stand(command, frame)
        if (ok := frame.get("ok")) is not None:
            after = command.get("after")
            reset = bool(ok.get("reset"))
            self.events.append(Stood(monotonic(), ok["channel"], after, ok["head"], ok["first"], reset))

    async def _one_connection(self) -> list[int] | None:
        try:
            wait_ms = await super()._one_connection()
            self.ends[f"connections ended by {self.close_code}"] += 1
            return wait_ms
        except Ended as ended:
            if ended.args == (1011,):  # a fault of the hub's: it has to be seen, and lived through
                return None
            raise


def _heard(frame: Frame) -> Heard:
    return Heard(
        monotonic(), frame["channel"], frame["seq"], frame["kind"],
        frame.get("nonce"), frame.get("text"), frame.get("target"),
    )  # fmt: skip


class Member:
    """Somebody at the hub: a way there, an HTTP client, and a live connection."""

    def __init__(self, handle: str, line: Proxy, http: httpx2.AsyncClient, choice: random.Random) -> None:
        self.handle = handle
        self.line = line
        self.http = http
        self.choice = choice
        self.token = ""
        self.live: Witness
        self.channels: list[int] = []
        self.sent: list[Sent] = []
        self.deleted: list[Deleted] = []
        self._numbers = itertools.count(1)

    async def sign_up(self) -> None:
        form = {"handle": self.handle, "name": self.handle.title(), "password": PASSWORD, "agreed": True}
        await self.ask("POST", "signup", form)
        self.token = (await self.ask("POST", "me/tokens", {"name": "faults"}))["token"]

    async def ask(self, method: str, path: str, form: Any = None) -> Any:
        """The body of an answer; tries again for as long as the hub can't be reached or asks for that.

        Raises httpx2.HTTPStatusError.
        """
        while True:
            try:
                answer = await self.http.request(method, path, json=form)
            except httpx2.TransportError:
                await asyncio.sleep(0.2)
                continue
            if answer.status_code in (429, 500, 503):
                await asyncio.sleep(0.2)
                continue
            answer.raise_for_status()
            return answer.json() if answer.content else None

    async def follow(self, channel: int) -> None:
        """Subscribes, through every loss."""
        while True:
            try:
                await self.live.subscribe(channel)
            except (Lost, TimeoutError):
                continue
            except Refused as refused:
                if refused.code not in ("unavailable", "internal", "rate_limited"):
                    raise
                await asyncio.sleep(0.2)
                continue
            return

    async def write_on(self, until: asyncio.Event) -> None:
        """Writes until it is told to stop, and waits for what is on its way."""
        async with asyncio.TaskGroup() as group:
            while not until.is_set():
                group.create_task(self._write())
                await asyncio.sleep(self.choice.uniform(*PAUSE_S))

    async def _write(self) -> None:
        channel = self.choice.choice(self.channels)
        nonce = f"{self.handle}-{next(self._numbers)}"
        text = f"{nonce} " + "w" * self.choice.randrange(200)
        sent = Sent(self.handle, channel, nonce, (text,), monotonic())
        self.sent.append(sent)
        try:
            sent.seq = (await self.live.send(channel, text, nonce=nonce))["seq"]
        except Refused as refused:
            sent.refused = refused.reason
            return
        with contextlib.suppress(Refused):
            try:
                await self._go_on_with(sent, sent.seq)
            except (Lost, TimeoutError):
                return  # nobody knows what became of it

    async def _go_on_with(self, sent: Sent, seq: int) -> None:
        chance = self.choice.random()
        if chance < EDIT:
            edited = f"{sent.texts[0]} edited"
            sent.now = sent.texts = (*sent.texts, edited)
            await self.live.do("edit", channel=sent.channel, seq=seq, text=edited)
            sent.now = (edited,)
        elif chance < EDIT + DELETE:
            await self.live.do("delete", channel=sent.channel, seq=seq)
            self.deleted.append(Deleted(monotonic(), sent.channel, seq))
        elif chance < EDIT + DELETE + READ:
            await self.live.do("read", channel=sent.channel, seq=seq)

    async def unread(self) -> list[Unread]:
        told = await self.ask("GET", "channels")
        return [
            Unread(self.handle, one["id"], one["first"], one["read_seq"], one["unread"])
            for one in told["items"] if one["id"] in self.channels
        ]  # fmt: skip
