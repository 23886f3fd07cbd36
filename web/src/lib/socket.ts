// The shell around the connection's state machine: one WebSocket, one timer, the browser's events. It carries out
// the core's effects in their order and turns questions into promises.
import { LiveCore, type Effect, type Happening, type LiveState } from './live';
import {
  SUBPROTOCOL,
  decode,
  encode,
  type Command,
  type Entry,
  type Fault,
  type Id,
  type Incoming,
  type Ok,
  type Seq,
  type Signal,
  type Subscribed,
  type Welcome,
} from './wire';

export interface Handlers {
  state(state: LiveState): void;
  welcome(welcome: Welcome): void;
  subscribed(reply: Subscribed, fresh: boolean): void;
  unreadable(channel: Id, reason: string): void;
  entry(entry: Entry): void;
  signal(signal: Signal): void;
  /** Somebody else is signed in here now. */
  stranger(): void;
  /** Asks over HTTP whether the session is over; false also when nothing answers. */
  hasEnded(): Promise<boolean>;
}

/** A refusal by the hub, or `offline`: the connection was lost before an answer came. */
export class LiveError extends Error implements Fault {
  readonly code: string;
  readonly reason: string;
  readonly facts?: Record<string, unknown>;
  readonly retry_after_ms?: number;

  constructor(fault: Fault) {
    super(fault.message);
    this.name = 'LiveError';
    this.code = fault.code;
    this.reason = fault.reason;
    if (fault.facts) this.facts = fault.facts;
    if (fault.retry_after_ms !== undefined) this.retry_after_ms = fault.retry_after_ms;
  }
}

const PASSING = new Set(['rate_limited', 'unavailable', 'internal']);
const QUESTION_TRIES = 4;
const DECODE_FAILED = 1007;

type Waiting = { resolve(ok: Ok): void; reject(error: LiveError): void };
export type OpenSocket = () => WebSocket;

