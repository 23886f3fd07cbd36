import { expect, test } from 'vitest';
import { afterDoor, withWayBack } from './after';

const at = (to: string) => afterDoor(new URL(`http://hub.test/sign-in?to=${encodeURIComponent(to)}`));

test('one goes back to the page that sent one here', () => {
  expect(at('/groups/lung-cancer')).toBe('/groups/lung-cancer');
  expect(afterDoor(new URL('http://hub.test/sign-in'))).toBe('/');
});

test('a door remembers where one came from, over other doors too', () => {
  const way = (from: string, door: string) =>
    withWayBack(new URL(from, 'http://hub.test'), new URL(door, 'http://hub.test'));
  expect(way('/groups/lung-cancer', '/sign-in')).toBe('/sign-in?to=%2Fgroups%2Flung-cancer');
  expect(way('/conversations/new?with=ben', '/sign-in')).toBe(
    '/sign-in?to=%2Fconversations%2Fnew%3Fwith%3Dben',
  );
  expect(way('/sign-in?to=%2Fgroups%2Fa', '/sign-up#code')).toBe('/sign-up?to=%2Fgroups%2Fa#code');
  expect(way('/groups/a', '/sign-in?to=/join')).toBe(null);
  expect(way('/', '/sign-in')).toBe(null);
  expect(way('/groups/a', '/join#code')).toBe(null);
  expect(way('/sign-in?to=//evil.test', '/sign-up')).toBe(null);
});

test('never to another host, however it is written', () => {
  for (const to of ['https://evil.test', '//evil.test', '/\\evil.test', 'javascript:alert(1)', '']) {
    expect(at(to)).toBe('/');
  }
});
