import { expect, test } from 'vitest';
import { isSlug, slugOf } from './slug';

test('a name becomes an address of small letters, digits and hyphens', () => {
  expect(slugOf('Lung cancer')).toBe('lung-cancer');
  expect(slugOf('  Čekání & naděje! ')).toBe('cekani-nadeje');
  expect(slugOf('Große Runde')).toBe('grosse-runde');
  expect(slugOf('a'.repeat(50))).toHaveLength(31);
});

test('a name without Latin letters gives none, and the member chooses one', () => {
  expect(slugOf('Καρκίνος')).toBe('');
  expect(isSlug('')).toBe(false);
});

test('what the hub would refuse is no address', () => {
  for (const bad of ['a', '-a', 'Ab', 'a b', 'ä-b', 'a'.repeat(32)]) expect(isSlug(bad)).toBe(false);
  for (const good of ['ab', '3-a', 'a'.repeat(31)]) expect(isSlug(good)).toBe(true);
});
