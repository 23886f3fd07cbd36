// Carries the outbox to the hub: sends what is due while there is a connection, waits where the hub says so, keeps
// everything in the browser until it is confirmed.
import { Keeper } from './keeper';
import { Outbox, commandOf, type Deed, type Job } from './outbox';
import { LiveError } from './socket';
import type { Store } from './stored';
import type { Command, Fault, Id, Ok, Seq } from './wire';

export interface PostOffice {
  /** Rejects with a fault, `offline` when the connection is lost before an answer. */
  ask(command: Command): Promise<Ok>;
  /** The jobs of a channel are others now. */
  changed(channel: Id): void;
  /** The last number of a channel that has come; null when its entries do not come here. */
  at(channel: Id): Seq | null;
  /** Something that holds no words was refused for good. */
  mishap(job: Job, fault: Fault): void;
}

export class Post {
  private readonly outbox = new Outbox(Math.random);
  private readonly keeper: Keeper;
  private isOpen = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    store: Store,
    private readonly office: PostOffice,
  ) {
    this.keeper = new Keeper(store, this.outbox);
  }

  /** Takes over what earlier pages left. */
  async start(): Promise<void> {
    await this.keeper.start();
    for (const channel of new Set(this.outbox.all.map((job) => job.channel))) this.office.changed(channel);
    this.pump();
  }

  stop(): void {
    this.isOpen = false;
    clearTimeout(this.timer);
    this.keeper.stop();
  }

  /** There is a connection now, or none. */
  opened(isOpen: boolean): void {
    this.isOpen = isOpen;
    this.pump();
  }

  jobs(channel: Id): Job[] {
    return this.outbox.of(channel);
  }

  act(channel: Id, deed: Deed): void {
    this.outbox.add(newNonce(), channel, deed, Date.now());
    this.after(channel);
  }

  retry(key: string): void {
    const channel = this.outbox.all.find((job) => job.key === key)?.channel;
    this.outbox.retry(key, Date.now());
    if (channel !== undefined) this.after(channel);
  }

  discard(key: string): Job | null {
    const job = this.outbox.discard(key);
    if (job) this.after(job.channel);
    return job;
  }

  /** Entries up to `at` of a channel have come: what they confirm is over. */
  shown(channel: Id, at: Seq): void {
    if (this.outbox.shown(channel, at)) this.after(channel);
  }

  private after(channel: Id): void {
    this.keeper.save();
    this.office.changed(channel);
    this.pump();
  }

  private pump(): void {
    clearTimeout(this.timer);
    if (!this.isOpen) return;
    for (const job of this.outbox.due(Date.now())) void this.carry(job);
    const wait_ms = this.outbox.wakeAt() - Date.now();
    if (wait_ms !== Infinity) this.timer = setTimeout(() => this.pump(), Math.max(0, wait_ms));
  }

  private async carry(job: Job): Promise<void> {
    const { key, channel } = job;
    this.outbox.flies(key);
    try {
      this.outbox.confirmed(key, await this.office.ask(commandOf(job)));
      this.outbox.shown(channel, this.office.at(channel) ?? Infinity);
    } catch (error) {
      if (!(error instanceof LiveError)) throw error;
      this.failed(key, error);
    }
    this.after(channel);
  }

  private failed(key: string, fault: Fault): void {
    if (fault.code === 'offline') return this.outbox.lost(key);
    const refused = this.outbox.refused(key, fault, Date.now());
    if (refused) this.office.mishap(refused, fault);
  }
}

/** Names a message for good, whoever asks how often. randomUUID is not there on plain http. */
function newNonce(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
}
