// How a person is called where they are talked about.
import type { Person } from '$lib/api';
import { t } from '$lib/catalogue';

export function nameOf(person: Person | undefined): string {
  if (!person) return t('message.unknown-person');
  return person.gone ? t('message.gone-person') : person.name;
}
