import { expect, test } from 'vitest';
import { completed, matching, mentionAt } from './mention';

const at = (text: string) => mentionAt(text, text.length, text.length);
const person = (handle: string, name: string) => ({ id: 1, handle, name });

test('an @ at the beginning or after a space begins a mention', () => {
  expect(at('@an')?.query).toBe('an');
  expect(at('Hello @')?.query).toBe('');
  expect(at('(@ana')?.query).toBe('ana');
});

test('an e-mail address, a finished mention and a selection begin none', () => {
  expect(at('ana@exa')).toBeNull();
  expect(at('@ana ')).toBeNull();
  expect(mentionAt('@ana', 0, 4)).toBeNull();
});

test('completing puts the handle and one space, and the caret after them', () => {
  const text = 'Hi @be!';
  const token = mentionAt(text, 6, 6);
  expect(token && completed(text, token, 'ben')).toEqual({ text: 'Hi @ben !', caret: 8 });
  const spaced = mentionAt('@be there', 3, 3);
  expect(spaced && completed('@be there', spaced, 'ben')).toEqual({ text: '@ben there', caret: 5 });
});

test('people are found by handle first, then by any part of their name', () => {
  const people = [person('jo', 'Ana Weber'), person('ana', 'Somebody'), person('kim', 'Иван Петров')];
  expect(matching(people, 'ana', 5).map(({ handle }) => handle)).toEqual(['ana', 'jo']);
  expect(matching(people, 'пет', 5).map(({ handle }) => handle)).toEqual(['kim']);
  expect(matching(people, '', 2)).toHaveLength(2);
});
