import { describe, expect, it } from 'vitest';
import { newest } from './newest';

describe('the newest question', () => {
  it('is the last one that was asked, whichever answer comes first', () => {
    const ask = newest();
    const first = ask();
    expect(first()).toBe(true);
    const second = ask();
    expect([first(), second()]).toEqual([false, true]);
  });
});
