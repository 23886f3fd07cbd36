// A channel as the hub keeps it, for tests: written from the protocol alone. It stores entries, changes them, and
// answers history, replays and live entries with the state of the moment in which they are encoded.
import type { Entry, Id, Page, Seq } from '../wire';
import { isChange } from '../message';
import type { Question } from '../log';

export class TestChannel {
  private static clock = 1_700_000_000_000;
  readonly entries: Entry[] = [];
  first = 1;
  /** Newcomers see only what came since they joined: edits never carry a text. */
  sinceJoining = false;

  constructor(readonly id: Id = 7) {}

  get head(): Seq {
    return this.entries.length;
  }

  send(author: Id, text: string, more: Partial<Entry> = {}): Entry {
    return this.append({ kind: 'message', author, text, ...more });
  }

  edit(author: Id, target: Seq, text: string): Entry {
    const change = this.append({ kind: 'edit', author, target });
    this.set(target, { text, edited_at: change.at, rev: change.seq });
    return change;
  }

  delete(author: Id, target: Seq): Entry {
    const change = this.append({ kind: 'delete', author, target });
    const { channel, seq, kind, author: by, at } = this.at(target);
    this.entries[target - 1] = { channel, seq, kind, author: by, at, deleted: true, rev: change.seq };
    return change;
  }

  pin(author: Id, target: Seq, on: boolean): Entry {
    const change = this.append({ kind: 'pin', author, target, on });
    this.set(target, { rev: change.seq, ...(on ? { pinned: true as const } : {}) });
    if (!on) delete this.at(target).pinned;
    return change;
  }

  react(author: Id, target: Seq, emoji: string, on: boolean): Entry | null {
    const all = { ...this.at(target).reactions };
    const { count, people } = all[emoji] ?? { count: 0, people: [] };
    if (people.includes(author) === on) return null;
    const change = this.append({ kind: 'reaction', author, target, emoji, on });
    const after = on ? [...people, author] : people.filter((one) => one !== author);
    all[emoji] = { count: count + (on ? 1 : -1), people: after };
    const left = Object.fromEntries(Object.entries(all).filter(([, { people: some }]) => some.length > 0));
    this.set(target, { reactions: left, rev: change.seq });
    return change;
  }

  append(fields: Partial<Entry> & { kind: string }): Entry {
    const seq = this.head + 1;
    TestChannel.clock += 1000;
    const entry = {
      channel: this.id,
      seq,
      at: TestChannel.clock,
      author: 1,
      ...fields,
    } as Entry;
    this.entries.push(entry);
    return entry;
  }

  at(seq: Seq): Entry {
    const entry = this.entries[seq - 1];
    if (!entry) throw new Error(`no entry ${seq}`);
    return entry;
  }

  /** The entry as it goes out now. */
  encoded(seq: Seq): Entry {
    const entry = this.at(seq);
    if (entry.kind !== 'edit' || this.sinceJoining) return structuredClone(entry);
    const { text } = this.at(entry.target ?? 0);
    return structuredClone(text === undefined ? entry : { ...entry, text });
  }

  history({ before, after, around }: Question, limit = 50): Page {
    const shown = this.entries.filter((entry) => entry.seq >= this.first && !isChange(entry));
    const older = shown.filter(({ seq }) => seq < (before ?? around ?? 0));
    const newer = shown.filter(({ seq }) => seq > (after ?? (around ?? 0) - 1));
    const half = Math.floor(limit / 2);
    const entries =
      around !== undefined
        ? [...older.slice(older.length - Math.min(half, older.length)), ...newer.slice(0, limit - half)]
        : before !== undefined
          ? older.slice(-limit)
          : newer.slice(0, limit);
    const more =
      before !== undefined ? older.length > limit : after !== undefined ? newer.length > limit : true;
    return { entries: structuredClone(entries), head: this.head, first: this.first, more };
  }

  private set(seq: Seq, fields: Partial<Entry>): void {
    this.entries[seq - 1] = { ...this.at(seq), ...fields };
  }
}
