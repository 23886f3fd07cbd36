// What was written and not sent yet, by channel; it survives a reload and goes with signing out.
import type { Store } from './stored';
import type { Id } from './wire';

class Drafts {
  private store: Store | null = null;

  /** Drafts belong to an account; a guest has none. */
  belongTo(store: Store | null): void {
    this.store = store;
  }

  get(channel: Id): string {
    return this.store?.read(`draft:${channel}`) ?? '';
  }

  set(channel: Id, text: string): void {
    this.store?.write(`draft:${channel}`, text.trim() === '' ? null : text);
  }
}

export const drafts = new Drafts();
