// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Reads } from './reads';

let told: [string, number, number][];
let reads: Reads;

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  reads = new Reads(
    (channel, seq) => told.push(['live', channel, seq]),
    (channel, seq) => told.push(['last', channel, seq]),
  );
  reads.start();
});

afterEach(() => {
  reads.stop();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('how far a member has read', () => {
  it('is told at once, and then once a second, the last word alone', () => {
    for (const seq of [1, 2, 3]) reads.read(7, seq);
    expect(told).toEqual([['live', 7, 1]]);
    vi.advanceTimersByTime(1_000);
    expect(told).toEqual([
      ['live', 7, 1],
      ['live', 7, 3],
    ]);
    vi.advanceTimersByTime(60_000);
    expect(told).toHaveLength(2);
  });

  it('is told in a way that outlives a page that is left', () => {
    reads.read(7, 1);
    reads.read(8, 4);
    reads.read(7, 2);
    told.length = 0;
    dispatchEvent(new Event('pagehide'));
    expect(told).toEqual([
      ['last', 7, 2],
      ['last', 8, 4],
    ]);
  });

  it('is told so when the page goes out of sight, and not when it comes back', () => {
    reads.read(7, 1);
    told.length = 0;
    document.dispatchEvent(new Event('visibilitychange'));
    expect(told).toEqual([]);
    vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden');
    document.dispatchEvent(new Event('visibilitychange'));
    expect(told).toEqual([['last', 7, 1]]);
  });

  it('is not told again when nothing was read for a second', () => {
    reads.read(7, 1);
    vi.advanceTimersByTime(1_000);
    told.length = 0;
    dispatchEvent(new Event('pagehide'));
    expect(told).toEqual([]);
  });

  it('is told at the end, and never after it', () => {
    reads.read(7, 1);
    reads.read(7, 2);
    reads.stop();
    expect(told.at(-1)).toEqual(['live', 7, 2]);
    dispatchEvent(new Event('pagehide'));
    vi.advanceTimersByTime(5_000);
    expect(told).toHaveLength(2);
  });
});
