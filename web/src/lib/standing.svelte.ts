// One of my channels in the list: what it is, how much of it is unread, when something happened last.
import type { Channel } from './api';
import { Tally, type Counts } from './unread';
import type { Entry, Id, Self, Seq } from './wire';

export class Standing {
  channel = $state.raw() as Channel;
  unread = $state(0);
  mentions = $state(0);
  /** ms since 1970; null where nothing was ever said. */
  lastAt: number | null = $state(null);
  private readonly tally: Tally;

  constructor(
    channel: Channel,
    private readonly me: Self | null,
  ) {
    this.tally = new Tally(me, channel);
    this.learn(channel);
  }

  get id(): Id {
    return this.channel.id;
  }
  get kind(): string {
    return this.channel.kind;
  }
  get slug(): string | null {
    return this.channel.slug ?? null;
  }
  get readSeq(): Seq {
    return this.tally.readSeq;
  }

  /** What it is called: its title, else the other people in it. */
  get title(): string {
    const others = this.channel.people?.filter(({ id }) => id !== this.me?.id) ?? [];
    return this.channel.title || others.map(({ name }) => name).join(', ');
  }

  /** The hub's own words on it, which hold up to its head. */
  learn(channel: Channel): void {
    this.channel = channel;
    this.tally.correct(channel);
    const at = channel.last_at ? Date.parse(channel.last_at) : null;
    this.lastAt = Math.max(at ?? 0, this.lastAt ?? 0) || null;
    this.show();
  }

  /** A live entry. Whether it counts as unread. */
  entered(entry: Entry): boolean {
    const counts = this.tally.add(entry);
    if (entry.kind === 'message' || counts) this.lastAt = Math.max(entry.at, this.lastAt ?? 0);
    this.show();
    return counts;
  }

  /** Live entries follow `head` now, and what was counted is void: the hub is to be asked. */
  restart(head: Seq): void {
    this.tally.restart(head);
  }

  /** `rest` is what is unread after `seq` up to `at`, where that is known. */
  read(seq: Seq, at: Seq, rest: Counts | null): void {
    this.tally.read(seq, at, rest);
    this.show();
  }

  /** The hub must be asked for its count. */
  get isUnsure(): boolean {
    return this.tally.unsure;
  }

  private show(): void {
    this.unread = this.tally.unread;
    this.mentions = this.tally.mentions;
  }
}
