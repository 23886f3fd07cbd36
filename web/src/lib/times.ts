// Times as people say them: relative for a day, then dates. All times are ms since 1970, in the browser's zone.
import { t } from './catalogue';
import { inLanguage } from './intl';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const dates = (options: Intl.DateTimeFormatOptions) =>
  inLanguage((region) => new Intl.DateTimeFormat(region, options));
const hourMinute = dates({ hour: 'numeric', minute: '2-digit' });
const weekday = dates({ weekday: 'long', day: 'numeric', month: 'long' });
const date = dates({ day: 'numeric', month: 'long', year: 'numeric' });
const full = dates({ dateStyle: 'full', timeStyle: 'short' });
const relative = inLanguage(
  (region) => new Intl.RelativeTimeFormat(region, { numeric: 'always', style: 'long' }),
);

/** 14:05, or 2:05 PM where that is the custom. */
export const clock = (at_ms: number): string => hourMinute().format(at_ms);

/** The same without its half of the day, where that stands close by already. */
export function shortClock(at_ms: number, format = hourMinute()): string {
  const parts = format.formatToParts(at_ms);
  const ends = [
    parts.findIndex(({ type }) => type === 'hour'),
    parts.findIndex(({ type }) => type === 'minute'),
  ];
  return parts
    .slice(Math.min(...ends), Math.max(...ends) + 1)
    .map(({ value }) => value)
    .join('');
}

/** Everything about a moment, for screen readers and on hover. */
export const moment = (at_ms: number): string => full().format(at_ms);

/** "just now" within a minute, "5 minutes ago" and "8 hours ago" within a day, then the date. */
export function ago(at_ms: number, now_ms: number): string {
  const past_ms = Math.max(0, now_ms - at_ms);
  if (past_ms < MINUTE_MS) return t('time.now');
  if (past_ms < HOUR_MS) return relative().format(-Math.floor(past_ms / MINUTE_MS), 'minute');
  if (past_ms < 24 * HOUR_MS) return relative().format(-Math.floor(past_ms / HOUR_MS), 'hour');
  return date().format(at_ms);
}

/** The name of a day line: Today, Yesterday, a weekday with its date, and the year once it is another one. */
export function dayName(at_ms: number, now_ms: number): string {
  const days = Math.round((midnight(now_ms) - midnight(at_ms)) / (24 * HOUR_MS));
  if (days === 0) return t('time.today');
  if (days === 1) return t('time.yesterday');
  const sameYear = new Date(at_ms).getFullYear() === new Date(now_ms).getFullYear();
  return (sameYear ? weekday : date)().format(at_ms);
}

/** The beginning of the day, by the browser's clock. */
export function midnight(at_ms: number): number {
  return new Date(at_ms).setHours(0, 0, 0, 0);
}

/** The day of a moment, as the HTTP interface writes it (RFC 3339). */
export const day = (rfc3339: string): string => date().format(new Date(rfc3339));
