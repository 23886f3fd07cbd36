"""Readers, order and fan-out: what a commit or the bus brings goes to every reader once, in order, without a gap.

`at` of a channel is the last seq handed to its readers. A reader is either among them and has everything up to
`at`, or it has a position of its own and is caught up from `recent` and SQL (see catchup.py).
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from contextvars import Context
from time import monotonic
from typing import Final

from hubchat.channels.bus import Bus, Signal
from hubchat.channels.counts import Counts
from hubchat.channels.encoded import Encoded, joined
from hubchat.channels.live import Live, Reader, Subscription
from hubchat.channels.recent import Recent
from hubchat.channels.repairs import Repairs
from hubchat.channels.turns import Sink, Turns
from hubchat.errors import HISTORY_REPLACED, RESTARTING
from hubchat.faults import log_fault
from hubchat.framing import message_frame
from hubchat.storage.channels import ACCESS, read_heads
from hubchat.storage.database import Database
from hubchat.traces import Traces
from hubchat.wire import Entry, encode

log = logging.getLogger(__name__)

HELD: Final = 1_000  # entries a channel that came too early; more are dropped and read from the log
HELD_BYTES: Final = 1 << 20
GAP_S: Final = 0.050  # commits of two connections may end in either order; longer than this, the log is asked
LINGER_S: Final = 120.0  # a channel without readers is followed on for those who come back
FRESH_S: Final = 1.0  # not knowing for longer who lost a right, a node hands out nothing


class Hub:
    """All live channels of a node and the gate that every entry passes."""

    def __init__(self, database: Database, bus: Bus, recent: Recent, log_id: int, traces: Traces | None = None) -> None:
        self.database = database
        self.traces = traces
        self.log_id = log_id
        self.bus = bus
        self.recent = recent
        self.counts = Counts()
        self.turns = Turns(self._turn, self.counts, traces.written if traces is not None else None)
        self.channels: dict[int, Live] = {}
        self.repairs = Repairs(database, self.channels, self.offer, self.counts)
        self.accounts: dict[int, tuple[Reader, ...]] = {}
        self.inboxes: dict[int, int] = {}
        self.on_access: Callable[[Sequence[Entry]], None] = lambda entries: None
        self.on_notices: Callable[[int, set[int]], None] = lambda account, channels: None
        self.on_house: Callable[[str | None], None] = lambda told: None
        self.on_gap: Callable[[Collection[int] | None], None] = lambda channels: None
        self.on_signal: dict[str, Callable[[int, int, Signal], None]] = {"typing": self._hear_typing}
        self.access_epoch = 0
        self.moved: set[Live] = set()
        self.fresh_at = monotonic()
        self.halted = False
        self._acted: set[int] = set()
        self._ready: set[Live] = set()
        self._openings: set[asyncio.Task[None]] = set()

    # ------------------------------------------------------------ who is connected

    def register(self, reader: Reader) -> None:
        """Makes a connection known, so that it hears when its account, session or token ends."""
        if reader.account_id is not None and reader.inbox_id is not None:
            self.accounts[reader.account_id] = (*self.accounts.get(reader.account_id, ()), reader)
            self.inboxes[reader.inbox_id] = reader.account_id

    def unregister(self, reader: Reader) -> None:
        """Forgets a connection; its subscriptions were ended before."""
        self.turns.forget(reader)
        if reader.account_id is not None and (readers := self.accounts.get(reader.account_id)) is not None:
            if others := tuple(one for one in readers if one is not reader):
                self.accounts[reader.account_id] = others
            else:
                del self.accounts[reader.account_id]
                self.inboxes.pop(reader.inbox_id or 0, None)

    # ------------------------------------------------------------ subscriptions

    def join(self, reader: Reader, channel: int) -> Subscription:
        """Registers a subscription as joining, before its right is asked; it replaces an earlier one."""
        live = self.channels.get(channel)
        if live is None:
            live = self.channels[channel] = Live(channel)
        if (old := live.subscriptions.get(reader)) is not None:
            self.leave(old)
        subscription = live.subscriptions[reader] = Subscription(reader, live)
        self.moved.add(live)
        return subscription

    async def open(self, live: Live, access_id: int) -> None:
        """Follows the channel's topic, then takes its head from SQL as `at`; once for all its readers."""
        live.access_id = access_id
        if live.opened:
            return
        if live.opening is None:
            live.opening = asyncio.create_task(self._open(live), context=Context())  # for all who come
            self._openings.add(live.opening)
            live.opening.add_done_callback(self._opened)
        await asyncio.shield(live.opening)

    async def _open(self, live: Live) -> None:
        try:
            await self.bus.follow(live.id)
            heads = await self.database.read(lambda connection: read_heads(connection, [live.id]))
            live.at = heads.get(live.id, 0)
            live.opened = True
            self._release(live)
        finally:
            live.opening = None

    def _opened(self, opening: asyncio.Task[None]) -> None:
        self._openings.discard(opening)
        if not opening.cancelled():
            opening.exception()  # whoever waits is told; nobody may wait any more

    def enter(self, subscription: Subscription) -> None:
        """Puts a subscription that has everything up to `at` among the readers, in this very turn."""
        live, reader = subscription.live, subscription.reader
        assert subscription.position == live.at, "a reader enters where the channel stands"
        subscription.position = None
        live.readers.setdefault(reader.kind, {})[reader] = subscription

    def pause(self, subscription: Subscription) -> None:
        """Takes a subscription whose socket is full out of the readers; its position is where the channel stands."""
        if subscription.position is None:
            subscription.position = subscription.live.at
            self._take_out(subscription)

    def leave(self, subscription: Subscription) -> None:
        """Ends a subscription: what was under way is written, nothing follows."""
        live, reader = subscription.live, subscription.reader
        self.turns.settle(reader)
        if live.subscriptions.get(reader) is subscription:
            del live.subscriptions[reader]
            self.moved.add(live)
        if subscription.position is None:
            self._take_out(subscription)
        if not live.subscriptions:
            live.quiet_since = monotonic()
            if not live.opened and live.opening is None and self.channels.get(live.id) is live:
                del self.channels[live.id]  # nobody was ever let in: it need not linger
                self.bus.leave(live.id)

    def _take_out(self, subscription: Subscription) -> None:
        readers = subscription.live.readers.get(subscription.reader.kind)
        if readers is not None and readers.get(subscription.reader) is subscription:
            del readers[subscription.reader]
            if not readers:
                del subscription.live.readers[subscription.reader.kind]

    def sweep(self) -> None:
        """Stops following channels that had no reader for a while."""
        before = monotonic() - LINGER_S
        for live in list(self.channels.values()):
            if live.id != ACCESS and not live.subscriptions and live.opening is None and live.quiet_since < before:
                del self.channels[live.id]
                self.recent.forget(live.id)
                self.bus.leave(live.id)

    def signal(self, live: Live, signal: Signal, *, members_only: bool) -> None:
        """Posts a signal to everyone who reads this channel here now; those who lag go without."""
        for kind, readers in live.readers.items():
            data = message_frame(kind, encode(kind.dialect, signal))
            for reader, subscription in readers.items():
                if subscription.member or not members_only:
                    self.turns.post(reader, data)

    def tell_typing(self, channel: int, person: int) -> None:
        """Tells the channel's members who read it, on every node, that somebody is typing."""
        self._hear_typing(0, channel, {"person": person})
        self.bus.tell(channel, {"signal": "typing", "person": person})

    def _hear_typing(self, _node: int, channel: int, signal: Signal) -> None:
        if (live := self.channels.get(channel)) is not None and not self.is_stale():
            said = {"signal": "typing", "channel": channel, "person": signal["person"]}
            self.signal(live, said, members_only=True)

    # ------------------------------------------------------------ the gate

    def publish(self, entries: Iterable[Entry]) -> None:
        """Takes what was committed here: local readers and, through the bus, other nodes."""
        batch = [Encoded(entry) for entry in entries]
        self.bus.publish(batch)
        self.offer(batch)

    def offer(self, batch: Sequence[Encoded]) -> None:
        """The gate: the next entry goes out at this turn's end, later ones are held, earlier ones dropped.

        What takes rights away is acted upon before anything of the same batch is delivered.
        """
        if access := [encoded.entry for encoded in batch if encoded.channel == ACCESS]:
            self._act(access)
        for encoded in batch:
            if (live := self.channels.get(encoded.channel)) is not None:
                self._admit(live, encoded)
            if encoded.kind == "notice" and (account := self.inboxes.get(encoded.channel)) is not None:
                about = (encoded.entry.data or {}).get("about") or {}
                self.on_notices(account, {about.get("channel", 0)})

    def _act(self, entries: list[Entry]) -> None:
        """Acts once upon each access entry, in whatever order and however often they come."""
        at = self.channels[ACCESS].at if ACCESS in self.channels else 0
        self._acted = {seq for seq in self._acted if seq > at}
        new = [entry for entry in entries if entry.seq > at and entry.seq not in self._acted]
        self._acted.update(entry.seq for entry in new)
        if new:
            self.access_epoch += 1
            try:
                self.on_access(new)
            except Exception as error:  # noqa: BLE001  # an entry of another release: everybody is asked anew
                log_fault(log, error, "who lost a right can't be told:")
                self.send_all_away()

    def _admit(self, live: Live, encoded: Encoded) -> None:
        if encoded.target is not None and encoded.seq > live.at:
            self._note_change(live, encoded.entry)
        if live.opened and encoded.seq == live.next:
            if len(live.queue) >= HELD:  # nothing is handed out just now; it will be read from the log
                live.behind = True
                return
            self._pass(live, encoded)
            if live.held:
                self._release(live)
            self._ready.add(live)
            self.turns.schedule()
        elif not live.opened or encoded.seq > live.next:
            self._hold(live, encoded)

    def _note_change(self, live: Live, entry: Entry) -> None:
        """A replay that reads now reads the target again; what waits to go out of a deleted one is emptied."""
        assert entry.target is not None, "only changes are noted"
        for replay in live.replays:
            replay.changed.add(entry.target)
        if entry.kind == "delete":
            live.queue = [one.emptied(entry) if one.is_about(entry.target) else one for one in live.queue]
            for seq, one in live.held.items():
                if one.is_about(entry.target):
                    live.held[seq] = emptied = one.emptied(entry)
                    live.held_bytes += emptied.size - one.size

    def _pass(self, live: Live, encoded: Encoded) -> None:
        """Through the gate. The access channel has no readers: its entries were acted upon when they came."""
        if live.id == ACCESS:
            live.at = encoded.seq
        else:
            live.queue.append(encoded)

    def _hold(self, live: Live, encoded: Encoded) -> None:
        if encoded.seq in live.held:
            pass  # a repair brings it once more while nothing is handed out
        elif len(live.held) < HELD and live.held_bytes < HELD_BYTES:
            live.held[encoded.seq] = encoded
            live.held_bytes += encoded.size
        else:
            self.counts.refused_held += 1
        if live.opened and not live.repairing:
            self.repairs.begin(live, GAP_S)

    def _release(self, live: Live) -> None:
        """Lets through what was held and is next now."""
        while (encoded := live.held.pop(live.next, None)) is not None:
            live.held_bytes -= encoded.size
            self._pass(live, encoded)
        for seq in [seq for seq in live.held if seq < live.next]:
            live.held_bytes -= live.held.pop(seq).size
        if live.queue:
            self._ready.add(live)
            self.turns.schedule()
        if live.held and not live.repairing:
            self.repairs.begin(live, GAP_S)

    # ------------------------------------------------------------ the turn's end

    def block(self, lives: Iterable[Live]) -> None:
        """Holds back delivery of these channels until `unblock`: rights to them are being asked again."""
        for live in lives:
            live.blocked += 1

    def unblock(self, lives: Iterable[Live]) -> None:
        for live in lives:
            live.blocked -= 1
            if live.queue or live.behind:
                self._ready.add(live)
        self.turns.schedule()

    def _turn(self, posted: dict[Sink, list[bytes]]) -> dict[Sink, bytes]:
        """What each connection gets at this turn's end: replies first, then entries, as one write."""
        outgoing: dict[Sink, bytes] = {}
        if not self.is_stale():
            ready, self._ready = self._ready, set()
            for live in ready:
                if live.blocked:
                    continue
                if live.queue:
                    try:
                        self._hand_out(live, posted, outgoing)
                    except Exception as error:  # noqa: BLE001  # one channel's fault is no other's
                        log_fault(log, error, "a turn's entries can't be handed out:")
                        for reader in list(live.subscriptions):  # some have them, some don't: they come again
                            reader.bye(RESTARTING)
                if live.behind:
                    live.behind = False
                    self.repairs.begin(live)
        for sink, parts in posted.items():
            outgoing[sink] = parts[0] if len(parts) == 1 else b"".join(parts)
        return outgoing

    def _hand_out(self, live: Live, posted: dict[Sink, list[bytes]], outgoing: dict[Sink, bytes]) -> None:
        began = monotonic() if self.traces is not None else 0.0
        batch, live.queue = live.queue, []
        live.at = batch[-1].seq
        for encoded in batch:
            self.recent.add(encoded)
        for kind, readers in live.readers.items():
            data = joined(batch, kind)
            self.counts.deliveries += len(batch) * len(readers)
            if not outgoing:  # the common turn: one busy channel
                outgoing.update(dict.fromkeys(readers, data))
                for sink in posted.keys() & readers.keys():
                    posted[sink].append(data)
                continue
            for reader in readers:
                if reader in posted:
                    posted[reader].append(data)
                elif reader in outgoing:
                    posted[reader] = [outgoing[reader], data]
                else:
                    outgoing[reader] = data
        if self.traces is not None:
            self.traces.handed_out(batch, began, sum(map(len, live.readers.values())))

    # ------------------------------------------------------------ freshness

    def is_stale(self) -> bool:
        """Whether the access channel was not read for too long: then nothing is handed out."""
        if not self.halted and monotonic() - self.fresh_at > FRESH_S:
            self.halted = True
            log.warning("halted: the access channel was not read for over %s s", FRESH_S)
        return self.halted

    def freshen(self, asked_at: float) -> bool:
        """The access channel is known as it was at `asked_at`, before it was read (s, monotonic).

        True when the node was stale before: then every channel counts as gapped.
        """
        was_stale = self.is_stale()
        self.fresh_at = max(self.fresh_at, asked_at)
        self.halted = monotonic() - self.fresh_at > FRESH_S
        if was_stale and not self.halted:
            self._ready.update(live for live in self.channels.values() if live.queue or live.behind)
            self.turns.schedule()
        return was_stale

    def gapped(self, channels: Collection[int] | None) -> None:
        """The bus may have lost something in these channels, or in any: they are compared now, else by the watch."""
        self.counts.gaps += 1
        self.on_gap(channels)
        self.repairs.doubt(channels)

    def heard(self, node: int, channel: int, signal: Signal) -> None:
        """Another node said something once. A kind that this one does not know is of a newer release."""
        if (hear := self.on_signal.get(signal["signal"])) is not None:
            hear(node, channel, signal)

    # ------------------------------------------------------------ another history

    def send_all_away(self) -> None:
        """Everyone comes again, and begins anew."""
        readers = {reader for live in self.channels.values() for reader in live.subscriptions}
        for reader in readers.union(*self.accounts.values()):
            reader.bye(HISTORY_REPLACED)

    async def start_anew(self, log_id: int) -> None:
        """Forgets what was handed out of a history that is no more. Raises Unavailable."""
        log.warning("history was replaced; everybody comes again")
        self.send_all_away()
        self.recent.clear()
        self._acted.clear()
        for live in list(self.channels.values()):
            if live.id != ACCESS:
                del self.channels[live.id]
        self.bus.turn_to(log_id)
        await self._open(self.channels[ACCESS])
        if self.traces is not None:
            self.traces.log_id = log_id
        self.log_id, self.repairs.is_replaced = log_id, False  # last: until all of it is done, the watch does it again
        self.send_all_away()  # who came meanwhile was told of the history that is no more

    async def close(self) -> None:
        for opening in self._openings:
            opening.cancel()
        await asyncio.gather(*self._openings, return_exceptions=True)
        await self.repairs.close()
