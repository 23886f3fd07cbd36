// One channel as a page shows it. It asks for history as the reader moves, and tells the hub what the reader does;
// what it shows lies in its log and its view, which are plain values: `version` says to Svelte that they changed.
import type { Channel, Person, Right } from './api';
import { Log, type Question } from './log';
import { isChange, type Message } from './message';
import type { Deed, Job } from './outbox';
import type { Row } from './rows';
import { Typing } from './typing.svelte';
import { LiveError } from './socket';
import { isOfThoseCounted, type Counts } from './unread';
import type { Entry, Fault, Id, Page, Self, Seq } from './wire';
import { View } from './view';

/** What a room needs of the connection. */
export interface RoomHost {
  me(): Self | null;
  history(channel: Id, question: Question & { limit?: number }): Promise<Page>;
  jobs(channel: Id): Job[];
  act(channel: Id, deed: Deed): void;
  retry(key: string): void;
  discard(key: string): Job | null;
  typing(channel: Id): void;
  read(channel: Id, seq: Seq): void;
  /** Where a member stands; null for visitors. */
  standing(channel: Id): { readSeq: Seq; unread: number } | null;
  person(id: Id): Person | undefined;
}

const MANY_UNREAD = 30; // with more than this a reader begins where they left off, else at the newest
const AGAIN = 3; // so often a page that came too late is asked for again

export class Room {
  channel = $state.raw() as Channel;
  state: 'loading' | 'ready' | 'locked' | 'revoked' = $state('loading');
  /** Why the room could not be read; `load()` tries again. */
  fault: Fault | null = $state.raw(null);
  /** How many came while the reader was not attentive, and are still there. */
  newBelow = $state(0);
  private below = new Set<Seq>();
  /** How many are here, from 5 up. */
  audience: number | null = $state(null);
  /** Rises when somebody joins, leaves or changes role: member lists read again. */
  rosterVersion = $state(0);

  private log: Log;
  private view: View;
  private version = $state(0);
  private isDue = false;
  private attentive = false;
  private readonly me: Self | null;
  private readonly typists = new Typing();
  private readonly writers = new Set<Id>();
  private readonly sought = new Set<Seq>();
  private readonly refreshed = new Set<string>();
  private readonly asking = new Map<string, Promise<void>>();

  constructor(
    private readonly host: RoomHost,
    channel: Channel,
    at: Seq,
  ) {
    this.channel = channel;
    this.me = host.me();
    this.log = new Log(this.me, at, channel.first);
    this.view = new View(this.log, this.myId);
    this.view.setJobs(host.jobs(channel.id));
  }

  private get myId(): Id | null {
    return this.me?.id ?? null;
  }

  get id(): Id {
    return this.channel.id;
  }

  can(right: Right): boolean {
    return this.channel.can.includes(right);
  }

  // ------------------------------------------------------------ what is shown

  get length(): number {
    return this.seen().length;
  }

  row(index: number): Row | undefined {
    return this.seen().row(index);
  }

  /** All rows that are loaded; a long list asks for `row(index)` instead. */
  get rows(): Row[] {
    const view = this.seen();
    return Array.from({ length: view.length }, (_, index) => view.row(index) as Row);
  }

  get atStart(): boolean {
    return this.seen().atStart;
  }

  get atEnd(): boolean {
    return this.seen().atEnd;
  }

  get newSince(): Seq | null {
    return this.seen().newSince;
  }

  /** The index of a message's row, -1 when it is not in the window. */
  index(seq: Seq): number {
    return this.seen().index(seq);
  }

  /** A message that another one answers or that is pinned; when it is not here it comes later. */
  find(seq: Seq): Message | undefined {
    const message = this.seen().message(seq);
    if (!message && seq >= this.log.first && !this.sought.has(seq)) {
      this.sought.add(seq);
      queueMicrotask(() => void this.fetchOne(seq));
    }
    return message;
  }

  /** The pinned ones among what is loaded, oldest first. */
  get pins(): Message[] {
    this.seen();
    return this.log.pinned();
  }

  get typing(): Person[] {
    return this.typists.people.flatMap((id) => this.host.person(id) ?? []);
  }

  private seen(): View {
    void this.version;
    return this.view;
  }

  // ------------------------------------------------------------ moving

