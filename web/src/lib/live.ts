// The live connection as a pure state machine: what happened goes in, what to do comes out. It never looks at a
// clock, a socket or the browser; `socket.ts` is the thin shell that does.
import { Subscriptions } from './subscriptions';
import { backoff, between, fateOf, type Fate } from './waiting';
import type {
  Bye,
  Command,
  Entry,
  Fault,
  Id,
  Incoming,
  Ok,
  Reply,
  Seq,
  Signal,
  Subscribed,
  Welcome,
} from './wire';

export type LiveState =
  | { state: 'connecting' | 'live' | 'catching-up' | 'closed' | 'signed-out' | 'removed' }
  /** The next try comes at `until`, ms by the caller's clock. */
  | { state: 'waiting' | 'offline' | 'slowed'; until: number };

export type Happening =
  | { type: 'start' }
  | { type: 'stop' }
  | { type: 'message'; message: Incoming }
  | { type: 'closed'; code: number }
  | { type: 'tick' }
  | { type: 'network'; online: boolean }
  | { type: 'visible' }
  /** A member asks to try again at once. */
  | { type: 'retry' }
  /** HTTP says that the session is over. */
  | { type: 'ended' }
  | { type: 'subscribe'; channel: Id; after: Seq | null }
  | { type: 'unsubscribe'; channel: Id }
  /** `kept`: asked again after a loss, which only suits what may be asked twice. */
  | { type: 'ask'; key: number; command: Command; kept: boolean };

export type Effect =
  | { type: 'open' }
  | { type: 'close' }
  | { type: 'send'; command: Command & { id: number } }
  | { type: 'answer'; key: number; ok: Ok }
  | { type: 'refuse'; key: number; fault: Fault }
  | { type: 'welcome'; welcome: Welcome }
  /** Somebody else is signed in here now. */
  | { type: 'stranger' }
  /** The connection could not be opened: ask over HTTP whether the session is over. */
  | { type: 'probe' }
  /** `fresh`: nothing is replayed, what was kept of the channel is void. */
  | { type: 'subscribed'; reply: Subscribed; fresh: boolean }
  | { type: 'unreadable'; channel: Id; reason: string }
  | { type: 'entry'; entry: Entry }
  | { type: 'signal'; signal: Signal };

type Ask = { key: number; command: Command; kept: boolean };
type Asking = { ask: Ask } | { subscribe: Id; after: Seq | null } | { note: Command };

const GREETING_MS = 15_000; // from opening to welcome
const SILENCE_MS = 40_000; // a page does not see the server's pings, so it asks by itself
const DEAD_MS = 65_000; // the server would have pinged at 25 s and closed at 60 s
const WAKE_PING_MS = 4_000; // after sleep or a change of network an answer must come within this
const SETTLED_MS = 5_000; // a connection that lasted this long was a good one
const WAITING_ASKS = 1_000; // more questions than this are a fault of ours: refused as overloaded
const OFFLINE: Fault = { code: 'offline', reason: 'offline', message: 'there is no connection' };
const OVERLOADED: Fault = { code: 'unavailable', reason: 'overloaded', message: 'too many open questions' };

export class LiveCore {
  readonly subscriptions = new Subscriptions();
  private phase: 'stopped' | 'opening' | 'open' | 'waiting' = 'stopped';
  private stoppedAs: NonNullable<Fate['stays']> = 'closed';
  private welcome: Welcome | null = null;
  private readonly open = new Map<number, Asking>();
  private queue: Asking[] = [];
  private lastId = 0;
  private bye: Bye | null = null;
  private tries = 0;
  private since = 0;
  private heardAt = 0;
  private answerBy = Infinity;
  private retryAt = 0;
  private earliest = 0;
  private slowed = false;
  private online = true;

  /** `user` is who must be signed in, null for a guest; `random` gives numbers from 0 to below 1. */
  constructor(
    private readonly user: Id | null,
    private readonly random: () => number,
  ) {}

  get connection(): LiveState {
    if (this.phase === 'stopped') return { state: this.stoppedAs };
    if (this.phase === 'opening') return { state: 'connecting' };
    if (this.phase === 'open') return { state: this.subscriptions.areCaughtUp ? 'live' : 'catching-up' };
    return { state: this.slowed ? 'slowed' : this.online ? 'waiting' : 'offline', until: this.retryAt };
  }

  /** The moment at which a tick is due. */
  get wakeAt(): number {
    if (this.phase === 'stopped') return Infinity;
    if (this.phase === 'waiting') return this.retryAt;
    if (this.phase === 'opening') return this.since + GREETING_MS;
    const silence = this.heardAt + (this.isPinging ? DEAD_MS : SILENCE_MS);
    return Math.min(silence, this.answerBy, this.subscriptions.retryAt);
  }

