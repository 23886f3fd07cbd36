// What goes wrong in the pages themselves. An address that leads nowhere is no fault: its page says so.
import type { HandleClientError } from '@sveltejs/kit';

export const handleError: HandleClientError = ({ error, status, message }) => {
  if (status !== 404) console.error(error);
  return { message };
};
