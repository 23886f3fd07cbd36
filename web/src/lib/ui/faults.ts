// What went wrong, as a member reads it: the words for a refusal by the hub, and where in a form they belong.
import { ApiError } from '$lib/api';
import { faultText, t } from '$lib/catalogue';

/** Plain words for whatever was thrown. */
export function wordsOf(error: unknown): string {
  return error instanceof ApiError ? faultText(error) : t('fault.internal');
}

/** Words by the name of the field that the hub refused; empty when the refusal is about the whole form. */
export function fieldsOf(error: unknown): Record<string, string> {
  if (!(error instanceof ApiError) || !error.fields) return {};
  return Object.fromEntries(
    Object.entries(error.fields).map(([field, reason]) => [field, faultText({ code: error.code, reason })]),
  );
}

/** Is this the hub's way of saying that there is nothing here for me? */
export function isMissing(error: unknown): boolean {
  return error instanceof ApiError && (error.code === 'not_found' || error.code === 'forbidden');
}
