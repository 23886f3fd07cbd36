// Counts what a member has not read in one channel, as the protocol defines it: entries of a kind that counts,
// after the read position, not deleted, not one's own. The hub's count holds up to a head; from there on live
// entries are counted here. Where that can't be right (`unsure`), the hub is to be asked again.
import { names } from './handles';
import type { Entry, Id, Self, Seq } from './wire';

const COUNTED = new Set(['message', 'topic', 'post', 'event', 'alert']);

export interface Counts {
  unread: number;
  mentions: number;
}

export interface Standing extends Counts {
  head: Seq;
  read_seq: Seq;
}

/** Whether an entry is of a kind that counts. */
export const isOfThoseCounted = (kind: string): boolean => COUNTED.has(kind);

/** Whether an entry is of those that count until they are read. */
export function isCounted(kind: string, author: Id | null, deleted: boolean, me: Self | null): boolean {
  return COUNTED.has(kind) && me !== null && author !== me.id && !deleted;
}

export class Tally {
  readSeq: Seq;
  /** The hub must be asked: something below its count changed in a way that can't be known here. */
  unsure = false;
  /** What came live and is not read, in rising order; and how many of it name the member. */
  private counted: { seq: Seq; mention: boolean }[] = [];
  private mentioned = 0;
  private base: Standing;
  private isVoid = false;

  constructor(
    private readonly me: Self | null,
    standing: Standing,
  ) {
    this.base = standing;
    this.readSeq = standing.read_seq;
  }

  get unread(): number {
    return this.base.unread + this.counted.length;
  }

  get mentions(): number {
    return this.base.mentions + this.mentioned;
  }

  /** Live entries follow `head` now; the count stands until the hub's own word comes, which then holds alone. */
  restart(head: Seq): void {
    this.begin({ head, read_seq: this.readSeq, unread: this.unread, mentions: this.mentions }, Infinity);
    this.readSeq = Math.min(this.readSeq, head);
    this.isVoid = true;
  }

  /** The hub's own count; live entries up to its head are in it. */
  correct(standing: Standing): void {
    const before = this.upTo(standing.head);
    // What was read here a moment ago the hub may not know yet: then its count is too high.
    const isAhead = !this.isVoid && this.readSeq > standing.read_seq;
    this.begin(standing, standing.head);
    this.unsure = this.isVoid = false;
    if (!isAhead) this.readSeq = standing.read_seq;
    else this.base = { ...standing, ...lesser(before, standing) };
  }

  /** A live entry. Whether it counts as unread. */
  add(entry: Entry): boolean {
    if (entry.seq <= this.base.head) return false;
    if (entry.kind === 'delete') this.remove(entry.target ?? 0);
    if (entry.seq <= this.readSeq) return false;
    if (!isCounted(entry.kind, entry.author, entry.deleted ?? false, this.me)) return false;
    const mention = names(entry, this.me);
    this.counted.push({ seq: entry.seq, mention });
    this.mentioned += mention ? 1 : 0;
    return true;
  }

  /** The member has read up to `seq`. `rest` is what is unread after it up to `at`, where that is known. */
  read(seq: Seq, at: Seq = 0, rest: Counts | null = null): void {
    if (seq <= this.readSeq) return;
    this.readSeq = seq;
    if (rest) {
      this.begin({ head: at, read_seq: seq, ...rest }, at);
      return;
    }
    this.begin(this.base, seq);
    if (seq >= this.base.head) this.base = { ...this.base, ...NONE };
    else if (this.base.unread > 0) this.unsure = true;
  }

  /** Counts from `base` on, and of what came live only what is after `seq`. */
  private begin(base: Standing, seq: Seq): void {
    this.base = base;
    this.counted = this.counted.filter((entry) => entry.seq > seq);
    this.mentioned = this.counted.filter(({ mention }) => mention).length;
  }

  private upTo(head: Seq): Counts {
    const earlier = this.counted.filter(({ seq }) => seq <= head);
    const mentions = earlier.filter(({ mention }) => mention).length;
    return { unread: this.base.unread + earlier.length, mentions: this.base.mentions + mentions };
  }

  private remove(target: Seq): void {
    const place = this.counted.findLastIndex(({ seq }) => seq === target);
    if (place >= 0) {
      const [gone] = this.counted.splice(place, 1);
      this.mentioned -= gone?.mention ? 1 : 0;
    } else if (target <= this.base.head && target > this.readSeq && this.base.unread > 0) {
      this.unsure = true;
    }
  }
}

const NONE: Counts = { unread: 0, mentions: 0 };

const lesser = (a: Counts, b: Counts): Counts => ({
  unread: Math.min(a.unread, b.unread),
  mentions: Math.min(a.mentions, b.mentions),
});
