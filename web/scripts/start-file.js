// SvelteKit starts its page from an inline script, which `script-src 'self'` refuses. After a build
// this moves that script, word for word, into a file named by its hash, and fails on anything else inline.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';

const site = fileURLToPath(new URL('../../hubchat/static/', import.meta.url));
const INLINE = /<script>([\s\S]*?)<\/script>/g;
const COMPRESSED = { '.gz': gzipSync, '.br': brotliCompressSync };

/** Writes a file and renews its compressed forms. @param {string} path @param {string} text */
function write(path, text) {
  writeFileSync(site + path, text);
  for (const [ending, compress] of Object.entries(COMPRESSED))
    writeFileSync(site + path + ending, compress(text));
}

/** @param {string} script @returns {string} the path of the file that now holds it */
function store(script) {
  const hash = createHash('sha256').update(script).digest('base64url').slice(0, 8);
  const path = `_app/immutable/entry/page.${hash}.js`;
  write(path, script);
  return path;
}

const page = readFileSync(site + 'index.html', 'utf8').replace(
  INLINE,
  (_, script) => `<script src="/${store(script)}"></script>`,
);
const offence = /<script(?![^>]*\ssrc=)|\son[a-z]+\s*=|javascript:/i.exec(page);
if (offence) throw new Error(`index.html still holds inline script: ${offence[0]}`);
write('index.html', page);