  /** The first page: the newest, or where the reader left off when much has come since. */
  async load(): Promise<void> {
    const { log } = this;
    const standing = this.host.standing(this.id);
    if (standing && standing.unread > 0) this.view.newSince = standing.readSeq;
    this.fault = null;
    try {
      if (standing && standing.unread > MANY_UNREAD) await this.loadAround(standing.readSeq + 1);
      else await this.toEnd();
      if (log === this.log) this.state = 'ready';
    } catch (error) {
      if (!(error instanceof LiveError)) throw error;
      this.fault = error;
    }
  }

  async loadOlder(): Promise<void> {
    if (!this.view.atStart) await this.ask({ before: this.view.span.from });
  }

  async loadNewer(): Promise<void> {
    if (!this.view.atEnd) await this.ask({ after: this.view.span.to });
  }

  /** Shows the window around a number. */
  async loadAround(seq: Seq): Promise<void> {
    if (!this.log.knows(seq)) await this.ask({ around: seq });
    if (!this.log.knows(seq)) return this.toEnd();
    this.view.moveTo(seq);
    this.changed();
  }

  /** Shows the newest. */
  async toEnd(): Promise<void> {
    this.view.moveTo(null);
    const { from, to, span } = this.log.window(this.log.at);
    if (from === to && span.from > this.log.first) await this.ask({ before: this.log.at + 1 });
    this.changed();
  }

  /** One question at a time for each place; a second call joins the first. */
  private ask(question: Question): Promise<void> {
    const name = JSON.stringify(question);
    const running = this.asking.get(name) ?? this.fetch(question).finally(() => this.asking.delete(name));
    this.asking.set(name, running);
    return running;
  }

  private async fetch(question: Question): Promise<void> {
    const { log } = this;
    for (let tries = 0; tries < AGAIN; tries++) {
      const page = await this.host.history(this.id, question);
      if (log !== this.log || log.page(question, page) === 'merged') break;
    }
    this.changed();
  }

  /** One message by its number; nothing comes when it is gone. */
  private async fetchOne(seq: Seq): Promise<void> {
    const { log } = this;
    const page = await this.host.history(this.id, { around: seq, limit: 1 }).catch(() => null);
    if (page && log === this.log) log.pieces(page);
    this.changed();
  }

  // ------------------------------------------------------------ what the reader does

  send(text: string, replyTo: Seq | null = null): void {
    this.leaveNewSince();
    this.host.act(this.id, { do: 'send', text, ...(replyTo === null ? {} : { reply_to: replyTo }) });
    if (!this.view.atEnd) void this.toEnd();
  }

  /** A former edit of the same message that failed is given up for this one. */
  edit(seq: Seq, text: string): void {
    for (const { key, deed, state } of this.host.jobs(this.id)) {
      if (deed.do === 'edit' && deed.seq === seq && state === 'failed') this.host.discard(key);
    }
    this.host.act(this.id, { do: 'edit', seq, text });
  }

  remove(seq: Seq): void {
    this.host.act(this.id, { do: 'delete', seq });
  }

  react(seq: Seq, emoji: string, on: boolean): void {
    this.host.act(this.id, { do: 'react', seq, emoji, on });
  }

  pin(seq: Seq, on: boolean): void {
    this.host.act(this.id, { do: 'pin', seq, on });
  }

  /** Messages that were written here and are not sent, oldest first. */
  get unsent(): string[] {
    this.seen();
    return this.host.jobs(this.id).flatMap(({ deed }) => (deed.do === 'send' ? [deed.text] : []));
  }

  /** Sends a failed message or edit again; `key` is its row's. */
  retry(key: string): void {
    const job = this.failed(key);
    if (job) this.host.retry(job.key);
  }

  /** Gives a failed message or edit up, and gives its text back. */
  discard(key: string): string {
    const job = this.failed(key);
    if (!job) return '';
    this.host.discard(job.key);
    return 'text' in job.deed ? job.deed.text : '';
  }

  private failed(key: string): Job | undefined {
    const isIt = ({ key: own, deed }: Job) =>
      own === key || ('seq' in deed && this.log.get(deed.seq)?.key === key);
    return this.host.jobs(this.id).find((job) => job.state === 'failed' && isIt(job));
  }

  /** To be called on input; others are told now and then. */
  typed(): void {
    if (this.can('typing') && this.typists.mayTell(Date.now())) this.host.typing(this.id);
  }

