// Names inside sentences. A name may be written from right to left, so it is set apart by Unicode's isolates,
// which do for plain text what <bdi> does for markup.
const FIRST_STRONG_ISOLATE = '\u2068';
const POP_ISOLATE = '\u2069';

/** A member's words, safe to stand inside a sentence. */
export function isolate(name: string): string {
  return FIRST_STRONG_ISOLATE + name + POP_ISOLATE;
}

const lists = new Intl.ListFormat('en', { type: 'conjunction' });

/** "Ana, Ben and Chiara", each set apart. */
export function listed(names: readonly string[]): string {
  return lists.format(names.map(isolate));
}
