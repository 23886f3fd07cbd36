import { paraglideVitePlugin } from '@inlang/paraglide-js';
import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vitest/config';
import { WORDS } from './scripts/words.js';

// `npm run dev` shows the pages and passes everything else to a hub that runs beside it.
const hub = process.env.HUBCHAT_DEV_HUB ?? 'http://localhost:8000';
const toHub = { target: hub, changeOrigin: true, headers: { origin: hub } };

export default defineConfig({
  plugins: [paraglideVitePlugin(WORDS), sveltekit()],
  server: { proxy: { '/api': toHub, '/live': { ...toHub, ws: true } } },
  build: { target: 'es2022' },
  // Tests mount components in jsdom: they need Svelte's browser build, not its server one.
  resolve: process.env.VITEST ? { conditions: ['browser'] } : {},
  test: {
    include: ['src/**/*.test.ts'],
    environment: 'node',
    setupFiles: ['src/lib/testing/words.ts'],
    testTimeout: 20_000,
  },
});
