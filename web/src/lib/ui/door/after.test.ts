import { expect, test } from 'vitest';
import { afterDoor } from './after';

const at = (to: string) => afterDoor(new URL(`http://hub.test/sign-in?to=${encodeURIComponent(to)}`));

test('one goes back to the page that sent one here', () => {
  expect(at('/groups/lung-cancer')).toBe('/groups/lung-cancer');
  expect(afterDoor(new URL('http://hub.test/sign-in'))).toBe('/');
});

test('never to another host, however it is written', () => {
  for (const to of ['https://evil.test', '//evil.test', '/\\evil.test', 'javascript:alert(1)', '']) {
    expect(at(to)).toBe('/');
  }
});
