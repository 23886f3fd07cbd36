// Who is writing in a room just now. A signal holds for a few seconds, or until that person's message is there.
import { SvelteSet } from 'svelte/reactivity';
import type { Id } from './wire';

const HOLDS_MS = 6_000; // the hub repeats it at most every 3 s
// A little more than those 3 s: of two that reach the hub closer together than they were said, it drops the second, and
// others would see nobody write until the third.
const SAID_MS = 3_500;

export class Typing {
  private readonly now = new SvelteSet<Id>();
  private readonly timers = new Map<Id, ReturnType<typeof setTimeout>>();
  private saidAt = -Infinity;

  get people(): Id[] {
    return [...this.now];
  }

  begin(person: Id): void {
    clearTimeout(this.timers.get(person));
    this.now.add(person);
    this.timers.set(
      person,
      setTimeout(() => this.end(person), HOLDS_MS),
    );
  }

  end(person: Id): void {
    clearTimeout(this.timers.get(person));
    this.timers.delete(person);
    this.now.delete(person);
  }

  clear(): void {
    for (const person of this.people) this.end(person);
  }

  /** Whether to tell others that one is writing: somewhat less often than the hub passes it on. */
  mayTell(now_ms: number): boolean {
    if (now_ms - this.saidAt < SAID_MS) return false;
    this.saidAt = now_ms;
    return true;
  }
}
