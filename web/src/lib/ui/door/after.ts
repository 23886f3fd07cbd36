// Where one goes after the door: back to the page that sent one here, never to another host.
const DOORS = new Set(['/sign-in', '/sign-up', '/recover', '/password', '/codes', '/join']);

export function afterDoor(url: URL): string {
  const to = url.searchParams.get('to') ?? '/';
  return /^\/(?![/\\])/.test(to) ? to : '/';
}

/** The address of a door that one came to from `from`, with the way back in it; null where it is as it should be. */
export function withWayBack(from: URL, door: URL): string | null {
  if (door.pathname === '/join' || door.searchParams.has('to')) return null;
  const to = DOORS.has(from.pathname) ? afterDoor(from) : from.pathname + from.search;
  return to === '/' ? null : doorTo(door.pathname, to) + door.hash;
}

/** The address of a door that leads on to `to`. */
export function doorTo(door: string, to: string): string {
  return `${door}?to=${encodeURIComponent(to)}`;
}
