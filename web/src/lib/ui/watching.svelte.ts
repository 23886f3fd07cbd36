// Whose presence is shown now: the people of my conversations, which every page lists, and those of the page. One
// list goes to the hub, because each replaces the last one.
import { rooms } from '$lib/rooms.svelte';
import type { Id } from '$lib/wire';
import { othersIn } from './channels';

class Watching {
  private people: readonly Id[] = $state.raw([]);

  /** For an effect of the page that shows these people; the returned function ends it. */
  show(people: readonly Id[]): () => void {
    this.people = people;
    return () => {
      if (this.people === people) this.people = [];
    };
  }

  get all(): Id[] {
    const partners = rooms.conversations.flatMap(({ channel }) => othersIn(channel).map(({ id }) => id));
    return [...new Set([...this.people, ...partners])];
  }
}

export const watching = new Watching();
