// Completing a @handle while it is typed. Pure.
import type { Person } from '$lib/api';

/** The @ and what was typed after it. */
export interface Token {
  /** Where the @ stands. */
  start: number;
  /** Where the caret stands. */
  end: number;
  query: string;
}

const TYPED = /(?:^|[\s([{"'«„“])@([\p{L}\p{N}-]{0,30})$/u;

/** The mention that the caret stands in, if any. A selection is none. */
export function mentionAt(text: string, start: number, end: number): Token | null {
  if (start !== end) return null;
  const query = TYPED.exec(text.slice(0, start))?.[1];
  return query === undefined ? null : { start: start - query.length - 1, end: start, query };
}

/** The text with the handle put in, and where the caret goes. */
export function completed(text: string, token: Token, handle: string): { text: string; caret: number } {
  const rest = text.slice(token.end);
  const word = `@${handle}${/^\s/.test(rest) ? '' : ' '}`;
  const before = text.slice(0, token.start) + word;
  return { text: before + rest, caret: before.length + (word.endsWith(' ') ? 0 : 1) };
}

/** People whose handle or any part of whose name begins with what was typed; handles first. */
export function matching(people: readonly Person[], query: string, most: number): Person[] {
  const typed = query.toLocaleLowerCase();
  const byHandle = people.filter((person) => person.handle.startsWith(typed));
  const byName = people.filter(
    (person) =>
      !byHandle.includes(person) &&
      person.name
        .toLocaleLowerCase()
        .split(/\s+/)
        .some((part) => part.startsWith(typed)),
  );
  return [...byHandle, ...byName].slice(0, most);
}
