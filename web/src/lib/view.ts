// What a page shows of a channel: the rows of one window of its log, and below them what is pending. Pure. A row is
// made when it is asked for and stays the same object while it looks the same, so long lists cost what is drawn.
import type { Log } from './log';
import type { Message } from './message';
import type { Job } from './outbox';
import { pendingMessage, withJobs } from './pending';
import { rowOf, sameRow, type Row } from './rows';
import type { Id, Seq } from './wire';

export class View {
  newSince: Seq | null = null;
  /** A number in the window that is shown; null: the one that ends at the newest. */
  private anchor: Seq | null = null;
  private sends: Job[] = [];
  private aims = new Map<Seq, Job[]>();
  private drawn = new Map<string, Row>();

  constructor(
    private readonly log: Log,
    private readonly me: Id | null,
  ) {}

  /** What is in the outbox for this channel. */
  setJobs(jobs: readonly Job[]): void {
    this.sends = [];
    this.aims = new Map();
    for (const job of jobs) {
      if (job.deed.do === 'send') {
        this.log.expect(job.key);
        this.sends.push(job);
      } else {
        this.aims.set(job.deed.seq, [...(this.aims.get(job.deed.seq) ?? []), job]);
      }
    }
  }

  /** Shows the window with this number. */
  moveTo(seq: Seq | null): void {
    this.anchor = seq;
  }

  get span() {
    return this.window.span;
  }

  get atStart(): boolean {
    return this.span.from <= this.log.first;
  }

  get atEnd(): boolean {
    return this.span.to >= this.log.at;
  }

  get length(): number {
    const { from, to } = this.window;
    return to - from + this.pending.length;
  }

  /** The row at an index from 0, oldest first. */
  row(index: number): Row | undefined {
    const message = this.messageAt(index);
    if (!message) return undefined;
    const { from } = this.span;
    const reaches = this.newSince !== null && (from <= this.newSince + 1 || this.atStart);
    const row = rowOf(message, this.messageAt(index - 1) ?? null, this.newSince, reaches);
    const before = this.drawn.get(row.key);
    if (before && sameRow(before, row)) return before;
    this.drawn.set(row.key, row);
    return row;
  }

  /** The index of a message's row, -1 when it is not in the window. */
  index(seq: Seq): number {
    const { from, to } = this.window;
    const place = this.log.place(seq);
    return place >= from && place < to && this.log.message(place)?.seq === seq ? place - from : -1;
  }

  /** A message as it is shown, with what is pending on it. */
  message(seq: Seq): Message | undefined {
    const message = this.log.get(seq);
    return message && this.withAims(message, seq);
  }

  private get window() {
    const hasAnchor = this.anchor !== null && this.log.knows(this.anchor);
    return this.log.window(hasAnchor ? (this.anchor as Seq) : this.log.at);
  }

  /** Sends whose entries have not come; they stand below the newest message only. */
  private get pending(): Job[] {
    return this.atEnd ? this.sends.filter(({ key }) => this.log.landed(key) === null) : [];
  }

  private messageAt(index: number): Message | undefined {
    if (index < 0) return undefined;
    const { from, to } = this.window;
    if (index >= to - from) {
      const job = this.pending[index - (to - from)];
      return job && pendingMessage(job, this.me);
    }
    const message = this.log.message(from + index);
    return message && this.withAims(message, message.seq);
  }

  private withAims(message: Message, seq: Seq): Message {
    const jobs = this.aims.get(seq);
    return jobs ? withJobs(message, jobs, this.me) : message;
  }
}
