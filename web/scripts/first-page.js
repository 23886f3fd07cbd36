// Prints how many compressed bytes of script the first page loads before a route is chosen, and fails above the bound.
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const LIMIT_BYTES = 150 * 1024; // DESIGN.md, "Numbers to hold"
const site = fileURLToPath(new URL('../../hubchat/static', import.meta.url));
const page = readFileSync(`${site}/index.html`, 'utf8');
const seen = new Set();

/** Follows static imports: what the browser must have before it can run. @param {string} path */
function follow(path) {
  if (seen.has(path)) return;
  seen.add(path);
  const script = readFileSync(site + path, 'utf8');
  for (const [, target] of script.matchAll(/(?:from|import)\s*"(\.[^"]+\.js)"/g)) {
    follow(new URL(target ?? '', `file://${path}`).pathname);
  }
}
for (const [, path] of page.matchAll(/(?:href|src)="(\/[^"]+\.js)"/g)) follow(path ?? '');
const bytes = [...seen].reduce((sum, path) => sum + statSync(`${site}${path}.br`).size, 0);
console.log(`${seen.size} files, ${(bytes / 1024).toFixed(1)} KB compressed (at most ${LIMIT_BYTES / 1024})`);
if (bytes > LIMIT_BYTES) process.exit(1);
