"""One connection: who it is, what it subscribes to, where it stands, what it has open."""

import asyncio
import contextlib
import itertools
import logging
from collections import deque
from collections.abc import Mapping
from time import monotonic
from typing import Any, Final

from hubchat import logs, wire
from hubchat.channels.items import Stored
from hubchat.channels.live import Subscription
from hubchat.errors import RESTARTING, RESTARTING_MS, STOOD_STILL, TOO_MANY_BAD, Close, HubError
from hubchat.faults import as_fault
from hubchat.framing import message_frame
from hubchat.gateway.commands import OTHERS, SCOPES, WRITES, Asked
from hubchat.gateway.link import Link
from hubchat.node import Node
from hubchat.storage.sessions import NEVER, Caller
from hubchat.throttle import Bucket
from hubchat.wire import OPEN_COMMANDS, SUBSCRIPTIONS, Command, Subscribe, Unsubscribe

log = logging.getLogger(__name__)

REFUSALS: Final = frozenset({"bad_request", "too_large", "rate_limited", "forbidden", "unauthorized", "not_found"})
SUBSCRIBES_A_SECOND: Final = 50
COMES_BACK_MS: Final = 1
"""Between two members who come back to the other nodes: they take 1,500 and more a second (docs/performance.md)."""
BAD: Final = 100  # broken or refused commands in 10 s; a client that sends more is closed with 4009


