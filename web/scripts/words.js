// Makes code of the words in messages/*.json, where Vite does not: before types are checked.
import { fileURLToPath } from 'node:url';
import { compile } from '@inlang/paraglide-js';

/** One module a language, so that a browser fetches only the one it reads. */
export const WORDS = /** @type {const} */ ({
  project: './project.inlang',
  outdir: './src/lib/paraglide',
  outputStructure: 'locale-modules',
});

// The folder stays: `make web` would take a new one for a change.
if (process.argv[1] === fileURLToPath(import.meta.url)) await compile({ ...WORDS, cleanOutdir: false });