  /** Whether the reader sees the newest: at the end of the list, in a page that is looked at. Then it is read. */
  attend(attentive: boolean): void {
    this.attentive = attentive;
    if (!attentive) return;
    this.forgetBelow();
    if (this.state === 'ready') this.markRead();
  }

  markRead(seq: Seq = this.log.at): void {
    this.host.read(this.id, seq);
  }

  /** What is unread after a number, as far as the log knows. */
  rest(seq: Seq): { at: Seq; rest: Counts | null } {
    return { at: this.log.at, rest: this.state === 'ready' ? this.log.unreadAfter(seq) : null };
  }

  /** The reader wrote or went: the "new since" line goes. */
  leaveNewSince(): void {
    this.view.newSince = null;
    this.changed();
  }

  // ------------------------------------------------------------ what comes

  entered(entry: Entry): void {
    // The connection hands out numbers without gaps; if one is missing all the same, reading again is right.
    if (this.log.apply(entry) === 'gap') return this.restart(entry.seq, this.log.first);
    if (entry.author !== null) this.typists.end(entry.author);
    if (entry.kind === 'message' && entry.author !== null) this.heardFrom(entry.author);
    if (entry.kind === 'delete') this.takenBack(entry.target);
    if (!isChange(entry) && entry.author !== this.myId) this.arrived(entry);
    this.changed();
  }

  /** In a group that all may join, writing makes somebody seen in its list of members. */
  private heardFrom(author: Id): void {
    const { visibility } = this.channel;
    if ((visibility !== 'open' && visibility !== 'public') || this.writers.has(author)) return;
    this.writers.add(author);
    this.rosterVersion += 1;
  }

  private arrived(entry: Entry): void {
    if (this.attentive) return this.markRead();
    if (!isOfThoseCounted(entry.kind)) return;
    this.below.add(entry.seq);
    this.newBelow = this.below.size;
    const standing = this.host.standing(this.id);
    if (standing && standing.unread > 0) this.view.newSince ??= Math.min(standing.readSeq, entry.seq - 1);
  }

  private takenBack(seq: Seq | undefined): void {
    if (seq !== undefined && this.below.delete(seq)) this.newBelow = this.below.size;
  }

  private forgetBelow(): void {
    this.below.clear();
    this.newBelow = 0;
  }

  heardTyping(person: Id): void {
    if (person !== this.myId) this.typists.begin(person);
  }

  /** Live entries follow `head` now and what was here is void: read again. */
  restart(head: Seq, first: Seq): void {
    this.log = new Log(this.me, head, first);
    this.view = new View(this.log, this.myId);
    this.state = 'loading';
    this.jobsChanged();
    this.sought.clear();
    void this.load();
  }

  /** The oldest number that may be had has risen. */
  raiseFirst(first: Seq): void {
    this.log.raiseFirst(first);
    this.changed();
  }

  /** It may be read no more: nothing of it stays. */
  lock(state: 'locked' | 'revoked'): void {
    this.log = new Log(this.me, 0, 1);
    this.view = new View(this.log, this.myId);
    this.typists.clear();
    this.audience = null;
    this.state = state;
    this.changed();
  }

  heardAudience(count: number): void {
    this.audience = count;
  }

  jobsChanged(): void {
    this.view.setJobs(this.host.jobs(this.id));
    this.version += 1;
  }

  /** Back on the page of a room that stayed ready: the line stands where it was read to. */
  reopen(): void {
    const standing = this.host.standing(this.id);
    this.view.newSince = standing && standing.unread > 0 ? standing.readSeq : null;
    this.view.moveTo(null);
    this.forgetBelow();
    this.changed();
  }

  left(): void {
    this.attentive = false;
    this.typists.clear();
    this.leaveNewSince();
  }

  /** Asks for the text of an edit that did not tell it; one question for each change. */
  private refresh(seq: Seq): void {
    const change = `${seq}:${this.log.get(seq)?.rev}`;
    if (this.refreshed.has(change)) return;
    this.refreshed.add(change);
    void this.fetchOne(seq);
  }

  /** Draws once a frame, however many entries came; a page that nobody sees draws later. */
  private changed(): void {
    for (const seq of this.log.stale) this.refresh(seq);
    if (this.isDue) return;
    this.isDue = true;
    const draw = () => {
      this.isDue = false;
      this.version += 1;
    };
    if (document.hidden) setTimeout(draw, 200);
    else requestAnimationFrame(draw);
  }
}
