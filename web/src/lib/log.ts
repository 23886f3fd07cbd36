// Folds the entries of one channel into what is shown. Pure: entries and pages of history go in, messages and
// questions come out; nothing here waits, draws or sends. A new entry costs O(log n).
//
// `at` is the last number that came live. What is known is a set of spans of numbers: usually one that ends at
// `at`, and others around places that were jumped to. Live entries and pages may come in any order: whatever
// says more about a message (the greater `rev`) wins, and changes that came before their target are kept a while.
import { changed, isChange, messageOf, type Stored } from './message';
import { since, spanAt, withSpan, type Span } from './spans';
import { isCounted, type Counts } from './unread';
import type { Entry, Page, Self, Seq } from './wire';

export interface Question {
  before?: Seq;
  after?: Seq;
  around?: Seq;
}

// A page that was read before a change may arrive after it. Pages take far less time than 500 changes do; one
// that is older than that is asked for again.
const KEPT_CHANGES = 500;

export class Log {
  /** Messages whose new text only history can tell: ask around each. */
  readonly stale = new Set<Seq>();
  private shown: Stored[] = [];
  private known: Span[] = [];
  private changes: Entry[] = [];
  private forgottenTo: Seq = 0;
  private sends = new Map<string, Seq | null>();

  /** `at` is where the subscription stands, `first` the oldest number that may be had. */
  constructor(
    private readonly me: Self | null,
    public at: Seq,
    public first: Seq,
  ) {}

  /** Live entries now follow `head`, and all that was kept is void: history was replaced, or too far behind. */
  restart(head: Seq, first: Seq): void {
    this.shown = [];
    this.known = [];
    this.changes = [];
    this.forgottenTo = 0;
    this.stale.clear();
    this.at = head;
    this.first = first;
  }

  /** What is older than `first` may no longer be had, nor shown. */
  raiseFirst(first: Seq): void {
    if (first <= this.first) return;
    this.first = first;
    this.at = Math.max(this.at, first - 1);
    this.shown.splice(0, this.place(first));
    this.known = since(this.known, first);
  }

  /** A live entry: 'gap' when numbers before it are missing and must be asked for, 'old' when it was here. */
  apply(entry: Entry): 'applied' | 'old' | 'gap' {
    if (entry.seq <= this.at) return 'old';
    if (entry.seq > this.at + 1) return 'gap';
    this.at = entry.seq;
    this.learn({ from: entry.seq, to: entry.seq });
    if (isChange(entry)) this.change(entry);
    else this.put(messageOf(entry, this.me));
    return 'applied';
  }

  /** The answer to a question. 'again' when it is too old to be put right: ask once more. */
  page(question: Question, page: Page): 'merged' | 'again' {
    if (this.pieces(page) === 'again') return 'again';
    const span = spanOf(question, page);
    this.learn({ from: Math.max(span.from, this.first), to: span.to });
    return 'merged';
  }

  /** Single messages from somewhere: they are shown once their surroundings are known too. */
  pieces(page: Page): 'merged' | 'again' {
    if (page.head < this.forgottenTo) return 'again';
    this.raiseFirst(page.first);
    const entries = page.entries.filter((entry) => !isChange(entry) && entry.seq >= this.first);
    for (const entry of entries) this.put(messageOf(entry, this.me));
    return 'merged';
  }

  knows(seq: Seq): boolean {
    return spanAt(this.known, seq) !== undefined;
  }

  get(seq: Seq): Stored | undefined {
    const found = this.shown[this.place(seq)];
    return found?.seq === seq ? found : undefined;
  }

  message(index: number): Stored | undefined {
    return this.shown[index];
  }

  /** The span that holds a number, and where its messages stand: indexes `from` to before `to`. */
  window(anchor: Seq): { from: number; to: number; span: Span } {
    const span = spanAt(this.known, anchor) ?? { from: anchor + 1, to: anchor };
    return { from: this.place(span.from), to: this.place(span.to + 1), span };
  }

