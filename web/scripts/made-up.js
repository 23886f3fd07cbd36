// Makes two languages that nobody speaks of the English words, for tests alone: `en-XA` is long and accented, `ar-XB`
// runs from right to left and has six plurals. `node scripts/made-up.js FOLDER` writes them compiled into FOLDER/words.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from '@inlang/paraglide-js';

/** @typedef {{ declarations: string[], selectors: string[], match: Record<string, string> }} Plural */
/** @typedef {Record<string, string | [Plural]>} Texts as messages/*.json hold them */

const root = fileURLToPath(new URL('..', import.meta.url));
const LONGER = 0.4;
const PLAIN = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
const ACCENTED = 'áƀçđéƒĝĥíĵķļɱñóþǫŕšţúṽŵẋýžÁƁÇĐÉƑĜĤÍĴĶĻṀÑÓÞǪŔŠŢÚṼŴẊÝŽ';
const FILLING = 'óñé ţŵó ţĥŕéé ƒóúŕ ƒíṽé šíẋ šéṽéñ éíĝĥţ ñíñé ţéñ éļéṽéñ ţŵéļṽé ţĥíŕţééñ ƒóúŕţééñ ƒíƒţééñ';
const RIGHT_TO_LEFT_MARK = '\u200f';
const RIGHT_TO_LEFT_OVERRIDE = '\u202e';
const POP = '\u202c';

/** What each makes of a text; placeholders and marks around it stay as they are. */
export const MAKERS = {
  'en-XA': lengthened,
  'ar-XB': turned,
};

/** @param {string} text */
function lengthened(text) {
  if (text === '') return text;
  const accented = parts(text, (words) =>
    [...words].map((sign) => ACCENTED[PLAIN.indexOf(sign)] ?? sign).join(''),
  );
  const more = FILLING.repeat(8).slice(0, Math.ceil(text.length * LONGER));
  return `${accented} ${more.trim()}`;
}

/** @param {string} text */
function turned(text) {
  return parts(text, (words) =>
    words.replace(
      /\S+/g,
      (word) => RIGHT_TO_LEFT_MARK + RIGHT_TO_LEFT_OVERRIDE + word + POP + RIGHT_TO_LEFT_MARK,
    ),
  );
}

/** @param {string} text @param {(words: string) => string} change */
function parts(text, change) {
  return text
    .split(/(\{\w+\})/)
    .map((part) => (part.startsWith('{') ? part : change(part)))
    .join('');
}

/** The texts in a made-up language, with all its plurals. @param {Texts} texts @param {keyof MAKERS} tag */
export function madeUp(texts, tag) {
  const make = MAKERS[tag];
  const { pluralCategories } = new Intl.PluralRules(tag).resolvedOptions();
  /** @param {Plural} plural @returns {[Plural]} */
  const pluralOf = ({ declarations, selectors, match }) => {
    const form = (/** @type {string} */ category) =>
      match[`plural=${category}`] ?? match['plural=other'] ?? '';
    const forms = pluralCategories.map((category) => [`plural=${category}`, make(form(category))]);
    return [{ declarations, selectors, match: Object.fromEntries(forms) }];
  };
  const made = Object.entries(texts).map(([key, text]) => [
    key,
    key === 'language.tag' ? tag : typeof text === 'string' ? make(text) : pluralOf(text[0]),
  ]);
  return Object.fromEntries(made);
}

/** Writes them, compiled, into `words` of a folder. @param {string} folder */
export async function make(folder) {
  const texts = JSON.parse(readFileSync(`${root}messages/en.json`, 'utf8'));
  const settings = JSON.parse(readFileSync(`${root}project.inlang/settings.json`, 'utf8'));
  const locales = /** @type {(keyof MAKERS)[]} */ (Object.keys(MAKERS));
  mkdirSync(`${folder}/messages`, { recursive: true });
  mkdirSync(`${folder}/project.inlang`, { recursive: true });
  for (const tag of locales)
    writeFileSync(`${folder}/messages/${tag}.json`, JSON.stringify(madeUp(texts, tag)));
  const modules = settings.modules.map((/** @type {string} */ path) => resolve(root, path));
  writeFileSync(
    `${folder}/project.inlang/settings.json`,
    JSON.stringify({ ...settings, baseLocale: locales[0], locales, modules }),
  );
  await compile({
    project: `${folder}/project.inlang`,
    outdir: `${folder}/words`,
    outputStructure: 'locale-modules',
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await make(resolve(process.argv[2] ?? '.'));
