import { describe, expect, it, vi } from 'vitest';

let isDown = true;
vi.mock('./sanitizer', () => {
  if (isDown) throw new Error('the line is gone');
  return { sanitizer: () => (html: string) => html };
});

describe('what renders', () => {
  it('is fetched again until the line is back, and then shows what waited', async () => {
    vi.useFakeTimers();
    const { render, renderNow } = await import('./markdown');
    const waiting = render('*hello*');
    await vi.advanceTimersByTimeAsync(5_000);
    expect(renderNow('*hello*')).toBeNull();
    isDown = false;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(await waiting).toBe('<p><em>hello</em></p>\n');
    vi.useRealTimers();
  });
});
