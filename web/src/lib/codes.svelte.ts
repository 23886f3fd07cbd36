// Recovery codes that the hub has just made. It shows them once, so this tab keeps them, over a reload and whatever page
// is looked at, until their owner says that they are kept elsewhere. They go with the tab.
import type { Me } from './api';
import type { Id } from './wire';

const KEY = 'hubchat:codes';

export interface NewCodes {
  account: Id;
  handle: string;
  hub: string;
  at_ms: number;
  codes: readonly string[];
}

class Codes {
  private held: NewCodes | null = $state.raw(read());

  /** Those of this member that are not kept elsewhere yet. */
  of(me: Me | null): NewCodes | null {
    return this.held && this.held.account === me?.id ? this.held : null;
  }

  hold(me: Me, hub: string, codes: readonly string[]): void {
    this.held = { account: me.id, handle: me.handle, hub, at_ms: Date.now(), codes };
    write(JSON.stringify(this.held));
  }

  /** Somebody else is here now. */
  dropOthers(me: Me): void {
    if (this.held && this.held.account !== me.id) this.drop();
  }

  drop(): void {
    this.held = null;
    write(null);
  }
}

export const codes = new Codes();

/** A file of them that says what it is for, years later too. */
export function fileOf(
  { handle, hub, at_ms, codes }: NewCodes,
  words: { title: string; hint: string },
  address: string,
): { name: string; text: string } {
  const day = dayOf(at_ms);
  const name = ['recovery-codes', safe(hub), handle, day].filter(Boolean).join('-');
  const head = [words.title, '', `${hub}  ${address}`, `@${handle}`, day, '', words.hint, ''];
  return { name: `${name}.txt`, text: [...head, ...codes, ''].join('\n') };
}

/** 2027-05-03, in the reader's own zone. */
function dayOf(at_ms: number): string {
  const at = new Date(at_ms);
  const two = (part: number) => String(part).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** What every file system takes as part of a name, in any script. */
function safe(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, '-')
    .replace(/^-+|-+$/g, '');
}

function read(): NewCodes | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as NewCodes | null;
  } catch {
    return null; // storage is not allowed here
  }
}

function write(text: string | null): void {
  try {
    if (text === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, text);
  } catch {
    // Not allowed, or full: they are kept for as long as the page lives.
  }
}