  /** Takes what happened at `now` (ms of a clock that only rises) and gives what to do, in order. */
  on(happening: Happening, now: number): Effect[] {
    switch (happening.type) {
      case 'message':
        return this.heard(happening.message, now);
      case 'ask':
        return this.ask(happening);
      case 'subscribe':
        return this.subscribe(happening.channel, happening.after);
      case 'unsubscribe':
        return this.unsubscribe(happening.channel);
      case 'tick':
        return this.tick(now);
      case 'closed':
        return this.closed(happening.code, now);
      case 'network':
        return this.network(happening.online, now);
      case 'visible':
        return this.wake(now);
      case 'start':
      case 'retry':
        return this.phase === 'waiting' || this.phase === 'stopped' ? this.connect(now) : [];
      case 'stop':
        return this.stop('closed');
      case 'ended':
        return this.stop('signed-out');
    }
  }

  // ------------------------------------------------------------ coming and going

  private connect(now: number): Effect[] {
    this.phase = 'opening';
    this.since = this.heardAt = now;
    this.bye = null;
    return [{ type: 'open' }];
  }

  private welcomed(welcome: Welcome, now: number): Effect[] {
    if ((welcome.user?.id ?? null) !== this.user) return [...this.stop('signed-out'), { type: 'stranger' }];
    this.phase = 'open';
    this.since = now;
    this.answerBy = Infinity;
    // Numbers of another history mean nothing in this one.
    this.subscriptions.restart(this.welcome !== null && this.welcome.log !== welcome.log);
    this.welcome = welcome;
    // Those subscribed last are looked at now: they come first.
    for (const channel of this.subscriptions.channels)
      this.queue.unshift({ subscribe: channel, after: null });
    return [{ type: 'welcome', welcome }, ...this.flush()];
  }

  private closed(code: number, now: number): Effect[] {
    if (this.phase === 'stopped' || this.phase === 'waiting') return [];
    const fate = fateOf(this.bye?.code ?? code);
    if (fate.stays) return this.stop(fate.stays);
    const wasOpen = this.phase === 'open';
    if (wasOpen && now - this.since >= SETTLED_MS) this.tries = 0;
    const wait = this.bye?.reconnect_in_ms ?? fate.wait_ms;
    this.retryAt = now + (wait ? between(wait, this.random()) : backoff(this.tries, this.random()));
    this.earliest = wait ? this.retryAt : 0;
    this.tries += 1;
    this.slowed = fate.slowed;
    this.phase = 'waiting';
    return [...this.lose(), ...(wasOpen ? [] : [{ type: 'probe' } as const])];
  }

  /** Nobody said so, but the connection is dead. */
  private drop(now: number): Effect[] {
    return [{ type: 'close' }, ...this.closed(1006, now)];
  }

  private stop(as: NonNullable<Fate['stays']>): Effect[] {
    const hadSocket = this.phase === 'opening' || this.phase === 'open';
    this.phase = 'stopped';
    this.stoppedAs = as;
    const refused = [...this.lose(), ...refusals(this.queue.splice(0))];
    return hadSocket ? [{ type: 'close' }, ...refused] : refused;
  }

  /** Keeps what may be asked again; the rest is refused. */
  private lose(): Effect[] {
    const askings = [...this.open.values(), ...this.queue];
    this.open.clear();
    this.queue = askings.filter((asking) => 'ask' in asking && asking.ask.kept);
    return refusals(askings.filter((asking) => !this.queue.includes(asking)));
  }

  // ------------------------------------------------------------ time and network

  private tick(now: number): Effect[] {
    if (this.phase === 'waiting') return now >= this.retryAt ? this.connect(now) : [];
    if (this.phase === 'opening') return now - this.since >= GREETING_MS ? this.drop(now) : [];
    if (this.phase === 'stopped') return [];
    if (now >= this.answerBy || now - this.heardAt >= DEAD_MS) return this.drop(now);
    for (const channel of this.subscriptions.due(now)) this.queue.push({ subscribe: channel, after: null });
    return now - this.heardAt >= SILENCE_MS ? this.ping() : this.flush();
  }

  private network(online: boolean, now: number): Effect[] {
    this.online = online;
    return online || this.phase === 'open' ? this.wake(now) : [];
  }

  /** The page is looked at again or the network changed: what was believed before is asked again. */
  private wake(now: number): Effect[] {
    if (this.phase === 'waiting') return now >= this.earliest ? this.connect(now) : [];
    if (this.phase !== 'open') return [];
    this.answerBy = Math.min(this.answerBy, now + WAKE_PING_MS);
    return this.ping();
  }

