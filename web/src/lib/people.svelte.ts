// Who is who, and who is here: a cache of people by id that fills itself, and the presence of those a page shows.
import { SvelteMap } from 'svelte/reactivity';
import type { Person } from './api';
import type { Id, Presence } from './wire';

const AT_ONCE = 100; // ids in one question, docs/protocol.md
const WATCHED = 500; // people whose presence one connection follows, docs/protocol.md
const GATHER_MS = 30; // rows that are drawn together ask together
const WATCH_GATHER_MS = 300; // a list that is scrolled names others many times a second

/** How the hub is asked; both reject when it can't be reached. */
export interface PeopleSource {
  people(ids: Id[]): Promise<Person[]>;
  watch(ids: Id[]): Promise<Id[]>;
}

export class People {
  private readonly known = new SvelteMap<Id, Person>();
  private readonly here = new SvelteMap<Id, Presence>();
  private readonly asked = new Set<Id>();
  private wanted: Id[] = [];
  private watched = new Set<Id>();
  private watchTimer: ReturnType<typeof setTimeout> | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly source: PeopleSource) {}

  /** A person, reactive; somebody unknown is asked for and comes later. */
  get(id: Id): Person | undefined {
    const person = this.known.get(id);
    if (!person && !this.asked.has(id)) this.want(id);
    return person;
  }

  learn(people: readonly Person[]): void {
    for (const person of people) this.known.set(person.id, person);
  }

  presence(id: Id): Presence {
    return this.here.get(id) ?? 'offline';
  }

  /** Whose presence is shown now; replaces the last list. */
  watch(ids: readonly Id[]): void {
    const next = [...new Set(ids)].slice(0, WATCHED);
    if (next.length === this.watched.size && next.every((id) => this.watched.has(id))) return;
    this.watched = new Set(next);
    this.watchTimer ??= setTimeout(() => void this.watchAgain(), WATCH_GATHER_MS);
  }

  /** A new connection knows nothing of what was watched before, and may know people that the last one did not. */
  async watchAgain(): Promise<void> {
    clearTimeout(this.watchTimer);
    this.watchTimer = undefined;
    for (const id of this.asked) if (!this.known.has(id)) this.asked.delete(id);
    const ids = [...this.watched];
    const online = ids.length ? await this.source.watch(ids).catch(() => null) : [];
    if (!online) return;
    const before = new Map(this.here);
    this.here.clear();
    for (const id of online) this.here.set(id, before.get(id) === 'away' ? 'away' : 'online');
  }

  changed(people: Record<string, Presence>): void {
    for (const [id, presence] of Object.entries(people)) {
      if (presence === 'offline') this.here.delete(Number(id));
      else this.here.set(Number(id), presence);
    }
  }

  private want(id: Id): void {
    this.asked.add(id);
    this.wanted.push(id);
    this.timer ??= setTimeout(() => void this.fetch(), GATHER_MS);
  }

  private async fetch(): Promise<void> {
    this.timer = undefined;
    const wanted = this.wanted.splice(0);
    for (let from = 0; from < wanted.length; from += AT_ONCE) {
      const ids = wanted.slice(from, from + AT_ONCE);
      try {
        this.learn(await this.source.people(ids));
      } catch {
        // Asked again when they are drawn again after the next connection.
        for (const id of ids) this.asked.delete(id);
      }
    }
  }
}
