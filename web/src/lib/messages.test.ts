// The words themselves: each language has all of them, with the same facts and its own plurals.
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { make } from '../../scripts/made-up.js';
import { faultText, t, type Key } from './catalogue';
import { language, TAGS, type Tag } from './language.svelte';

interface Plural {
  declarations: string[];
  selectors: string[];
  match: Record<string, string>;
}
type Texts = Record<string, string | [Plural]>;

const read = (tag: string): Texts => JSON.parse(readFileSync(`messages/${tag}.json`, 'utf8'));
const LANGUAGES = Object.fromEntries(TAGS.map((tag) => [tag, read(tag)])) as Record<Tag, Texts>;
const { en } = LANGUAGES;
const ERRORS = readFileSync('../hubchat/errors.py', 'utf8');
const REASONS = [...ERRORS.matchAll(/^ {4}"(\w+)": Reason\(\s*"(\w+)"/gm)].map(([, reason, code]) => ({
  reason: String(reason),
  code: String(code),
}));

/** Reasons that no member's page meets, or of which their code says all that is to be said. */
const SAID_BY_CODE = new Set([
  ...['not_a_command', 'verb_unknown', 'field_missing', 'field_unknown', 'field_invalid', 'id_in_use'],
  ...['body_invalid', 'subprotocol_unknown', 'origin_foreign', 'host_foreign', 'request_invalid'],
  ...['handshake_invalid', 'head_too_large', 'head_too_slow', 'path_unknown', 'method_unknown', 'key_reused'],
  ...['body_too_large', 'sign_in_needed', 'scope_missing', 'demo_only', 'not_allowed', 'channel_unknown'],
  ...['thing_unknown', 'changed_meanwhile', 'too_fast', 'too_many_open', 'too_many_subscriptions'],
  ...['database_unavailable', 'outcome_unknown', 'overloaded', 'fault'],
]);

const formsOf = (text: string | [Plural] | undefined): string[] =>
  typeof text === 'string' ? [text] : Object.values(text?.[0].match ?? {});
const factsOf = (text: string | [Plural] | undefined): string[] =>
  [...new Set(formsOf(text).flatMap((form) => form.match(/\{\w+\}/g) ?? []))].sort();

afterEach(() => language.choose('en'));

describe.each(TAGS)('the words in %s', (tag) => {
  const texts = LANGUAGES[tag];
  const entries = Object.entries(texts);

  it('are all there, in the order of their keys, and no others', () => {
    expect(Object.keys(texts)).toEqual(Object.keys(en).sort());
  });

  it('have the facts of the English ones', () => {
    // A plural form may leave its count out: "names you once".
    const wrong = entries.filter(([key, text]) => String(factsOf(text)) !== String(factsOf(en[key])));
    expect(wrong.map(([key]) => key)).toEqual([]);
  });

  it('have each plural of their language, and plurals where English has them', () => {
    const { pluralCategories } = new Intl.PluralRules(tag).resolvedOptions();
    const wanted = pluralCategories.map((category) => `plural=${category}`).sort();
    const wrong = entries.filter(([key, text]) =>
      typeof text === 'string'
        ? typeof en[key] !== 'string'
        : String(Object.keys(text[0].match).sort()) !== String(wanted),
    );
    expect(wrong.map(([key]) => key)).toEqual([]);
  });

  it('say for themselves which language they are', () => {
    expect(texts['language.tag']).toBe(tag);
  });

  it('are plain: not empty, no exclamation marks, nothing twice in a row', () => {
    const empty = entries.filter(([key, text]) => key !== 'password.none' && formsOf(text).includes(''));
    expect(empty).toEqual([]);
    expect(
      entries.filter(([, text]) => formsOf(text).some((form) => /!| {2}|\b(\w+) \1\b/.test(form))),
    ).toEqual([]);
  });

  it('can all be said', async () => {
    await language.choose(tag);
    const facts = { count: 2, name: 'Ana', names: 'Ana', group: 'Lung cancer', id: '7' };
    const say = t as (key: string, facts: object) => string;
    for (const [key, text] of entries) {
      const said = say(key, facts);
      expect(said === key, key).toBe(false);
      if (text !== '') expect(said, key).not.toBe('');
    }
  });

  it('tell each reason that a member meets, or what its code means', () => {
    expect(REASONS.length).toBeGreaterThan(50);
    const missing = REASONS.filter(({ reason, code }) =>
      SAID_BY_CODE.has(reason) ? !(`fault.${code}` in texts) : !(`fault.${reason}` in texts),
    );
    expect(missing).toEqual([]);
  });

  it('name no reason that the hub does not know', () => {
    const known = new Set(REASONS.flatMap(({ reason, code }) => [reason, code]));
    const own = ['offline', 'title'];
    const named = Object.keys(texts).flatMap((key) => /^fault\.([a-z_]+)$/.exec(key)?.[1] ?? []);
    expect(named.filter((reason) => !known.has(reason) && !own.includes(reason))).toEqual([]);
  });
});

describe('the catalogue', () => {
  it('fills in names and chooses the plural', async () => {
    expect(t('connection.waiting', { count: 1 })).toContain('1 second.');
    expect(t('connection.waiting', { count: 1234 })).toContain('1,234 seconds.');
    await language.choose('de');
    expect(t('groups.members', { count: 1 })).toBe('1 Mitglied');
    expect(t('groups.members', { count: 1234 })).toBe('1.234 Mitglieder');
  });

  it('says a fault by its reason, else by its code, else in general', () => {
    expect(faultText({ code: 'conflict', reason: 'handle_taken' })).toBe(en['fault.handle_taken']);
    expect(faultText({ code: 'conflict', reason: 'a_new_one' })).toBe(en['fault.conflict']);
    expect(faultText({ code: 'conflict', reason: '__proto__' })).toBe(en['fault.conflict']);
    expect(faultText({ code: 'a_new_one' })).toBe(en['fault.internal']);
  });

  it('gives the number of a fault of ours, and nothing else that came with it', () => {
    const fault = { code: 'internal', reason: 'fault', message: 'our fault, logged as 0123456789abcdef' };
    expect(faultText(fault)).toBe(
      `${en['fault.internal']} ${t('fault.internal.logged', { id: '0123456789abcdef' })}`,
    );
    expect(faultText({ ...fault, message: 'something else' })).not.toContain('something');
    expect(faultText({ ...fault, code: 'conflict' })).toBe(en['fault.conflict']);
  });

  it('takes no key that is not there, and no text without its facts', () => {
    // Held by the types: each of these lines is an error of compilation.
    const wrong = () => {
      // @ts-expect-error no such key
      t('groups.no-such-key');
      // @ts-expect-error its count is missing
      t('groups.members');
      // @ts-expect-error a count is a number
      t('groups.members', { count: 'many' });
      // @ts-expect-error another fact
      t('home.hello', { nmae: 'Ana' });
      // @ts-expect-error it takes none
      t('groups.title', { name: 'Ana' });
    };
    const right: Key = 'groups.members';
    expect([typeof wrong, right in en]).toEqual(['function', true]);
  });
});

describe('the languages that tests make up', () => {
  it('have the plurals of their language, and carry the facts', async () => {
    const folder = mkdtempSync(`${tmpdir()}/hubchat-words-`);
    await make(folder);
    const words = async (tag: string) =>
      await import(/* @vite-ignore */ `${folder}/words/messages/${tag}.js`);
    const [long, turned] = [await words('en-XA'), await words('ar-XB')];
    expect(long.groups_title()).toMatch(/^Ĝŕóúþš .{2,}/);
    expect(long.groups_members({ count: 1 })).toMatch(/^1 ɱéɱƀéŕ /);
    expect(turned.language_tag()).toBe('ar-XB');
    expect(turned.groups_members({ count: 3 })).toContain('3');
    const plurals = JSON.parse(readFileSync(`${folder}/messages/ar-XB.json`, 'utf8'))['groups.members'][0]
      .match;
    expect(Object.keys(plurals)).toHaveLength(6);
  });
});

describe('icons that point along the line', () => {
  it('turn where lines run from the right', () => {
    const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(svelte|ts)$/.test(name) && !name.endsWith('.test.ts'))
      .map((name) => readFileSync(`src/${name}`, 'utf8'));
    const icons = sources.flatMap((source) =>
      [...source.matchAll(/@lucide\/svelte\/icons\/([a-z0-9-]+)/g)].map(([, icon]) => String(icon)),
    );
    const pointing = icons.filter((icon) =>
      /left|right|\b(back|forward|reply|forward|send|undo|redo|log-(in|out)|list|text)\b/.test(icon),
    );
    const css = readFileSync('src/app.css', 'utf8');
    expect([...new Set(pointing)].filter((icon) => !css.includes(`.lucide-${icon}`))).toEqual([]);
  });
});
