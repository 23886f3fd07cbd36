// How people are called where they are talked about.
import type { Person } from '$lib/api';
import { t } from '$lib/catalogue';
import type { Reaction } from '$lib/message';
import { rooms } from '$lib/rooms.svelte';
import { listed, strung } from '../names';

export function nameOf(person: Person | undefined): string {
  if (!person) return t('message.unknown-person');
  return person.gone ? t('message.gone-person') : person.name;
}

/** "Ana, Ben and Chiara", or "Ana, Ben and 7 others" where the hub does not name all. */
export function whoReacted({ people, count }: Reaction): string {
  const names = people.map((id) => nameOf(rooms.person(id)));
  const others = count - names.length;
  return others > 0 ? t('reaction.others', { names: strung(names), count: others }) : listed(names);
}
