// What the browser keeps for one account: drafts and the outbox, nothing else. Signing out wipes all of it. Where
// the browser refuses to store, it is kept for as long as the page lives.
import type { Id } from './wire';

const PREFIX = 'hubchat:';

export class Store {
  private readonly memory = new Map<string, string>();

  constructor(readonly account: Id) {}

  read(name: string): string | null {
    try {
      return localStorage.getItem(this.key(name)) ?? this.memory.get(name) ?? null;
    } catch {
      return this.memory.get(name) ?? null;
    }
  }

  /** null takes it away. */
  write(name: string, value: string | null): void {
    this.memory.delete(name);
    try {
      if (value === null) localStorage.removeItem(this.key(name));
      else localStorage.setItem(this.key(name), value);
    } catch {
      // Full, or storage is not allowed here.
      if (value !== null) this.memory.set(name, value);
    }
  }

  /** All names that begin so, those of other pages of this account too. */
  names(start: string): string[] {
    return keysFrom(this.key(start)).map((key) => key.slice(this.key('').length));
  }

  /** Takes away what other accounts have left here: a browser keeps the words of one person at a time. */
  wipeOthers(): void {
    for (const key of keysFrom(PREFIX)) if (!key.startsWith(this.key(''))) localStorage.removeItem(key);
  }

  wipe(): void {
    this.memory.clear();
    for (const name of this.names('')) this.write(name, null);
  }

  private key(name: string): string {
    return `${PREFIX}${this.account}:${name}`;
  }
}

function keysFrom(start: string): string[] {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(start));
  } catch {
    return [];
  }
}
