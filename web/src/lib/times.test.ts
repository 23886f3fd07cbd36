import { describe, expect, it } from 'vitest';
import { ago, dayName, shortClock } from './times';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const NOON = new Date(2026, 10, 24, 12).getTime();
const before = (past_ms: number) => ago(NOON - past_ms, NOON);

describe('how long ago something was', () => {
  it('is said in whole words within a day', () => {
    expect(before(MINUTE_MS)).toBe('1 minute ago');
    expect(before(59 * MINUTE_MS + 59_999)).toBe('59 minutes ago');
    expect(before(HOUR_MS)).toBe('1 hour ago');
    expect(before(8 * HOUR_MS)).toBe('8 hours ago');
    expect(before(24 * HOUR_MS - 1)).toBe('23 hours ago');
  });

  it('has one wording for the last minute, also where the hub’s clock is ahead', () => {
    expect([0, 1, 59_999, -5_000].map(before)).toEqual(Array(4).fill('just now'));
  });

  it('is a date after a day', () => {
    expect(before(24 * HOUR_MS)).toMatch(/2026/);
  });
});

describe('the time in a narrow column', () => {
  const SIX = new Date(2026, 10, 24, 18).getTime();
  const by = (locale: string) =>
    shortClock(SIX, new Intl.DateTimeFormat(locale, { hour: 'numeric', minute: '2-digit' }));

  it('has no half of the day, wherever that stands', () => {
    expect(['en-US', 'en-GB', 'ko-KR'].map(by)).toEqual(['6:00', '18:00', '6:00']);
  });
});

describe('the name of a day', () => {
  it('is Today and Yesterday by the calendar, not by the hour', () => {
    expect(dayName(NOON - 12 * HOUR_MS, NOON)).toBe('Today');
    expect(dayName(NOON - 12 * HOUR_MS - 1, NOON)).toBe('Yesterday');
  });

  it('tells the year only of another year', () => {
    expect(dayName(NOON - 3 * 24 * HOUR_MS, NOON)).not.toMatch(/2026/);
    expect(dayName(new Date(2025, 10, 20).getTime(), NOON)).toMatch(/2025/);
  });
});
