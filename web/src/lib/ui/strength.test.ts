import { expect, test } from 'vitest';
import { strengthOf } from './strength';

test('nothing typed says nothing', () => expect(strengthOf('')).toBe('none'));

test('short, repeated and famous passwords are weak or fair, however long', () => {
  expect(strengthOf('k9!xQ')).toBe('weak');
  expect(strengthOf('aaaaaaaaaaaaaaaaaaaa')).toBe('weak');
  expect(strengthOf('password123456')).toBe('fair');
});

test('some words in a row are very good', () => expect(strengthOf('seven otters walk home')).toBe('strong'));

test('a password made of the own name counts for less', () => {
  expect(strengthOf('chiara-lombardi', ['chiara'])).toBe('fair');
});