  private get isPinging(): boolean {
    for (const asking of this.open.values()) if ('note' in asking && asking.note.do === 'ping') return true;
    return false;
  }

  private ping(): Effect[] {
    if (!this.isPinging) this.queue.unshift({ note: { do: 'ping' } });
    return this.flush();
  }

  // ------------------------------------------------------------ asking

  private ask({ key, command, kept }: Ask): Effect[] {
    const isOpen = this.phase === 'open';
    if (this.phase === 'stopped' || (!isOpen && !kept)) return [{ type: 'refuse', key, fault: OFFLINE }];
    if (this.queue.length >= WAITING_ASKS) return [{ type: 'refuse', key, fault: OVERLOADED }];
    this.queue.push({ ask: { key, command, kept } });
    return this.flush();
  }

  private subscribe(channel: Id, after: Seq | null): Effect[] {
    this.subscriptions.add(channel, after);
    if (this.phase !== 'open') return [];
    this.queue.push({ subscribe: channel, after });
    return this.flush();
  }

  private unsubscribe(channel: Id): Effect[] {
    if (!this.subscriptions.remove(channel) || this.phase !== 'open') return [];
    this.queue.push({ note: { do: 'unsubscribe', channel } });
    return this.flush();
  }

  /** Sends what waits, as far as the hub allows questions to be open at once. */
  private flush(): Effect[] {
    const effects: Effect[] = [];
    const limit = this.welcome?.limits.open_commands ?? 1;
    while (this.phase === 'open' && this.queue.length > 0 && this.open.size < limit) {
      const command = this.sending(this.queue.shift() as Asking);
      if (command) effects.push({ type: 'send', command });
    }
    return effects;
  }

  /** The command of a question, now open under a number; null when it is void by now. */
  private sending(asking: Asking): (Command & { id: number }) | null {
    let command: Command;
    if ('subscribe' in asking) {
      if (!this.subscriptions.has(asking.subscribe)) return null;
      asking.after = this.subscriptions.at(asking.subscribe);
      command = { do: 'subscribe', channel: asking.subscribe };
      if (asking.after !== null) command.after = asking.after;
    } else {
      command = 'ask' in asking ? asking.ask.command : asking.note;
    }
    this.lastId += 1;
    this.open.set(this.lastId, asking);
    return { ...command, id: this.lastId };
  }

  // ------------------------------------------------------------ hearing

  private heard(message: Incoming, now: number): Effect[] {
    this.heardAt = now;
    this.answerBy = Infinity;
    if ('welcome' in message) return this.welcomed(message.welcome as Welcome, now);
    if ('bye' in message) this.bye = message.bye as Bye;
    if (this.phase !== 'open') return [];
    if ('re' in message) return [...this.replied(message as Reply, now), ...this.flush()];
    if ('signal' in message) return [{ type: 'signal', signal: message as Signal }];
    if ('revoked' in message) return this.revoked(message.revoked as { channel: Id; reason: string });
    return 'seq' in message ? this.entered(message as Entry) : [];
  }

  private entered(entry: Entry): Effect[] {
    const verdict = this.subscriptions.take(entry);
    if (verdict === 'deliver') return [{ type: 'entry', entry }];
    if (verdict === 'drop') return [];
    this.queue.push({ subscribe: entry.channel, after: null });
    return this.flush();
  }

  private revoked({ channel, reason }: { channel: Id; reason: string }): Effect[] {
    this.subscriptions.remove(channel);
    return [{ type: 'unreadable', channel, reason }];
  }

  private replied(reply: Reply, now: number): Effect[] {
    const asking = this.open.get(reply.re);
    this.open.delete(reply.re);
    if (!asking || 'note' in asking) return [];
    if ('subscribe' in asking) return this.subscribed(asking, reply, now);
    const { key } = asking.ask;
    return 'ok' in reply
      ? [{ type: 'answer', key, ok: reply.ok }]
      : [{ type: 'refuse', key, fault: reply.error }];
  }

  private subscribed(asking: { subscribe: Id; after: Seq | null }, reply: Reply, now: number): Effect[] {
    const channel = asking.subscribe;
    if (!this.subscriptions.has(channel)) return [];
    if ('ok' in reply) {
      const ok = reply.ok as unknown as Subscribed;
      return [{ type: 'subscribed', reply: ok, fresh: this.subscriptions.replied(ok, asking.after) }];
    }
    if (this.subscriptions.refused(channel, reply.error, now)) return [];
    return [{ type: 'unreadable', channel, reason: reply.error.reason }];
  }
}

function refusals(askings: Asking[]): Effect[] {
  return askings.flatMap((asking) =>
    'ask' in asking ? [{ type: 'refuse' as const, key: asking.ask.key, fault: OFFLINE }] : [],
  );
}