  /** The first index whose message has this number or a later one. */
  place(seq: Seq): number {
    let low = 0;
    let high = this.shown.length;
    if (high > 0 && (this.shown[high - 1] as Stored).seq < seq) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.shown[middle] as Stored).seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** What is unread after a number; null where not all of it is loaded. */
  unreadAfter(seq: Seq): Counts | null {
    if (seq < this.at && !this.knows(Math.max(seq + 1, this.first))) return null;
    if (this.window(seq + 1).span.to < this.at) return null;
    const counted = this.shown
      .slice(this.place(seq + 1))
      .filter(({ kind, author, deleted }) => isCounted(kind, author, deleted, this.me));
    return { unread: counted.length, mentions: counted.filter(({ mentionsMe }) => mentionsMe).length };
  }

  pinned(): Stored[] {
    return this.shown.filter((message) => message.pinned);
  }

  /** One's own send is shown under its nonce before it has a number: its message will keep that key. */
  expect(nonce: string): void {
    if (!this.sends.has(nonce)) this.sends.set(nonce, null);
  }

  /** The number under which an expected send has arrived, else null. */
  landed(nonce: string): Seq | null {
    return this.sends.get(nonce) ?? null;
  }

  private learn(span: Span): void {
    const last = this.known.at(-1);
    if (last && span.from === last.to + 1) this.known[this.known.length - 1] = { ...last, to: span.to };
    else this.known = withSpan(this.known, span);
  }

  private change(change: Entry): void {
    this.changes.push(change);
    if (this.changes.length > KEPT_CHANGES) this.forgottenTo = this.changes.shift()?.seq ?? 0;
    const target = this.get(change.target ?? 0);
    if (target) this.shown[this.place(target.seq)] = this.moved(target, change);
  }

  /** A message after a change; notes it when the change does not tell the new text. */
  private moved(message: Stored, change: Entry): Stored {
    const next = changed(message, change, this.me);
    if (next.deleted) this.stale.delete(next.seq);
    else if (next !== message && change.kind === 'edit' && change.text === undefined)
      this.stale.add(next.seq);
    return next;
  }

  /** Takes a message in, with the changes that came before it; of two versions the later one stays. */
  private put(message: Stored): void {
    const index = this.place(message.seq);
    const here = this.get(message.seq);
    const wasStale = this.stale.delete(message.seq);
    const next = this.changesOf(message).reduce((now, change) => this.moved(now, change), message);
    const hasText = wasStale && !this.stale.has(message.seq);
    if (!here) this.shown.splice(index, 0, this.named(next));
    else if (next.rev > here.rev || (hasText && next.rev === here.rev))
      this.shown[index] = { ...next, key: here.key };
    else if (wasStale) this.stale.add(message.seq);
    else this.stale.delete(message.seq);
  }

  /** The kept changes of a message; those it holds already change nothing. */
  private changesOf(message: Stored): Entry[] {
    const newest = this.changes.at(-1)?.seq ?? 0;
    return newest <= message.seq ? [] : this.changes.filter(({ target }) => target === message.seq);
  }

  private named(message: Stored): Stored {
    const nonce = message.entry.nonce;
    if (!message.mine || nonce === undefined || !this.sends.has(nonce)) return message;
    this.sends.set(nonce, message.seq);
    return { ...message, key: nonce };
  }
}

/** The numbers that an answer leaves no question about. */
function spanOf(question: Question, page: Page): Span {
  const from = page.entries[0]?.seq;
  const to = page.entries.at(-1)?.seq;
  if (question.before !== undefined) {
    const end = Math.min(question.before - 1, page.head);
    return { from: page.more ? (from ?? end + 1) : page.first, to: end };
  }
  if (question.after !== undefined) {
    return { from: question.after + 1, to: page.more ? (to ?? question.after) : page.head };
  }
  return { from: from ?? 1, to: to ?? 0 };
}