const openSocket: OpenSocket = () =>
  new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/live`, SUBPROTOCOL);

export class Live {
  private readonly core: LiveCore;
  private readonly waiting = new Map<number, Waiting>();
  private socket: WebSocket | null = null;
  private readonly backlog: Happening[] = [];
  private lastKey = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private timerAt = Infinity;
  private told = '';
  private clock = 0;

  constructor(
    user: Id | null,
    private readonly handlers: Handlers,
    private readonly opener: OpenSocket = openSocket,
  ) {
    this.core = new LiveCore(user, Math.random);
  }

  start(): void {
    addEventListener('online', this.onNetwork);
    addEventListener('offline', this.onNetwork);
    addEventListener('pageshow', this.onVisible);
    document.addEventListener('visibilitychange', this.onVisible);
    this.happen({ type: 'start' });
    if (!navigator.onLine) this.happen({ type: 'network', online: false });
  }

  /** For good: a new session makes a new connection. */
  stop(): void {
    removeEventListener('online', this.onNetwork);
    removeEventListener('offline', this.onNetwork);
    removeEventListener('pageshow', this.onVisible);
    document.removeEventListener('visibilitychange', this.onVisible);
    this.happen({ type: 'stop' });
  }

  retry(): void {
    this.happen({ type: 'retry' });
  }

  /** Somebody wants something now: a pause that is only ours is cut short. */
  nudge(): void {
    const { state } = this.core.connection;
    if (state === 'waiting' || state === 'offline') this.happen({ type: 'visible' });
  }

  subscribe(channel: Id, after: Seq | null): void {
    this.happen({ type: 'subscribe', channel, after });
  }

  unsubscribe(channel: Id): void {
    this.happen({ type: 'unsubscribe', channel });
  }

  /** The last number that a channel's subscription handed out. */
  at(channel: Id): Seq | null {
    return this.core.subscriptions.at(channel);
  }

  isSubscribed(channel: Id): boolean {
    return this.core.subscriptions.has(channel);
  }

  /** Asks once. Rejects with LiveError, `offline` when the connection is lost or not there. */
  ask(command: Command, kept = false): Promise<Ok> {
    const key = ++this.lastKey;
    return new Promise((resolve, reject) => {
      this.waiting.set(key, { resolve, reject });
      this.happen({ type: 'ask', key, command, kept });
    });
  }

  /** Asks what may be asked twice: through a loss of connection, and again when the hub is busy. */
  async question(command: Command): Promise<Ok> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.ask(command, true);
      } catch (error) {
        if (!(error instanceof LiveError) || !PASSING.has(error.code) || tries === QUESTION_TRIES)
          throw error;
        await new Promise((resolve) => setTimeout(resolve, error.retry_after_ms ?? 500 * 2 ** tries));
      }
    }
  }

  private readonly onNetwork = (): void => this.happen({ type: 'network', online: navigator.onLine });
  private readonly onVisible = (): void => {
    if (document.visibilityState === 'visible') this.happen({ type: 'visible' });
  };

  /** What handlers set off while effects are carried out waits until those are through: their order is kept. */
  private happen(happening: Happening): void {
    this.backlog.push(happening);
    if (this.backlog.length > 1) return;
    for (let next = this.backlog[0]; next; next = this.backlog[0]) {
      // The system's clock goes on during sleep, other than the page's own; it may not run backwards here.
      this.clock = Math.max(this.clock, Date.now());
      for (const effect of this.core.on(next, this.clock)) this.carryOut(effect);
      this.backlog.shift();
    }
    this.tellState();
    this.arm();
  }

  private tellState(): void {
    const state = this.core.connection;
    const now = JSON.stringify(state);
    if (now === this.told) return;
    this.told = now;
    this.handlers.state(state);
  }

  /** A timer that fires early finds nothing to do and is set anew; so it moves only to come sooner. */
  private arm(): void {
    const at = this.core.wakeAt;
    if (at >= this.timerAt && this.timer !== undefined) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.timerAt = at;
    if (at === Infinity) return;
    this.timer = setTimeout(this.onTimer, Math.max(0, at - this.clock));
  }

  private readonly onTimer = (): void => {
    this.timer = undefined;
    this.timerAt = Infinity;
    this.happen({ type: 'tick' });
  };

  private carryOut(effect: Effect): void {
    switch (effect.type) {
      case 'open':
        return this.open();
      case 'close':
        return this.close();
      case 'send':
        return this.socket?.send(encode(effect.command));
      case 'answer':
        return this.settle(effect.key)?.resolve(effect.ok);
      case 'refuse':
        return this.settle(effect.key)?.reject(new LiveError(effect.fault));
      case 'probe':
        return void this.probe();
      case 'welcome':
        return this.handlers.welcome(effect.welcome);
      case 'stranger':
        return this.handlers.stranger();
      case 'subscribed':
        return this.handlers.subscribed(effect.reply, effect.fresh);
      case 'unreadable':
        return this.handlers.unreadable(effect.channel, effect.reason);
      case 'entry':
        return this.handlers.entry(effect.entry);
      case 'signal':
        return this.handlers.signal(effect.signal);
    }
  }

  private settle(key: number): Waiting | undefined {
    const waiting = this.waiting.get(key);
    this.waiting.delete(key);
    return waiting;
  }

  private open(): void {
    const socket = this.opener();
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => this.heard(data);
    socket.onclose = ({ code }) => {
      this.socket = null;
      this.happen({ type: 'closed', code });
    };
    this.socket = socket;
  }

  private heard(data: ArrayBuffer): void {
    let message: Incoming;
    try {
      message = decode(data);
    } catch {
      this.close();
      return this.happen({ type: 'closed', code: DECODE_FAILED });
    }
    this.happen({ type: 'message', message });
  }

  private close(): void {
    if (!this.socket) return;
    this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
    this.socket = null;
  }

  private async probe(): Promise<void> {
    if (await this.handlers.hasEnded()) this.happen({ type: 'ended' });
  }
}
