// What became of my wish to be in a group: let in, declined, removed, banned. My inbox tells it; the newest word on each
// group stands until I have read it, as far as it still holds. Also why a room that was open is shut, and who invited me.
import { SvelteMap } from 'svelte/reactivity';
import type { Channel } from './api';
import type { Entry, Id, Seq } from './wire';

/** Why I may not read or write a room any more; `closed` where the hub does not say. */
export type Ending = 'left' | 'removed' | 'banned' | 'deleted' | 'closed';

export interface Told {
  seq: Seq;
  at: number;
  group: Id;
  what: 'approved' | 'declined' | 'removed' | 'banned';
  /** The group's name, which I may not be able to read any more. */
  title: string | null;
  slug: string | null;
  /** What those who decided said with it. */
  word: string | null;
}

export interface NewsDesk {
  /** How I stand to a group; null while the list has not been read. */
  membership(group: Id): Channel['membership'] | null;
  /** My inbox was read up to here. */
  read(seq: Seq): void;
}

const ENDINGS = new Set(['left', 'removed', 'banned', 'deleted']);

export class News {
  /** What came just now, to be shown once; set it null when it was. */
  fresh: Told | null = $state.raw(null);
  private readSeq = $state(0);
  private readonly told = new SvelteMap<Id, Told>();
  private readonly endings = new SvelteMap<Id, Ending>();
  private readonly inviters = new SvelteMap<Id, Id>();

  constructor(
    private readonly me: Id | null,
    private readonly desk: NewsDesk,
  ) {}

  /** What was not read yet and still holds, newest first. */
  get unread(): Told[] {
    return this.unseen.filter(
      ({ group, what }) => this.desk.membership(group) === (what === 'approved' ? 'member' : 'none'),
    );
  }

  /** All of it was read. */
  read(): void {
    const seq = this.unseen[0]?.seq;
    if (seq === undefined) return;
    this.readTo(seq);
    this.desk.read(seq);
  }

  /** The inbox was read up to here, on this device or another one. */
  readTo(seq: Seq): void {
    this.readSeq = Math.max(this.readSeq, seq);
  }

  /** Why a group that I was in is shut, or is only read; null where nothing ended. */
  ending(group: Id): Ending | null {
    const heard = this.endings.get(group);
    if (heard || this.desk.membership(group) !== 'none') return heard ?? null;
    const what = this.told.get(group)?.what;
    return what === 'removed' || what === 'banned' ? what : null;
  }

  /** What was told of a group that can not be found any more, by its id or its slug. */
  farewell(name: Id | string): Told | null {
    const told =
      typeof name === 'number' ? this.told.get(name) : this.unseen.find(({ slug }) => slug === name);
    return told && (told.what === 'removed' || told.what === 'banned') ? told : null;
  }

  /** Who invited me to a channel, as far as it is remembered. */
  inviter(channel: Id): Id | null {
    return this.inviters.get(channel) ?? null;
  }

  /** A notice of my inbox, in whatever order they come. */
  hear(notice: Entry): void {
    const group = typeof notice.about === 'object' ? notice.about.channel : null;
    if (group === null) return;
    if (notice.reason === 'invitation' && notice.author !== null) this.inviters.set(group, notice.author);
    const what = this.what(notice);
    if (!what || notice.seq <= (this.told.get(group)?.seq ?? 0)) return;
    const { seq, at, title = null, slug, word } = notice;
    this.told.set(group, { seq, at, group, what, title, slug: text(slug), word: text(word) });
  }

  /** The same, as it comes. */
  arrived(notice: Entry): void {
    this.hear(notice);
    const told = typeof notice.about === 'object' ? this.told.get(notice.about.channel) : undefined;
    if (told?.seq === notice.seq) this.fresh = told;
  }

  /** Delivery of a room ended. */
  ended(group: Id, reason: string): void {
    if (ENDINGS.has(reason)) this.endings.set(group, reason as Ending);
  }

  /** I am in it again. */
  began(group: Id): void {
    this.endings.delete(group);
  }

  /** Another history has replaced the former one. */
  forget(): void {
    for (const each of [this.told, this.endings, this.inviters]) each.clear();
    this.readSeq = 0;
  }

  private get unseen(): Told[] {
    return [...this.told.values()].filter(({ seq }) => seq > this.readSeq).sort((a, b) => b.seq - a.seq);
  }

  /** Moderators get notices of others' removals, too. */
  private what({ reason, person, change }: Entry): Told['what'] | null {
    if (reason === 'approved' || reason === 'declined') return reason;
    if (reason !== 'removed' || person !== this.me) return null;
    return change === 'banned' ? 'banned' : 'removed';
  }
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
