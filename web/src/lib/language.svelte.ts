// Which language the pages speak, and its words. Only the words of that one language are fetched: each is a chunk of
// its own, so that many languages weigh no more than one.
import type { Locale } from './paraglide/runtime.js';

export type Tag = Locale;
/** The words of one language: a function for each key of messages/*.json. */
export type Words = typeof import('./paraglide/messages/en.js');

const WORDS: Record<Tag, () => Promise<Words>> = {
  en: () => import('./paraglide/messages/en.js'),
  de: () => import('./paraglide/messages/de.js'),
};
export const TAGS = Object.keys(WORDS) as Tag[];
const FALLBACK = 'en';
const CHOSEN = 'hubchat-language'; // where this device keeps what was chosen on it; no account's, so not under their prefix
// Where a browser does not know it by itself.
const FROM_THE_RIGHT = ['ar', 'ckb', 'dv', 'fa', 'he', 'ps', 'sd', 'ug', 'ur', 'yi'];

export class Language {
  /** Undefined until `begin` is through. */
  private words: Words | undefined = $state.raw();
  /** Chosen on this device; null where its browser decides. */
  chosen: Tag | null = $state(null);
  /** The member's own. */
  private member: string | null = null;
  private turns = 0;
  private beginning: Promise<void> | undefined;

  /** What the words are written in, for `lang`. */
  get tag(): string {
    return this.words?.language_tag({}) ?? FALLBACK;
  }

  get direction(): 'ltr' | 'rtl' {
    return directionOf(this.tag);
  }

  /** The same with the region of this browser, where it names one: whether it is 14:05 or 2:05 PM. */
  get region(): string {
    return regionOf(this.tag, spokenHere());
  }

  /** The text of a key. Undefined where there is none: keys of faults come from the hub. */
  word(key: string): ((facts: object) => string) | undefined {
    const words = this.words as Readonly<Record<string, (facts: object) => string>> | undefined;
    if (!words) throw new Error('no words yet: begin() comes first');
    return words[key.replace(/[.-]/g, '_')];
  }

  /** Once, before anything is drawn; a second call joins the first. */
  begin(): Promise<void> {
    this.chosen = kept();
    this.beginning ??= this.speak();
    return this.beginning;
  }

  /** A member came or went, or says another language. Stays as it is where the words can't be fetched. */
  async follow(lang: string | null): Promise<void> {
    this.member = lang;
    await this.speak().catch((error: unknown) => {
      if (!this.words) throw error;
    });
  }

  /** For this device; null leaves it to the browser again. */
  async choose(tag: Tag | null): Promise<void> {
    this.chosen = tag;
    keep(tag);
    await this.speak();
  }

  /** The member's own, else the one chosen on this device, else the browser's, else English. */
  private async speak(): Promise<void> {
    const turn = ++this.turns;
    const wanted = [this.member, this.chosen, ...spokenHere()].filter((tag) => tag !== null);
    const words = await WORDS[fitting(wanted) ?? FALLBACK]();
    // What was asked for last counts, and anything before nothing.
    if (turn === this.turns || !this.words) this.words = words;
  }
}

export const language = new Language();

/** The first that there are words for, whatever region it is of. */
export function fitting(wanted: readonly string[]): Tag | null {
  for (const tag of wanted) {
    const found =
      TAGS.find((ours) => ours.toLowerCase() === tag.toLowerCase()) ??
      TAGS.find((ours) => baseOf(ours) === baseOf(tag));
    if (found) return found;
  }
  return null;
}

/** How a language calls itself. */
export function nameOf(tag: string): string {
  const name = new Intl.DisplayNames(tag, { type: 'language' }).of(tag) ?? tag;
  return name.charAt(0).toLocaleUpperCase(tag) + name.slice(1);
}

export function directionOf(tag: string): 'ltr' | 'rtl' {
  return FROM_THE_RIGHT.includes(baseOf(tag)) ? 'rtl' : 'ltr';
}

/** English without a region is written as in Europe: this hub is at home there. */
export function regionOf(tag: string, spoken: readonly string[]): string {
  const here = spoken.find((one) => one.includes('-') && baseOf(one) === baseOf(tag));
  return here ?? (tag === 'en' ? 'en-GB' : tag);
}

function baseOf(tag: string): string {
  return tag.split('-')[0]?.toLowerCase() ?? '';
}

function spokenHere(): readonly string[] {
  return globalThis.navigator?.languages ?? [];
}

function kept(): Tag | null {
  try {
    return fitting([localStorage.getItem(CHOSEN) ?? '']);
  } catch {
    return null;
  }
}

function keep(tag: Tag | null): void {
  try {
    if (tag === null) localStorage.removeItem(CHOSEN);
    else localStorage.setItem(CHOSEN, tag);
  } catch {
    // Storage is not allowed here: it holds for as long as the page lives.
  }
}
