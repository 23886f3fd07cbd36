// Where one goes after the door: back to the page that sent one here, never to another host.
export function afterDoor(url: URL): string {
  const to = url.searchParams.get('to') ?? '/';
  return /^\/(?![/\\])/.test(to) ? to : '/';
}
