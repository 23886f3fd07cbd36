// How a channel is called and where it lives, as people see it.
import type { Channel, Person, Visibility } from '$lib/api';
import { t } from '$lib/catalogue';
import { rooms, type Told } from '$lib/rooms.svelte';
import { session } from '$lib/session.svelte';
import { isolate, listed, strung } from './names';

/** Everybody in a conversation but me. */
export function othersIn(channel: Channel): Person[] {
  return (channel.people ?? []).filter((person) => person.id !== session.me?.id);
}

/** A group's name; for a conversation the names of the others. */
export function titleOf(channel: Channel): string {
  if (channel.title) return channel.title;
  const names = othersIn(channel).map((person) => person.name);
  return names.length > 1 ? strung(names) : (names[0] ?? t('conversations.self'));
}

export function pathOf(channel: Channel): string {
  if (channel.kind === 'conversation') return `/conversations/${channel.id}`;
  return `/groups/${channel.slug || `~${channel.id}`}`;
}

/** What a visibility means on this hub, which may be for members only. */
export function textOf(visibility: Visibility): string {
  return visibility === 'public' && !session.hub?.guests
    ? t('visibility.public.members')
    : t(`visibility.${visibility}.text`);
}

/** One line on who can read what is written here. */
export function readersOf(channel: Channel): string {
  if (channel.kind === 'conversation') {
    return t('readers.conversation', { names: readersOfConversation(channel) });
  }
  if (channel.visibility === 'public' && session.hub?.guests) return t('readers.public');
  if (channel.visibility === 'public' || channel.visibility === 'open') return t('readers.open');
  if (typeof channel.members === 'number') return t('readers.group', { count: channel.members });
  return t('readers.group-few');
}

function readersOfConversation(channel: Channel): string {
  const names = othersIn(channel).map((person) => person.name);
  return t('readers.you-and', { names: listed(names) });
}

/** "14 members", or that they are few: a small number would say too much. */
export function membersOf(channel: Channel): string {
  return typeof channel.members === 'number'
    ? t('groups.members', { count: channel.members })
    : t('groups.few');
}

/** What became of my wish to be in a group, in a sentence. */
export function newsOf({ what, group, title }: Told): string {
  const name = title ?? rooms.known(group)?.channel.title;
  return t(`news.${what}`, { group: name ? isolate(name) : t('news.some-group') });
}

/** Where that group lives; null where it can not be seen any more, or nobody says where. */
export function pathOfNews({ what, group, slug }: Told): string | null {
  const mine = rooms.known(group);
  if (mine) return pathOf(mine.channel);
  return what !== 'banned' && slug ? `/groups/${slug}` : null;
}
