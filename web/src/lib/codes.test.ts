// @vitest-environment jsdom
import { beforeEach, expect, test, vi } from 'vitest';
import type { Me } from './api';
import { fileOf } from './codes.svelte';

const ANA = { id: 7, handle: 'ana' } as Me;
const BEN = { id: 8, handle: 'ben' } as Me;
const LIST = ['abcd-efgh-ijkl-mnop', 'qrst-uvwx-yz23-4567'];

/** As a page that was just loaded has it. */
async function reloaded() {
  vi.resetModules();
  return (await import('./codes.svelte')).codes;
}

beforeEach(() => sessionStorage.clear());

test('new codes stay over a reload until they are kept, for their owner alone', async () => {
  (await reloaded()).hold(ANA, 'Lung hub', LIST);
  const codes = await reloaded();
  expect(codes.of(ANA)?.codes).toEqual(LIST);
  expect([codes.of(BEN), codes.of(null)]).toEqual([null, null]);
  codes.dropOthers(ANA);
  expect(codes.of(ANA)?.codes).toEqual(LIST);
  codes.dropOthers(BEN);
  expect(codes.of(ANA)).toBe(null);
  expect((await reloaded()).of(ANA)).toBe(null);
});

test('kept codes are forgotten', async () => {
  const codes = await reloaded();
  codes.hold(ANA, 'Lung hub', LIST);
  codes.drop();
  expect([codes.of(ANA), (await reloaded()).of(ANA)]).toEqual([null, null]);
});

test('a browser that stores nothing keeps them for as long as the page lives', async () => {
  vi.stubGlobal('sessionStorage', {
    getItem: () => {
      throw new Error('no');
    },
    setItem: () => {
      throw new Error('no');
    },
  });
  const codes = await reloaded();
  codes.hold(ANA, 'Lung hub', LIST);
  expect(codes.of(ANA)?.codes).toEqual(LIST);
  vi.unstubAllGlobals();
});

test('their file names hub, handle and day, and so does its head', () => {
  const at_ms = new Date(2027, 4, 3, 23, 59).getTime();
  const made = { account: 7, handle: 'ana', hub: 'Café: Łódź / 肺', at_ms, codes: LIST };
  const { name, text } = fileOf(made, { title: 'Recovery codes', hint: 'Once.' }, 'https://hub.example.org');
  expect(name).toBe('recovery-codes-café-łódź-肺-ana-2027-05-03.txt');
  expect(text.split('\n')).toEqual([
    ...[
      'Recovery codes',
      '',
      'Café: Łódź / 肺  https://hub.example.org',
      '@ana',
      '2027-05-03',
      '',
      'Once.',
      '',
    ],
    ...LIST,
    '',
  ]);
});
