"""Members who write, read, edit, delete, react and pin; who go, are removed and let in again; and what they saw."""

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from time import monotonic
from typing import Any, Final, Literal

import httpx2
from websockets.exceptions import InvalidStatus

from tests.blackbox.client import Client, Ended, Frame, Lost, Refused
from tests.faults.checker import NOTICED_S
from tests.faults.history import (
    Changed,
    Closed,
    Deleted,
    Denied,
    Event,
    Heard,
    Read,
    Revoked,
    Sent,
    Stood,
    Unread,
    Welcomed,
)
from tests.faults.proxy import Proxy
from tests.faults.site import NAME

PASSWORD: Final = "seven-otters-in-the-rain"
PAUSE_S: Final = (0.05, 0.4)  # between two messages of a member
EDIT, DELETE, READ, REACT, LOOK, PIN = 0.1, 0.1, 0.3, 0.1, 0.05, 0.1  # how often, after a message of one's own
REQUEST_S: Final = 5.0
FOLLOW_S: Final = 120.0
Next = Literal["edit", "delete", "read", "react", "look", "pin"] | None


class Witness(Client):
    """A live connection that notes what it hears, right or wrong; the checker judges."""

    def __init__(self, line: Proxy, token: str, dialect: str) -> None:
        super().__init__(
            NAME, {"Authorization": f"Bearer {token}"}, dialect,  # type: ignore[arg-type]  # one of the two
            host="127.0.0.1", port=line.port, ping_interval=NOTICED_S / 2, ping_timeout=NOTICED_S / 2,
            open_timeout=NOTICED_S, close_timeout=0.2,
        )  # fmt: skip
        self.events: list[Event] = []
        self.newest: dict[int, int] = {}  # message of each channel
        self.counted: Counter[str] = Counter()  # how connections ended or did not open, and what was refused
        self.sendings: Counter[str] = Counter()  # of a message, by its nonce
        self._asked_s: dict[int, float] = {}  # by command: when a subscription was asked for

    async def _begin(self, frame: Frame) -> None:
        self.events.append(Welcomed(monotonic(), frame["welcome"]["log"]))
        await super()._begin(frame)

    async def _tell(self, command: Frame) -> "asyncio.Future[Frame]":
        if command["do"] == "subscribe":
            self._asked_s[command["id"]] = monotonic()
        elif command["do"] == "send":
            self.sendings[command["nonce"]] += 1
        return await super()._tell(command)

    def _take(self, frame: Frame) -> Frame:
        if frame.get("re") is None and "kind" in frame:
            self.events.append(_heard(frame))
            if frame["kind"] == "message":
                self.newest[frame["channel"]] = frame["seq"]
        elif "revoked" in frame:
            self.events.append(Revoked(monotonic(), frame["revoked"]["channel"]))
        elif "error" in frame:
            self.counted[f"answers: {frame['error']['reason']}"] += 1
        return super()._take(frame)

    def _follow(self, channel: int, seq: int) -> None:
        if channel in self.at:
            self.at[channel] = seq

    def _stand(self, command: Frame, frame: Frame) -> None:
        super()._stand(command, frame)
        asked_s = self._asked_s.pop(command["id"])
        if (ok := frame.get("ok")) is not None:
            after = command.get("after")
            reset = bool(ok.get("reset"))
            self.events.append(Stood(monotonic(), ok["channel"], after, ok["head"], ok["first"], reset))
        elif frame["error"]["code"] == "not_found":
            self.events.append(Denied(monotonic(), command["channel"], asked_s))

    async def _one_connection(self) -> list[int] | None:
        try:
            wait_ms = await super()._one_connection()
        except Ended as ended:
            if ended.args != (1011,):  # a fault of the hub's: it has to be seen, and lived through
                raise
            wait_ms = None
        self._asked_s.clear()
        if self.close_code is None:
            self.counted[f"connections not opened: {_why(self.loss)}"] += 1
        else:
            self.counted[f"connections ended by {self.close_code}"] += 1
            self.events.append(Closed(monotonic()))
        return wait_ms


