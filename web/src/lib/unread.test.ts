import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TestChannel } from './testing/channel';
import { Tally, type Standing } from './unread';

const ANA = 1;
const SELF = { id: ANA, handle: 'ana' };
const BEN = 2;
const standing = (more: Partial<Standing> = {}): Standing => ({
  head: 10,
  read_seq: 10,
  unread: 0,
  mentions: 0,
  ...more,
});

/** The hub's count, as the protocol defines it. */
function truth(channel: TestChannel, readSeq: number): Standing {
  const counted = channel.entries.filter(
    ({ seq, kind, author, deleted }) => seq > readSeq && kind === 'message' && author !== ANA && !deleted,
  );
  const mentions = counted.filter((entry) => entry.mentions?.includes(ANA)).length;
  return { head: channel.head, read_seq: readSeq, unread: counted.length, mentions };
}

describe('unread', () => {
  it("counts others' messages after the read position, and mentions among them", () => {
    const channel = new TestChannel();
    const tally = new Tally(SELF, standing({ head: 0, read_seq: 0 }));
    channel.send(BEN, 'one');
    channel.send(ANA, 'two');
    channel.send(BEN, 'three', { mentions: [ANA] });
    channel.react(BEN, 2, '👍', true);
    channel.append({ kind: 'channel', change: 'title' });
    expect(channel.entries.map((entry) => tally.add(entry))).toEqual([true, false, true, false, false]);
    expect([tally.unread, tally.mentions]).toEqual([2, 1]);
    tally.read(1);
    expect([tally.unread, tally.mentions]).toEqual([1, 1]);
    tally.read(5);
    expect([tally.unread, tally.mentions]).toEqual([0, 0]);
  });

  it('counts who is named by the text alone, where the list of members does not show them', () => {
    const channel = new TestChannel();
    const tally = new Tally(SELF, standing({ head: 0, read_seq: 0 }));
    for (const text of ['ask @Ana', 'ask @ana-maria', 'mail ana@example.org']) channel.send(BEN, text);
    channel.send(ANA, 'I am @ana');
    for (const entry of channel.entries) tally.add(entry);
    expect([tally.unread, tally.mentions]).toEqual([3, 1]);
  });

  it('counts nothing twice that the hub has counted', () => {
    const tally = new Tally(SELF, standing({ unread: 3, read_seq: 5 }));
    expect(tally.add({ channel: 7, seq: 10, kind: 'message', author: BEN, at: 0 })).toBe(false);
    expect(tally.unread).toBe(3);
    expect(tally.add({ channel: 7, seq: 11, kind: 'message', author: BEN, at: 0 })).toBe(true);
    tally.correct(standing({ head: 11, read_seq: 5, unread: 4 }));
    expect(tally.unread).toBe(4);
  });

  it('takes back what is deleted, and asks where it can not know', () => {
    const tally = new Tally(SELF, standing({ unread: 3, read_seq: 5 }));
    tally.add({ channel: 7, seq: 11, kind: 'message', author: BEN, at: 0 });
    tally.add({ channel: 7, seq: 12, kind: 'delete', author: BEN, at: 0, target: 11 });
    expect([tally.unread, tally.unsure]).toEqual([3, false]);
    tally.add({ channel: 7, seq: 13, kind: 'delete', author: BEN, at: 0, target: 4 });
    expect(tally.unsure).toBe(false); // that one was read
    tally.add({ channel: 7, seq: 14, kind: 'delete', author: BEN, at: 0, target: 8 });
    expect(tally.unsure).toBe(true);
  });

  it('believes its own reading when the hub has not heard of it yet', () => {
    const tally = new Tally(SELF, standing({ head: 0, read_seq: 0 }));
    for (const seq of [1, 2, 3]) tally.add({ channel: 7, seq, kind: 'message', author: BEN, at: 0 });
    tally.read(3);
    tally.correct(standing({ head: 3, read_seq: 1, unread: 2 }));
    expect([tally.unread, tally.readSeq]).toEqual([0, 3]);
    tally.correct(standing({ head: 3, read_seq: 3, unread: 0 }));
    expect(tally.unread).toBe(0);
  });

  it('and what has come since is counted beside, once', () => {
    const tally = new Tally(SELF, standing({ head: 0, read_seq: 0 }));
    for (let seq = 1; seq <= 6; seq++) tally.add({ channel: 7, seq, kind: 'message', author: BEN, at: 0 });
    tally.read(5);
    tally.correct(standing({ head: 5, read_seq: 3, unread: 2 }));
    expect(tally.unread).toBe(1);
    tally.add({ channel: 7, seq: 7, kind: 'message', author: BEN, at: 0 });
    tally.correct(standing({ head: 6, read_seq: 3, unread: 3 }));
    expect(tally.unread).toBe(2);
  });

  it('takes the word of the hub alone once its history was replaced', () => {
    const tally = new Tally(SELF, standing({ head: 50, read_seq: 50 }));
    tally.add({ channel: 7, seq: 51, kind: 'message', author: BEN, at: 0 });
    tally.restart(2);
    expect(tally.unread).toBe(1);
    tally.add({ channel: 7, seq: 3, kind: 'message', author: BEN, at: 0 });
    tally.correct(standing({ head: 2, read_seq: 0, unread: 2 }));
    expect([tally.unread, tally.readSeq]).toEqual([3, 0]);
  });

  it('asks after reading a part of what only the hub has counted', () => {
    const tally = new Tally(SELF, standing({ unread: 3, read_seq: 5 }));
    tally.read(7);
    expect(tally.unsure).toBe(true);
    tally.correct(standing({ unread: 1, read_seq: 7 }));
    expect([tally.unread, tally.unsure]).toEqual([1, false]);
  });

  it('is right after any course of events, when it asks where it is unsure', () => {
    const step = fc.record({ verb: fc.nat(4), pick: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const channel = new TestChannel();
        for (let n = 0; n < 5; n++) channel.send(n % 2 ? BEN : ANA, '', n === 3 ? { mentions: [ANA] } : {});
        const tally = new Tally(SELF, truth(channel, 1));
        let readSeq = 1;
        for (const { verb, pick } of steps) {
          const messages = channel.entries.filter(({ kind, deleted }) => kind === 'message' && !deleted);
          const target = messages[pick % Math.max(1, messages.length)];
          if (verb === 3 && target) channel.delete(BEN, target.seq);
          else if (verb < 3) channel.send(pick % 2 ? BEN : ANA, '', pick % 3 ? {} : { mentions: [ANA] });
          if (verb === 4) tally.read((readSeq = Math.max(readSeq, pick % (channel.head + 1))));
          else if (channel.head) tally.add(channel.encoded(channel.head));
          if (tally.unsure) tally.correct(truth(channel, readSeq));
          const { unread, mentions } = truth(channel, readSeq);
          expect([tally.unread, tally.mentions]).toEqual([unread, mentions]);
        }
      }),
    );
  });
});
