import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Outbox, commandOf } from './outbox';
import type { Fault } from './wire';

const fault = (code: string, more: Partial<Fault> = {}): Fault => ({
  code,
  reason: code,
  message: '',
  ...more,
});
const box = () => new Outbox(() => 0.5);
const keys = (jobs: readonly { key: string }[]) => jobs.map(({ key }) => key);

function withSends(...sends: [key: string, channel: number][]): Outbox {
  const outbox = box();
  for (const [key, channel] of sends) outbox.add(key, channel, { do: 'send', text: key }, 0);
  return outbox;
}

describe('sends', () => {
  it('of a channel go one after the other, channels beside each other', () => {
    const outbox = withSends(['a', 7], ['b', 7], ['c', 8]);
    expect(keys(outbox.due(0))).toEqual(['a', 'c']);
    outbox.flies('a');
    expect(keys(outbox.due(0))).toEqual(['c']);
    outbox.confirmed('a', { seq: 1 });
    expect(keys(outbox.due(0))).toEqual(['b', 'c']);
  });

  it('carry their key as nonce, the same at every try', () => {
    const outbox = withSends(['a', 7]);
    const first = outbox.due(0).map(commandOf);
    outbox.flies('a');
    outbox.lost('a');
    expect(outbox.due(0).map(commandOf)).toEqual(first);
    expect(first).toEqual([{ do: 'send', channel: 7, text: 'a', nonce: 'a' }]);
  });

  it('stay until their entry was shown', () => {
    const outbox = withSends(['a', 7]);
    outbox.flies('a');
    outbox.confirmed('a', { seq: 5 });
    expect(outbox.shown(7, 4)).toBe(false);
    expect(keys(outbox.of(7))).toEqual(['a']);
    expect(outbox.shown(7, 5)).toBe(true);
    expect(outbox.of(7)).toEqual([]);
  });

  it('that are refused for good fail, keep their words, and let the next one pass', () => {
    const outbox = withSends(['a', 7], ['b', 7]);
    outbox.flies('a');
    expect(outbox.refused('a', fault('forbidden'), 0)).toBeNull();
    expect(outbox.of(7)[0]).toMatchObject({ state: 'failed', fault: { code: 'forbidden' } });
    expect(keys(outbox.due(0))).toEqual(['b']);
    outbox.retry('a', 9);
    expect(keys(outbox.of(7))).toEqual(['b', 'a']);
    expect(outbox.of(7)[1]).toMatchObject({ state: 'waiting', fault: null });
  });

  it('that can be taken back are those that are not under way', () => {
    const outbox = withSends(['a', 7], ['b', 7]);
    outbox.flies('a');
    expect(outbox.discard('a')).toBeNull();
    expect(outbox.discard('b')?.deed).toEqual({ do: 'send', text: 'b' });
    expect(keys(outbox.all)).toEqual(['a']);
  });
});

describe('a hub that is busy', () => {
  it('is left alone for as long as it says, by all channels', () => {
    const outbox = withSends(['a', 7], ['b', 8]);
    outbox.flies('a');
    outbox.refused('a', fault('rate_limited', { retry_after_ms: 900 }), 100);
    expect(outbox.due(999)).toEqual([]);
    expect(outbox.wakeAt()).toBe(1000);
    expect(keys(outbox.due(1000))).toEqual(['a', 'b']);
  });

  it('is asked again after growing pauses while it is unavailable, without end', () => {
    const outbox = withSends(['a', 7]);
    let now = 0;
    for (let tries = 0; tries < 30; tries++) {
      expect(keys(outbox.due(now))).toEqual(['a']);
      outbox.flies('a');
      outbox.refused('a', fault('unavailable'), now);
      now = outbox.wakeAt();
    }
    expect(outbox.all[0]).toMatchObject({ state: 'waiting', tries: 30 });
  });

  it('that answers with a fault of its own five times has the member decide', () => {
    const outbox = withSends(['a', 7]);
    let now = 0;
    for (let tries = 1; tries <= 5; tries++) {
      expect(outbox.all[0]?.state).toBe('waiting');
      outbox.flies('a');
      outbox.refused('a', fault('internal'), now);
      now += 60_000;
    }
    expect(outbox.all[0]?.state).toBe('failed');
  });
});

describe('what holds no words', () => {
  it('is taken out when it is refused, and told', () => {
    const outbox = box();
    outbox.add('a', 7, { do: 'react', seq: 1, emoji: '👍', on: true }, 0);
    outbox.flies('a');
    expect(outbox.refused('a', fault('conflict'), 0)?.key).toBe('a');
    expect(outbox.all).toEqual([]);
  });

  it('is over when the hub says that it changed nothing', () => {
    const outbox = box();
    outbox.add('a', 7, { do: 'react', seq: 1, emoji: '👍', on: true }, 0);
    outbox.flies('a');
    outbox.confirmed('a', {});
    expect(outbox.all).toEqual([]);
  });

  it('is not told when it had come through before: a deletion of what is deleted', () => {
    const outbox = box();
    outbox.add('a', 7, { do: 'delete', seq: 1 }, 0);
    outbox.flies('a');
    outbox.lost('a');
    outbox.flies('a');
    expect(outbox.refused('a', fault('conflict', { reason: 'deleted' }), 0)).toBeNull();
    expect(outbox.all).toEqual([]);
  });
});

describe('what an earlier page left', () => {
  it('comes first, is asked again when it was under way, and fails no further than before', () => {
    const former = withSends(['a', 7], ['b', 7], ['c', 8]);
    former.flies('a');
    former.flies('c');
    former.refused('c', fault('forbidden'), 0);
    const outbox = withSends(['d', 7]);
    outbox.adopt(JSON.parse(JSON.stringify(former.all)));
    expect(keys(outbox.all)).toEqual(['a', 'b', 'c', 'd']);
    expect(outbox.all.map(({ state }) => state)).toEqual(['waiting', 'waiting', 'failed', 'waiting']);
    outbox.adopt(former.all);
    expect(outbox.all).toHaveLength(4);
  });
});

describe('over any connection', () => {
  it('each channel arrives whole, once and in order', () => {
    const fate = fc.constantFrom('ok', 'lost before', 'lost after', 'busy', 'unavailable');
    fc.assert(
      fc.property(
        fc.array(fc.nat(2), { maxLength: 12 }),
        fc.array(fate, { maxLength: 60 }),
        (channels, fates) => {
          const outbox = box();
          channels.forEach((channel, n) => outbox.add(`${n}`, channel, { do: 'send', text: `${n}` }, 0));
          const stored = new Map<number, string[]>();
          const store = (channel: number, nonce: string) => {
            const log = stored.get(channel) ?? [];
            if (!log.includes(nonce)) stored.set(channel, [...log, nonce]);
          };
          let now = 0;
          while (outbox.all.some(({ state }) => state !== 'done')) {
            for (const job of outbox.due(now)) {
              outbox.flies(job.key);
              const happens = fates.shift() ?? 'ok';
              if (happens === 'ok' || happens === 'lost after') store(job.channel, job.key);
              if (happens === 'ok') outbox.confirmed(job.key, { seq: 1 });
              else if (happens === 'busy') outbox.refused(job.key, fault('rate_limited'), now);
              else if (happens === 'unavailable') outbox.refused(job.key, fault('unavailable'), now);
              else outbox.lost(job.key);
            }
            now += 30_000;
          }
          for (const channel of new Set(channels)) {
            expect(stored.get(channel)).toEqual(
              channels.flatMap((one, n) => (one === channel ? [`${n}`] : [])),
            );
          }
        },
      ),
    );
  });
});