def _why(loss: Exception | None) -> str:
    """Why a connection was not opened: an HTTP status, or what the network said."""
    return str(loss.response.status_code) if isinstance(loss, InvalidStatus) else type(loss).__name__


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
        self.is_owner = False
        self.sent: list[Sent] = []
        self.changed: list[Changed] = []
        self.deleted: list[Deleted] = []
        self.reads: list[Read] = []
        self.counted: Counter[str] = Counter()  # what was asked by HTTP, and what had to be asked again, and why
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
            self.counted["HTTP requests"] += 1
            try:
                answer = await self.http.request(method, path, json=form)
            except httpx2.TransportError as error:
                self.counted[f"HTTP requests not answered: {type(error).__name__}"] += 1
                await asyncio.sleep(0.2)
                continue
            if answer.status_code in (429, 500, 503):
                self.counted[f"HTTP requests answered by {answer.status_code}"] += 1
                await asyncio.sleep(0.2)
                continue
            answer.raise_for_status()
            return answer.json() if answer.content else None

    async def ask_once(self, method: str, path: str, form: Any = None) -> None:
        """What was done already, and its answer lost, is refused then, which is as good."""
        try:
            await self.ask(method, path, form)
        except httpx2.HTTPStatusError as error:
            if error.response.status_code not in (404, 409):
                raise

    async def follow(self, channel: int) -> None:
        """Subscribes, through every loss; where the client has not taken it up by itself already.

        Raises TimeoutError.
        """
        async with asyncio.timeout(FOLLOW_S):
            while channel not in self.live.at:
                try:
                    await self.live.subscribe(channel)
                except (Lost, TimeoutError):
                    continue
                except Refused:  # the checker knows whether that is right
                    await asyncio.sleep(0.2)

    async def write_on(self, until: asyncio.Event, pause_s: tuple[float, float] = PAUSE_S) -> None:
        """Writes until it is told to stop, and waits for what is on its way."""
        async with asyncio.TaskGroup() as group:
            while not until.is_set():
                words = "w" * self.choice.randrange(200)
                group.create_task(self.write(self.choice.choice(self.channels), words, self._next()))
                await asyncio.sleep(self.choice.uniform(*pause_s))

    def _next(self) -> Next:
        """What follows a message of one's own; drawn before anything is waited for, so that the seed repeats it."""
        pins = PIN if self.is_owner else 0.0
        weights: dict[Next, float] = {
            "edit": EDIT,
            "delete": DELETE,
            "read": READ,
            "react": REACT,
            "look": LOOK,
            "pin": pins,
        }
        weights[None] = 1 - sum(weights.values())
        return self.choice.choices(list(weights), list(weights.values()))[0]

    async def write(self, channel: int, words: str, then: Next = None) -> None:
        nonce = f"{self.handle}-{next(self._numbers)}"
        text = f"{nonce} {words}"
        sent = Sent(self.handle, channel, nonce, (text,), monotonic())
        self.sent.append(sent)
        try:
            sent.seq = (await self.live.send(channel, text, nonce=nonce))["seq"]
            sent.acked_s = monotonic()
        except Refused as refused:
            sent.refused = refused.reason
            sent.was_sent_again = self.live.sendings[nonce] > 1
            return
        with contextlib.suppress(Refused, Lost, TimeoutError):  # of what is lost nobody knows what became of it
            await self._go_on_with(sent, sent.seq, then)

    async def _go_on_with(self, sent: Sent, seq: int, then: Next) -> None:
        channel = sent.channel
        match then:
            case "edit":
                edited = f"{sent.texts[0]} edited"
                sent.now = sent.texts = (*sent.texts, edited)
                await self._change("edit", channel, seq, text=edited)
                sent.now = (edited,)
            case "delete":
                await self._change("delete", channel, seq)
                self.deleted.append(Deleted(monotonic(), channel, seq))
            case "react":
                await self._change("react", channel, self.live.newest.get(channel, seq), emoji="👍", on=True)
            case "pin":
                await self._change("pin", channel, seq, on=True)
            case "read":
                await self.read(channel, seq)
            case "look":
                await self.ask("GET", "channels")

    async def _change(self, verb: str, channel: int, target: int, **fields: Any) -> None:
        began_s = monotonic()
        done = await self.live.do(verb, channel=channel, seq=target, **fields)
        if "seq" in done:
            self.changed.append(Changed(channel, done["seq"], began_s))

    async def read(self, channel: int, seq: int) -> Read:
        await self.live.do("read", channel=channel, seq=seq)
        self.reads.append(Read(self.handle, channel, seq, monotonic()))
        return self.reads[-1]

    async def unread(self) -> list[Unread]:
        told = await self.ask("GET", "channels")
        return [
            Unread(self.handle, one["id"], one["first"], one["read_seq"], one["unread"])
            for one in told["items"] if one["id"] in self.channels
        ]  # fmt: skip
