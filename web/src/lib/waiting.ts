// How long to stay away after a connection has closed: the table of close codes of the protocol, and growing
// pauses where the hub named none. Everybody waits a random part, so that a hub that comes back is not stormed.

export interface Fate {
  /** It does not come back by itself. */
  stays?: 'closed' | 'signed-out' | 'removed';
  /** Between what times it may come back; without, after a growing pause. */
  wait_ms?: [number, number];
  slowed: boolean;
}

const FATES: Readonly<Record<number, Fate>> = {
  1000: { stays: 'closed', slowed: false },
  1001: { stays: 'closed', slowed: false },
  // The frames were wrong, here or there: a program that is newer mends that, and hurry does not.
  1002: { wait_ms: [20_000, 30_000], slowed: false },
  1003: { wait_ms: [20_000, 30_000], slowed: false },
  1007: { wait_ms: [20_000, 30_000], slowed: false },
  1009: { wait_ms: [20_000, 30_000], slowed: false },
  4001: { stays: 'signed-out', slowed: false },
  4003: { stays: 'removed', slowed: false },
  4009: { wait_ms: [60_000, 90_000], slowed: true },
};

export const fateOf = (code: number): Fate => FATES[code] ?? { slowed: false };

const LEAST_MS = 500;
const MOST_MS = 30_000;

/** The pause before try number `tries` (from 0): half of it certain, half of it `random` (0 to below 1). */
export function backoff(tries: number, random: number): number {
  const full_ms = Math.min(MOST_MS, 2 * LEAST_MS * 2 ** Math.min(tries, 10));
  return between([full_ms / 2, full_ms], random);
}

export function between([least, most]: readonly [number, number], random: number): number {
  return least + random * Math.max(0, most - least);
}
