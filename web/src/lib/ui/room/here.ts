// Who is in the room now, as far as the hub tells: a count from five people up, else those whose presence I see.
import { rooms, type Room } from '$lib/rooms.svelte';
import { othersIn } from '../channels';

/** How many are here; 0 when nothing is known. */
export function hereIn(room: Room): number {
  if (!rooms.isConnected) return 0;
  if (room.audience !== null) return room.audience;
  return othersIn(room.channel).filter((person) => rooms.presence(person.id) !== 'offline').length;
}
