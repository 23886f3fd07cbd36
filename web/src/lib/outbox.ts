// What a member did and the hub has not confirmed yet: sends, edits, deletions, reactions, pins. Pure. One of a
// channel is under way at a time, so they arrive in the order in which they were made; a send keeps its nonce
// through every try, so it is stored once. What the hub finally refuses stays as failed when it holds words.
import { backoff } from './waiting';
import type { Command, Fault, Id, Ok, Seq } from './wire';

export type Deed =
  | { do: 'send'; text: string; reply_to?: Seq }
  | { do: 'edit'; seq: Seq; text: string }
  | { do: 'delete'; seq: Seq }
  | { do: 'react'; seq: Seq; emoji: string; on: boolean }
  | { do: 'pin'; seq: Seq; on: boolean };

export interface Job {
  /** Its key in the outbox, and a send's nonce. */
  key: string;
  channel: Id;
  deed: Deed;
  at: number;
  /** `done`: confirmed, and kept until the entry of that number has come. */
  state: 'waiting' | 'flying' | 'done' | 'failed';
  tries: number;
  notBefore: number;
  seq: Seq | null;
  fault: Fault | null;
}

const FOREVER = new Set(['rate_limited', 'unavailable']);
const FAULTY_TRIES = 5; // so often a fault of the hub's own is tried again, then the member decides
// A reaction, pin or deletion that is refused changes nothing and is told; words are never thrown away.
const WORDS = new Set<Deed['do']>(['send', 'edit']);

export class Outbox {
  private jobs: Job[] = [];
  /** After `rate_limited` everything waits: the limit is the member's, not the channel's. */
  private pausedUntil = 0;

  constructor(private readonly random: () => number) {}

  get all(): readonly Job[] {
    return this.jobs;
  }

  of(channel: Id): Job[] {
    return this.jobs.filter((job) => job.channel === channel);
  }

  add(key: string, channel: Id, deed: Deed, now: number): void {
    const fresh = { state: 'waiting', tries: 0, notBefore: 0, seq: null, fault: null } as const;
    this.jobs.push({ key, channel, deed, at: now, ...fresh });
  }

  /** Takes over what an earlier page left; what was under way then is asked again. */
  adopt(jobs: readonly Job[]): void {
    const here = new Set(this.jobs.map(({ key }) => key));
    const others = jobs.filter(({ key, state }) => !here.has(key) && state !== 'done');
    this.jobs = [...others.map(again), ...this.jobs];
  }

  /** What is to be sent now: the first of each channel that is neither failed nor done, unless it waits. */
  due(now: number): Job[] {
    if (now < this.pausedUntil) return [];
    return this.heads().filter(({ state, notBefore }) => state === 'waiting' && notBefore <= now);
  }

  /** The moment at which something becomes due by itself; Infinity while nothing waits for time. */
  wakeAt(): number {
    const waiting = this.heads().filter(({ state }) => state === 'waiting');
    return Math.min(Infinity, ...waiting.map(({ notBefore }) => Math.max(notBefore, this.pausedUntil)));
  }

  flies(key: string): void {
    this.set(key, (job) => ({ ...job, state: 'flying' }));
  }

  /** The hub has confirmed it. Without a number in the answer it changed nothing, and is over. */
  confirmed(key: string, ok: Ok): void {
    const { seq } = ok as { seq?: Seq };
    if (seq === undefined) this.remove(key);
    else this.set(key, (job) => ({ ...job, state: 'done', seq }));
  }

  /** The connection was lost before an answer: it may be stored or not, and is asked again. */
  lost(key: string): void {
    this.set(key, again);
  }

  /** The hub has refused it. The job when that is final and holds no words, to be told to the member. */
  refused(key: string, fault: Fault, now: number): Job | null {
    const job = this.find(key);
    if (!job) return null;
    if (FOREVER.has(fault.code) || (fault.code === 'internal' && job.tries + 1 < FAULTY_TRIES)) {
      const wait_ms = fault.retry_after_ms ?? backoff(job.tries, this.random());
      if (fault.code === 'rate_limited') this.pausedUntil = now + wait_ms;
      this.set(key, () => ({ ...job, state: 'waiting', tries: job.tries + 1, notBefore: now + wait_ms }));
      return null;
    }
    if (WORDS.has(job.deed.do)) {
      this.set(key, () => ({ ...job, state: 'failed', fault }));
      return null;
    }
    this.remove(key);
    // What is to be deleted and is gone already: an earlier try had come through.
    return job.deed.do === 'delete' && fault.reason === 'deleted' ? null : job;
  }

  /** A channel's entries up to `at` have been shown, and with them what was confirmed. */
  shown(channel: Id, at: Seq): boolean {
    const kept = this.jobs.filter(
      (job) => job.channel !== channel || job.state !== 'done' || (job.seq ?? 0) > at,
    );
    const changed = kept.length < this.jobs.length;
    this.jobs = kept;
    return changed;
  }

  /** A member wants a failed one sent again: it takes its place behind what was written since. */
  retry(key: string, now: number): void {
    const job = this.find(key);
    if (job?.state !== 'failed') return;
    this.remove(key);
    this.jobs.push({ ...job, state: 'waiting', tries: 0, notBefore: 0, fault: null, at: now });
  }

  /** Takes one out that is not under way; gives back its job. */
  discard(key: string): Job | null {
    const job = this.find(key);
    if (!job || job.state === 'flying' || job.state === 'done') return null;
    this.remove(key);
    return job;
  }

  private heads(): Job[] {
    const seen = new Set<Id>();
    const heads: Job[] = [];
    for (const job of this.jobs) {
      if (job.state === 'failed' || job.state === 'done' || seen.has(job.channel)) continue;
      seen.add(job.channel);
      heads.push(job);
    }
    return heads;
  }

  private find(key: string): Job | undefined {
    return this.jobs.find((job) => job.key === key);
  }

  private remove(key: string): void {
    this.jobs = this.jobs.filter((job) => job.key !== key);
  }

  private set(key: string, change: (job: Job) => Job): void {
    this.jobs = this.jobs.map((job) => (job.key === key ? change(job) : job));
  }
}

function again(job: Job): Job {
  return job.state === 'failed' ? job : { ...job, state: 'waiting', notBefore: 0 };
}

/** The command that carries a job out. */
export function commandOf({ key, channel, deed }: Job): Command {
  return deed.do === 'send' ? { ...deed, channel, nonce: key } : { ...deed, channel };
}
