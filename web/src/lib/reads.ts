// Tells the hub how far a member has read: at most once a second for each channel, the last word wins. A page that
// goes out of sight may be gone the next moment, with all that it has not told or has only just told.
import type { Id, Seq } from './wire';

const EVERY_MS = 1_000;

interface Told {
  seq: Seq;
  /** Read since. */
  next: Seq | null;
  timer: ReturnType<typeof setTimeout>;
}

type Tell = (channel: Id, seq: Seq) => void;

export class Reads {
  /** What was told within the last second. */
  private readonly recent = new Map<Id, Told>();

  /** `tellLast` tells in a way that outlives the page. */
  constructor(
    private readonly tell: Tell,
    private readonly tellLast: Tell,
  ) {}

  start(): void {
    addEventListener('pagehide', this.leave);
    document.addEventListener('visibilitychange', this.leave);
  }

  read(channel: Id, seq: Seq): void {
    const told = this.recent.get(channel);
    if (told) {
      told.next = Math.max(seq, told.next ?? 0);
      return;
    }
    this.tell(channel, seq);
    const timer = setTimeout(() => this.goOn(channel), EVERY_MS);
    this.recent.set(channel, { seq, next: null, timer });
  }

  stop(): void {
    removeEventListener('pagehide', this.leave);
    document.removeEventListener('visibilitychange', this.leave);
    for (const [channel, { next, timer }] of this.recent) {
      clearTimeout(timer);
      if (next !== null) this.tell(channel, next);
    }
    this.recent.clear();
  }

  private goOn(channel: Id): void {
    const next = this.recent.get(channel)?.next;
    this.recent.delete(channel);
    if (next != null) this.read(channel, next);
  }

  /** Also what was told on the connection a moment ago: it may end with the page before that is out. */
  private readonly leave = (event: Event): void => {
    if (event.type === 'visibilitychange' && document.visibilityState === 'visible') return;
    for (const [channel, told] of this.recent) {
      this.tellLast(channel, told.next ?? told.seq);
      told.next = null;
    }
  };
}