class Session:
    """A live connection as the hub's Reader, the link's Listener and the tracker's Watcher."""

    __slots__ = (
        "_bad", "_busy", "_closed", "_general", "_gone", "_open", "_queue", "_resumed", "_subscribes", "_task",
        "_writes", "_written", "account_id", "asked", "caller", "ends_at_ms", "inbox_id", "kind", "lagging", "link",
        "node", "session_id", "subscriptions", "token_id",
    )  # fmt: skip

    def __init__(self, node: Node, link: Link, caller: Caller | None, gone: Any) -> None:
        self.node = node
        self.link = link
        self.kind = link.kind
        self.caller = caller
        self.account_id = caller.account_id if caller else None
        self.inbox_id = caller.inbox_id if caller else None
        self.session_id = caller.session_id if caller else None
        self.token_id = caller.token_id if caller else None
        self.ends_at_ms = caller.ends_at if caller else NEVER
        self.lagging = False
        self.subscriptions: dict[int, Subscription] = {}
        self._gone = gone
        self._closed = False
        self._open: set[int] | None = None
        self._queue: deque[Command] | None = None
        self._busy: Command | None = None
        self.asked: Asked | None = None  # seats of the subscriptions that stand first
        self._writes = 0
        self._written: asyncio.Event | None = None
        self._resumed: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._general: Bucket | None = None
        self._subscribes: Bucket | None = None
        self._bad: Bucket | None = None
        node.hub.register(self)
        node.tracker.connect(self)

    # ------------------------------------------------------------ to the client

    def post(self, message: Mapping[str, Any]) -> None:
        """A message of the server, written at the end of this turn."""
        self.node.hub.turns.post(self, message_frame(self.kind, wire.encode(self.kind.dialect, message)))

    def signal(self, signal: Mapping[str, object]) -> None:
        if not self._closed and not self.lagging:
            self.post(signal)

    def revoke(self, subscription: Subscription, reason: str) -> None:
        channel = subscription.live.id
        if self.subscriptions.get(channel) is subscription:
            del self.subscriptions[channel]
        if subscription.admitted:
            self.post({"revoked": {"channel": channel, "reason": reason}})

    def bye(self, close: Close) -> None:
        """Says goodbye, with what was posted before it, and closes."""
        if self._closed:
            return
        goodbye: dict[str, Any] = {"code": close.code, "reason": close.reason}
        if close.reconnect_in_ms:
            goodbye["reconnect_in_ms"] = close.reconnect_in_ms
        self.post({"bye": goodbye})
        self.node.hub.turns.flush(self)
        self._end()
        self.link.close(close.code, close.reason)

    # ------------------------------------------------------------ from the link

    def received(self, message: bytes | str) -> None:
        """One frame of the client: a command, or an error that names the field."""
        decoded: Any = None
        traces = self.node.traces
        if traces is not None:
            traces.came_at = monotonic()
        try:
            decoded = wire.decode(self.kind.dialect, message)
            self._accept(wire.command(decoded))
        except HubError as error:
            self._tell_refused(wire.command_id(decoded), error)  # it was never open
        finally:
            if traces is not None:
                traces.came_at = None

    def _accept(self, command: Command) -> None:
        open_ = self._open
        if open_ is None:
            open_ = self._open = set()
        if command.id in open_:
            raise HubError("id_in_use")
        if (wait_ms := self._pace(command)) > 0:
            raise HubError("too_fast", retry_after_ms=wait_ms)
        self._require_scope(command)
        open_.add(command.id)
        if len(open_) >= OPEN_COMMANDS:
            self.link.stop_reading()
        write = WRITES.get(type(command))
        if write is not None and not self._is_queued(getattr(command, "channel", 0)):
            self._write(command)
        else:
            self._enqueue(command)

    def _pace(self, command: Command) -> int:
        """0, or how many ms this command comes too early."""
        if isinstance(command, Subscribe | Unsubscribe):
            if self._subscribes is None:
                self._subscribes = Bucket(SUBSCRIPTIONS, SUBSCRIBES_A_SECOND)
            return self._subscribes.take()
        limit = self.node.settings.commands_per_10s
        if not limit:
            return 0
        if self._general is None:
            self._general = Bucket(limit, limit / 10)
        return self._general.take()

    def _require_scope(self, command: Command) -> None:
        scope = SCOPES.get(type(command))
        if scope is None:
            return
        if self.caller is None:
            raise HubError("sign_in_needed")
        if scope not in self.caller.scopes:
            raise HubError("scope_missing", f"the token has not the scope `{scope}`")

    def paused(self) -> None:
        """The socket is full: this reader lags, is not read from, and costs nothing until it takes again."""
        if self.lagging or self._closed:
            return
        self.lagging = True
        self.link.stop_reading()
        self.node.catchup.forget(self)
        for subscription in self.subscriptions.values():
            if subscription.admitted:
                self.node.hub.pause(subscription)

    def resumed(self) -> None:
        """It takes again: caught up like one that joins; what is not stored is told afresh."""
        if not self.lagging or self._closed:
            return
        self.lagging = False
        if self._resumed is not None:
            self._resumed.set()
        for subscription in list(self.subscriptions.values()):
            if subscription.admitted:
                self.node.catchup.add(subscription)
        self.node.tracker.afresh(self)
        self.node.audience.afresh(self, self.subscriptions.values())
        if self.account_id is not None:
            self.node.readings.tell_afresh(self.account_id, self.signal)
        if self._open is None or len(self._open) < OPEN_COMMANDS:
            self.link.start_reading()

    def stalled(self) -> None:
        self.bye(STOOD_STILL)

    def shutdown(self) -> None:
        most_ms = max(RESTARTING_MS[1], COMES_BACK_MS * self.link.gateway.keeper.links)
        self.bye(RESTARTING._replace(reconnect_in_ms=(RESTARTING_MS[0], most_ms)))

    def closed(self) -> None:
        self._end()

    def _end(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._task is not None:
            self._task.cancel()
        self.node.catchup.forget(self)
        for subscription in list(self.subscriptions.values()):
            self.node.hub.leave(subscription)
        self.subscriptions.clear()
        self.node.hub.unregister(self)
        self.node.tracker.disconnect(self)
        self._gone(self)

    # ------------------------------------------------------------ commands under way

    def _write(self, command: Command) -> None:
        """Hands a writing command to the log; its reply comes with the commit."""
        assert self.caller is not None, "the scope was asked"
        submit, answer = WRITES[type(command)]

        def done(result: Stored | HubError) -> None:
            if isinstance(result, HubError):
                if result.code == "internal":  # logged where many were served, so without this connection's id
                    log.info("told: %s", result.message, extra={"connection": self.link.id})
                self._refuse(command.id, result)
            else:
                self._answer(command.id, answer(command, result))
            self._writes -= 1
            if self._written is not None and not self._writes:
                self._written.set()

        self._writes += 1
        try:
            submit(self.node.log, self.caller, command, done)
        except HubError as error:
            done(error)
        except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
            done(as_fault(log, error))

    def _is_queued(self, channel: int) -> bool:
        """Whether a command for this channel waits or runs: then later ones wait behind it."""
        if self._queue is None:
            return False
        waiting = [*self._queue, *([self._busy] if self._busy else ())]
        return any(getattr(command, "channel", 0) == channel for command in waiting)

    def _enqueue(self, command: Command) -> None:
        if self._queue is None:
            self._queue = deque()
        self._queue.append(command)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        """Runs queued commands one at a time; lives while there are any."""
        logs.name(connection=self.link.id)
        try:
            while self._queue and not self._closed:
                await self._until_taking()
                command = self._busy = self._queue.popleft()
                if type(command) in WRITES:
                    self._write(command)
                else:
                    await self._all_written()
                    if isinstance(command, Subscribe):
                        self._ask_ahead(command)
                    await self._run(command)
                    if isinstance(command, Subscribe) and self.asked:
                        self.asked.pop(command.channel, None)
                self._busy = None
        finally:
            self._task = self._queue = self._busy = self.asked = None

    def _ask_ahead(self, first: Subscribe) -> None:
        """Asks for the rights of all subscriptions that stand together, so that one read tells them.

        Where rights change before one is used, it is asked for again.
        """
        if self.asked or not self._queue:
            return
        self.asked = {}
        with contextlib.suppress(HubError):  # `overloaded`: each one will be told
            for command in itertools.chain((first,), self._queue):
                if not isinstance(command, Subscribe) or command.channel in self.asked:
                    break
                seat = self.node.seats.ask((self.account_id or 0, command.channel))
                self.asked[command.channel] = self.node.hub.access_epoch, monotonic(), seat

    async def _until_taking(self) -> None:
        """Waits while the socket is full: what is asked for would only pile up before it."""
        while self.lagging:
            self._resumed = asyncio.Event()
            await self._resumed.wait()
        self._resumed = None

    async def _all_written(self) -> None:
        """Waits for what this connection has given to the log: a command sees what was sent before it."""
        while self._writes:
            self._written = asyncio.Event()
            await self._written.wait()
        self._written = None

    async def _run(self, command: Command) -> None:
        try:
            self._answer(command.id, await OTHERS[type(command)](self, command))
        except HubError as error:
            self._refuse(command.id, error)
        except Exception as error:  # noqa: BLE001  # the edge of a task: logged, and it goes on
            self._refuse(command.id, as_fault(log, error))

    def _answer(self, command_id: int, ok: Mapping[str, Any] | None) -> None:
        """Replies; None: the command replied by itself."""
        if not self._closed and ok is not None:
            self.post(wire.reply_ok(command_id, ok))
        self._done(command_id)

    def _refuse(self, command_id: int, error: HubError) -> None:
        self._tell_refused(command_id, error)
        self._done(command_id)

    def _tell_refused(self, command_id: int | None, error: HubError) -> None:
        if self._closed:
            return
        self.post(wire.reply_error(command_id, error))
        if error.code in REFUSALS:
            if self._bad is None:
                self._bad = Bucket(BAD, BAD / 10)
            if self._bad.take():
                self.bye(TOO_MANY_BAD)

    def _done(self, command_id: int) -> None:
        if self._open is None:
            return
        was_full = len(self._open) >= OPEN_COMMANDS
        self._open.discard(command_id)
        if not self._open:
            self._open = None
        if was_full and not self.lagging:
            self.link.start_reading()
