// Names inside sentences. A name may be written from right to left, so it is set apart by Unicode's isolates,
// which do for plain text what <bdi> does for markup.
import { inLanguage } from '$lib/intl';

const FIRST_STRONG_ISOLATE = '\u2068';
const POP_ISOLATE = '\u2069';

/** A member's words, safe to stand inside a sentence. */
export function isolate(name: string): string {
  return FIRST_STRONG_ISOLATE + name + POP_ISOLATE;
}

const all = inLanguage((region) => new Intl.ListFormat(region, { type: 'conjunction' }));
const some = inLanguage((region) => new Intl.ListFormat(region, { type: 'unit', style: 'long' }));

/** "Ana, Ben and Chiara", each set apart. */
export function listed(names: readonly string[]): string {
  return all().format(names.map(isolate));
}

/** "Ana, Ben, Chiara", each set apart: where more follows, or the names are a title. */
export function strung(names: readonly string[]): string {
  return some().format(names.map(isolate));
}
