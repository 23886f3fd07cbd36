// One static page, filled in the browser: the server knows nothing of pages.
import { language } from '$lib/language.svelte';

export const ssr = false;
export const prerender = false;

/** Nothing is drawn before there are words for it. */
export const load = (): Promise<void> => language.begin();
