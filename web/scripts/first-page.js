// Prints for each page how many compressed bytes of script a browser must have before it can draw it when it is the
// first page opened, and fails when one is above the bound.
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const LIMIT_BYTES = 150 * 1024; // DESIGN.md, "Numbers to hold"
const root = fileURLToPath(new URL('..', import.meta.url));
const site = `${root}../hubchat/static/`;
const generated = '.svelte-kit/generated/client-optimized';

/** @type {Record<string, { file: string, src?: string, imports?: string[] }>} */
const manifest = JSON.parse(readFileSync(`${root}.svelte-kit/output/client/.vite/manifest.json`, 'utf8'));
const app = readFileSync(`${root}${generated}/app.js`, 'utf8');
const page = readFileSync(`${site}index.html`, 'utf8');
const sizeOf = (/** @type {string} */ file) => statSync(`${site}${file}.br`).size;
// One language comes with every page: the heaviest is counted.
const words = Object.values(manifest).filter(({ src }) => src?.startsWith('src/lib/paraglide/messages/'));
if (words.length < 2) throw new Error('each language should be a chunk of its own');
const longest = Math.max(...words.map(({ file }) => sizeOf(file)));

/** A chunk and all that it imports statically. @param {string} chunk @param {Set<string>} files */
function follow(chunk, files) {
  const { file, imports = [] } = manifest[chunk] ?? { file: '' };
  if (file === '' || files.has(file)) return;
  files.add(file);
  for (const next of imports) follow(next, files);
}

/** @param {string} route @param {string[]} nodes numbers of its layouts and its page */
function measure(route, nodes) {
  const files = new Set([...page.matchAll(/(?:href|src)="\/([^"]+\.js)"/g)].map(([, file]) => file ?? ''));
  follow(`${generated}/app.js`, files);
  for (const node of ['0', ...nodes]) follow(`${generated}/nodes/${node}.js`, files);
  const bytes = [...files].reduce((sum, file) => sum + sizeOf(file), 0) + longest;
  return { route, bytes };
}

const routes = [...app.matchAll(/"(\/[^"]*)": \[(\d+),?\[?([\d,]*)/g)].map(([, route, leaf, layouts]) =>
  measure(route ?? '', [leaf ?? '', ...(layouts ?? '').split(',').filter(Boolean)]),
);
routes.sort((a, b) => b.bytes - a.bytes);
for (const { route, bytes } of routes) console.log(`${(bytes / 1024).toFixed(1).padStart(7)} KB  ${route}`);
const worst = routes[0]?.bytes ?? Infinity;
console.log(`${routes.length} pages, at most ${LIMIT_BYTES / 1024} KB of compressed script each`);
if (worst > LIMIT_BYTES) process.exit(1);
