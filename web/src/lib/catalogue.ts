// Every word that the client says comes from here, by key. The keys and their facts are typed by Paraglide from
// messages/en.json, so that a missing text or a forgotten name is an error of compilation, not a hole in a page.
import { number } from './intl';
import { language } from './language.svelte';

type Texts = typeof import('./paraglide/messages/_index.js');
export type Key = keyof Texts;
type FactsOf<K extends Key> = {
  [Name in keyof Parameters<Texts[K]>[0]]: Name extends 'count' ? number : string | number;
};
type Facts<K extends Key> = [keyof FactsOf<K>] extends [never] ? [] : [facts: FactsOf<K>];

/** The text of a key, with its {names} filled in; plural texts are chosen by `count`. */
export function t<K extends Key>(key: K, ...[facts]: Facts<K>): string {
  return say(key, facts ?? {}) ?? key;
}

/** Undefined where no text has this key. */
function say(key: string, facts: Readonly<Record<string, unknown>>): string | undefined {
  const shown = Object.entries(facts).map(([name, fact]) => [name, printable(fact)]);
  return language.word(key)?.(Object.fromEntries(shown));
}

/** A number in a text: it chooses the plural as what it is, and is read as the language writes it. */
class Shown {
  constructor(private readonly value: number) {}

  valueOf(): number {
    return this.value;
  }

  toString(): string {
    return number(this.value);
  }
}

function printable(fact: unknown): string | Shown {
  return typeof fact === 'number' ? new Shown(fact) : String(fact);
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
  const facts = fault.facts ?? {};
  const said =
    say(`fault.${fault.reason}`, facts) ?? say(`fault.${fault.code}`, facts) ?? t('fault.internal');
  const id = fault.code === 'internal' && /\blogged as ([0-9a-f]{16})$/.exec(fault.message ?? '')?.[1];
  return id ? `${said} ${t('fault.internal.logged', { id })}` : said;
}
