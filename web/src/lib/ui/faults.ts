// What went wrong, as a member reads it: the words for a refusal by the hub, and where in a form they belong.
import { ApiError } from '$lib/api';
import { faultText, t } from '$lib/catalogue';

// Refusals that are about one field, also where the hub does not name it.
const FIELD_OF: Record<string, string> = {
  handle_invalid: 'handle',
  handle_taken: 'handle',
  handle_reserved: 'handle',
  person_unknown: 'handle',
  name_invalid: 'name',
  slug_invalid: 'slug',
  slug_taken: 'slug',
  slug_reserved: 'slug',
  password_weak: 'password',
  password_too_large: 'password',
  invite_ended: 'invite',
  signup_invited: 'invite',
  not_agreed: 'agreed',
};

/** Plain words for whatever was thrown. */
export function wordsOf(error: unknown): string {
  return error instanceof ApiError ? faultText(error) : t('fault.internal');
}

/** Words by the name of the field that was refused; empty when the refusal is about the whole form. */
export function fieldsOf(error: unknown): Record<string, string> {
  if (!(error instanceof ApiError)) return {};
  const field = FIELD_OF[error.reason];
  if (field) return { [field]: faultText(error) };
  return Object.fromEntries(Object.keys(error.fields ?? {}).map((name) => [name, t('form.field')]));
}

export function isReason(error: unknown, ...reasons: string[]): boolean {
  return error instanceof ApiError && reasons.includes(error.reason);
}

/** Is this the hub's way of saying that there is nothing here for me? */
export function isMissing(error: unknown): boolean {
  return error instanceof ApiError && (error.code === 'not_found' || error.code === 'forbidden');
}
