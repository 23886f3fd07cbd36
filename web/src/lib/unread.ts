// Counts what a member has not read in one channel, as the protocol defines it: entries of a kind that counts,
// after the read position, not deleted, not one's own. The hub's count holds up to a head; from there on live
// entries are counted here. Where that can't be right (`unsure`), the hub is to be asked again.
import type { Entry, Id, Seq } from './wire';

const COUNTED = new Set(['message', 'topic', 'post', 'event', 'alert']);

export interface Standing {
  head: Seq;
  read_seq: Seq;
  unread: number;
  mentions: number;
}

export class Tally {
  readSeq: Seq;
  /** The hub must be asked: something below its count changed in a way that can't be known here. */
  unsure = false;
  private counted: { seq: Seq; mention: boolean }[] = [];
  private base: Standing;
  private isVoid = false;

  constructor(
    private readonly me: Id | null,
    standing: Standing,
  ) {
    this.base = standing;
    this.readSeq = standing.read_seq;
  }

  get unread(): number {
    return this.base.unread + this.counted.length;
  }

  get mentions(): number {
    return this.base.mentions + this.counted.filter((entry) => entry.mention).length;
  }

  /** Live entries follow `head` now; the count stands until the hub's own word comes, which then holds alone. */
  restart(head: Seq): void {
    this.base = { head, read_seq: this.readSeq, unread: this.unread, mentions: this.mentions };
    this.counted = [];
    this.readSeq = Math.min(this.readSeq, head);
    this.isVoid = true;
  }

  /** The hub's own count; live entries up to its head are in it. */
  correct(standing: Standing): void {
    const { unread, mentions } = this;
    // What was read here a moment ago the hub may not know yet: then its count is too high.
    const isAhead = !this.isVoid && this.readSeq > standing.read_seq;
    this.base = standing;
    this.counted = this.counted.filter(({ seq }) => seq > standing.head);
    this.unsure = this.isVoid = false;
    if (!isAhead) this.readSeq = standing.read_seq;
    else if (this.readSeq >= standing.head) this.base = { ...standing, unread: 0, mentions: 0 };
    else
      this.base = {
        ...standing,
        unread: Math.min(unread, standing.unread),
        mentions: Math.min(mentions, standing.mentions),
      };
  }

  /** A live entry. Whether it counts as unread. */
  add(entry: Entry): boolean {
    if (entry.seq <= this.base.head) return false;
    if (entry.kind === 'delete') this.remove(entry.target ?? 0);
    if (!COUNTED.has(entry.kind) || entry.deleted || this.me === null) return false;
    if (entry.author === this.me || entry.seq <= this.readSeq) return false;
    this.counted.push({ seq: entry.seq, mention: entry.mentions?.includes(this.me) ?? false });
    return true;
  }

  /** The member has read up to `seq`. */
  read(seq: Seq): void {
    if (seq <= this.readSeq) return;
    this.readSeq = seq;
    this.counted = this.counted.filter((entry) => entry.seq > seq);
    if (seq >= this.base.head) this.base = { ...this.base, unread: 0, mentions: 0 };
    else if (this.base.unread > 0) this.unsure = true;
  }

  private remove(target: Seq): void {
    const kept = this.counted.filter(({ seq }) => seq !== target);
    const wasOlder = target <= this.base.head && target > this.readSeq;
    if (kept.length === this.counted.length && wasOlder && this.base.unread > 0) this.unsure = true;
    this.counted = kept;
  }
}
