// The second member of a demo: the hub's other loopback address has cookies of its own, so one browser can be two
// people at once.
import type { HubInfo } from '$lib/api';

/** Somebody who is not `handle`, at the other address; null where there is none. */
export function besides(hub: HubInfo | null, handle?: string): { name: string; href: string } | null {
  const person = hub?.demo_members?.filter((member) => member.handle !== handle).at(handle ? 0 : 1);
  if (!hub?.other_url || !person) return null;
  const url = new URL('/', hub.other_url);
  url.searchParams.set('as', person.handle);
  return { name: person.name.split(/\s+/)[0] ?? person.name, href: url.href };
}
