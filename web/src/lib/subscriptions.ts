// Where each subscription of a connection stands. Pure. It keeps the order that the protocol promises: an entry is
// handed out when it is the next one, passed over when it was handed out before, and a gap asks for a replay.
import type { Entry, Fault, Id, Seq, Subscribed } from './wire';

interface Subscription {
  /** The last number handed out; null until the first reply says where live entries begin. */
  at: Seq | null;
  /** The head that a replay goes to; null while a reply is awaited. */
  target: Seq | null;
}

const RETRY_MS = 2_000; // after a refusal that may pass and that names no time
const PASSING = new Set(['rate_limited', 'unavailable', 'internal']);

export class Subscriptions {
  private readonly all = new Map<Id, Subscription>();
  private readonly behind = new Set<Id>();
  private readonly retries = new Map<Id, number>();

  get channels(): Id[] {
    return [...this.all.keys()];
  }

  get areCaughtUp(): boolean {
    return this.behind.size === 0;
  }

  /** The next moment at which `due` gives something. */
  get retryAt(): number {
    return Math.min(Infinity, ...this.retries.values());
  }

  has(channel: Id): boolean {
    return this.all.has(channel);
  }

  at(channel: Id): Seq | null {
    return this.all.get(channel)?.at ?? null;
  }

  add(channel: Id, after: Seq | null): void {
    this.all.set(channel, { at: after, target: null });
    this.behind.add(channel);
  }

  remove(channel: Id): boolean {
    this.behind.delete(channel);
    this.retries.delete(channel);
    return this.all.delete(channel);
  }

  /** A new connection asks for all of them again; `forget` when another history has replaced the former one. */
  restart(forget: boolean): void {
    this.retries.clear();
    for (const [channel, { at }] of this.all) this.add(channel, forget ? null : at);
  }

  /** The reply to a subscription that was asked for with `after`. Whether what was kept of the channel is void. */
  replied(reply: Subscribed, after: Seq | null): boolean {
    const subscription = this.all.get(reply.channel);
    if (!subscription) return false;
    const fresh = after === null || reply.reset === true;
    // Numbers below `first` may not be had: a replay begins there at the earliest.
    subscription.at = fresh ? reply.head : Math.max(subscription.at ?? after, reply.first - 1);
    subscription.target = reply.head;
    this.settle(reply.channel, subscription);
    return fresh;
  }

  /** Whether a refused subscription is tried again; else it is gone. */
  refused(channel: Id, fault: Fault, now: number): boolean {
    if (!this.all.has(channel)) return true;
    if (!PASSING.has(fault.code)) return !this.remove(channel);
    this.retries.set(channel, now + (fault.retry_after_ms ?? RETRY_MS));
    return true;
  }

  /** The channels whose time to try again has come. */
  due(now: number): Id[] {
    const due = [...this.retries].filter(([, at]) => at <= now).map(([channel]) => channel);
    for (const channel of due) this.retries.delete(channel);
    return due;
  }

  /** What to do with an entry. After 'gap' the subscription counts as behind until its replay is through. */
  take(entry: Entry): 'deliver' | 'drop' | 'gap' {
    const subscription = this.all.get(entry.channel);
    if (!subscription || subscription.at === null || entry.seq <= subscription.at) return 'drop';
    if (entry.seq === subscription.at + 1) {
      subscription.at = entry.seq;
      this.settle(entry.channel, subscription);
      return 'deliver';
    }
    if (subscription.target === null) return 'drop';
    subscription.target = null;
    this.behind.add(entry.channel);
    return 'gap';
  }

  private settle(channel: Id, { at, target }: Subscription): void {
    if (at !== null && target !== null && at >= target) this.behind.delete(channel);
  }
}
