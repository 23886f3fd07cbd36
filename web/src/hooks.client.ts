// What goes wrong in the pages themselves. An address that leads nowhere is no fault: its page says so.
import type { HandleClientError } from '@sveltejs/kit';
import { language } from '$lib/language.svelte';

// The words come beside the page's own code, not after it; the layout waits for them.
void language.begin();

export const handleError: HandleClientError = ({ error, status, message }) => {
  if (status !== 404) console.error(error);
  return { message };
};
