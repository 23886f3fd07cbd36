// Every word that the client says comes from here, by key. The keys and their parameters are typed, so that
// a missing text or a forgotten name is an error of compilation, not a hole in a page.
import { en } from './messages/en';

export type Key = keyof typeof en;
type Text = string | { readonly one: string; readonly other: string };
type Names<S> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;
type NamesOf<K extends Key> = (typeof en)[K] extends infer T
  ? T extends string
    ? Names<T>
    : 'count' | Names<T[keyof T]>
  : never;
type Facts<K extends Key> = [NamesOf<K>] extends [never] ? [] : [facts: Record<NamesOf<K>, string | number>];

const plural = new Intl.PluralRules('en');
const numbers = new Intl.NumberFormat('en');

/** The text of a key, with its {names} filled in; plural texts are chosen by `count`. */
export function t<K extends Key>(key: K, ...[facts]: Facts<K>): string {
  return fill(en[key], facts ?? {});
}

function fill(text: Text, facts: Readonly<Record<string, string | number>>): string {
  const form =
    typeof text === 'string' ? text : plural.select(Number(facts.count)) === 'one' ? text.one : text.other;
  return form.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const fact = facts[name];
    return fact === undefined ? whole : typeof fact === 'number' ? numbers.format(fact) : fact;
  });
}

/**
 * What went wrong, in plain words: by its reason, else by its code, else in general. Of the hub's own faults also the
 * id under which its log tells more (docs/protocol.md, `internal`).
 */
export function faultText(fault: {
  code: string;
  reason?: string;
  message?: string;
  facts?: Record<string, unknown>;
}): string {
  const texts: Partial<Record<string, Text>> = en;
  const text = texts[`fault.${fault.reason}`] ?? texts[`fault.${fault.code}`] ?? en['fault.internal'];
  const facts = Object.entries(fault.facts ?? {}).map(([name, fact]) => [name, printable(fact)]);
  const said = fill(text, Object.fromEntries(facts));
  const id = fault.code === 'internal' && /\blogged as ([0-9a-f]{16})$/.exec(fault.message ?? '')?.[1];
  return id ? `${said} ${t('fault.internal.logged', { id })}` : said;
}

function printable(fact: unknown): string | number {
  return typeof fact === 'number' ? fact : String(fact);
}
