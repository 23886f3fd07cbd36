// Whom a text names, by the hub's own rule (hubchat/channels/addressed.py). In groups that show not all of their
// members an entry does not tell all whom it names, lest naming somebody show that they are there: who is named
// finds it in the text.
import type { Entry, Self } from './wire';

// A word in Python's sense is letters, numbers and _; and what it takes for a to z in either case has four more signs.
// The sign before is matched too: not all browsers can look behind.
const SIGN = 'A-Za-z0-9\u0130\u0131\u017f\u212a';
const WORD = '\\p{L}\\p{N}_@';
const MENTION = new RegExp(`(?:^|[^${WORD}/.])@([${SIGN}][${SIGN}-]{1,30})(?![${WORD}])`, 'gu');
const MENTIONS = 50; // a message names at most so many; further ones are plain text

/** The handles a text names, once each, in order: `@ana` at a word's start, whatever Markdown makes of it. */
export function handles(text: string): string[] {
  if (!text.includes('@')) return [];
  const found = [...text.matchAll(MENTION)].map(([, handle = '']) => handle.toLowerCase());
  return [...new Set(found)].slice(0, MENTIONS);
}

/** Whether an entry names `me`: it says so, or its text does. */
export function names(entry: Pick<Entry, 'text' | 'mentions'>, me: Self | null): boolean {
  if (me === null) return false;
  return (entry.mentions?.includes(me.id) ?? false) || handles(entry.text ?? '').includes(me.handle);
}
