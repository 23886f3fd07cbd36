// Tells the hub how far a member has read: at most once a second for each channel, the last word wins.
import type { Id, Seq } from './wire';

const EVERY_MS = 1_000;

export class Reads {
  private readonly waiting = new Map<Id, Seq>();
  private readonly timers = new Map<Id, ReturnType<typeof setTimeout>>();

  constructor(private readonly tell: (channel: Id, seq: Seq) => void) {}

  read(channel: Id, seq: Seq): void {
    if (this.timers.has(channel)) {
      this.waiting.set(channel, Math.max(seq, this.waiting.get(channel) ?? 0));
      return;
    }
    this.tell(channel, seq);
    this.timers.set(
      channel,
      setTimeout(() => this.next(channel), EVERY_MS),
    );
  }

  stop(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
    for (const [channel, seq] of this.waiting) this.tell(channel, seq);
    this.waiting.clear();
  }

  private next(channel: Id): void {
    this.timers.delete(channel);
    const seq = this.waiting.get(channel);
    this.waiting.delete(channel);
    if (seq !== undefined) this.read(channel, seq);
  }
}
