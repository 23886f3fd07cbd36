import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Log, type Question } from './log';
import { messageOf, type Stored } from './message';
import { TestChannel } from './testing/channel';
import type { Entry, Page } from './wire';

const ANA = 1;
const SELF = { id: ANA, handle: 'ana' };
const BEN = 2;

function loaded(log: Log): Stored[] {
  const { from, to } = log.window(log.at);
  return Array.from({ length: to - from }, (_, index) => log.message(from + index) as Stored);
}
const texts = (log: Log) => loaded(log).map((message) => message.text);

function live(log: Log, channel: TestChannel): void {
  while (log.at < channel.head) expect(log.apply(channel.encoded(log.at + 1))).toBe('applied');
}

describe('live entries', () => {
  it('are shown in their order', () => {
    const channel = new TestChannel();
    channel.send(ANA, 'one');
    channel.send(BEN, 'two');
    const log = new Log(SELF, 0, 1);
    live(log, channel);
    expect(texts(log)).toEqual(['one', 'two']);
    expect(loaded(log).map(({ mine }) => mine)).toEqual([true, false]);
  });

  it('name whom their text names, and an edit may name others', () => {
    const channel = new TestChannel();
    channel.send(BEN, 'ask @ana');
    channel.send(BEN, 'ask somebody', { mentions: [ANA] });
    const log = new Log(SELF, 0, 1);
    live(log, channel);
    expect(loaded(log).map(({ mentionsMe }) => mentionsMe)).toEqual([true, true]);
    channel.edit(BEN, 1, 'ask @carla');
    channel.edit(BEN, 2, 'ask somebody, or @ana');
    live(log, channel);
    expect(loaded(log).map(({ mentionsMe }) => mentionsMe)).toEqual([false, true]);
  });

  it('that came before are passed over, and a gap is told instead of guessed', () => {
    const channel = new TestChannel();
    for (const text of ['one', 'two', 'three']) channel.send(ANA, text);
    const log = new Log(SELF, 0, 1);
    expect(log.apply(channel.encoded(1))).toBe('applied');
    expect(log.apply(channel.encoded(1))).toBe('old');
    expect(log.apply(channel.encoded(3))).toBe('gap');
    expect(log.at).toBe(1);
    expect(texts(log)).toEqual(['one']);
  });

  it('change their targets: edits, reactions, pins and deletions', () => {
    const channel = new TestChannel();
    const log = new Log(SELF, 0, 1);
    channel.send(ANA, 'one');
    live(log, channel);
    channel.edit(ANA, 1, 'uno');
    channel.react(BEN, 1, '👍', true);
    channel.react(ANA, 1, '👍', true);
    channel.pin(BEN, 1, true);
    live(log, channel);
    expect(log.get(1)).toMatchObject({
      text: 'uno',
      pinned: true,
      reactions: [{ emoji: '👍', count: 2, people: [BEN, ANA], mine: true }],
    });
    expect(log.pinned()).toHaveLength(1);
    channel.react(ANA, 1, '👍', false);
    live(log, channel);
    expect(log.get(1)?.reactions).toEqual([{ emoji: '👍', count: 1, people: [BEN], mine: false }]);
    channel.delete(ANA, 1);
    live(log, channel);
    expect(log.get(1)).toMatchObject({ deleted: true, text: '', reactions: [], pinned: false });
  });

  it('that a message holds already, by its rev, are passed over', () => {
    const channel = new TestChannel();
    channel.send(ANA, 'one');
    channel.react(BEN, 1, '👍', true);
    const log = new Log(SELF, 0, 1);
    live(log, channel); // the message comes with its reaction, then the reaction itself comes
    expect(log.get(1)?.reactions).toEqual([{ emoji: '👍', count: 1, people: [BEN], mine: false }]);
  });

  it('name at most twenty people of a reaction and count them all', () => {
    const channel = new TestChannel();
    const log = new Log(SELF, 0, 1);
    channel.send(ANA, 'one');
    live(log, channel);
    for (let person = 10; person < 35; person++) channel.react(person, 1, '👍', true);
    live(log, channel);
    expect(log.get(1)?.reactions[0]).toMatchObject({ count: 25, people: { length: 20 } });
  });
});

describe('a page of history', () => {
  it('joins what came live, without doubles, until nothing older is left', () => {
    const channel = new TestChannel();
    for (let n = 1; n <= 120; n++) channel.send(ANA, `${n}`);
    const log = new Log(SELF, 120, 1);
    channel.send(BEN, '121');
    live(log, channel);
    for (let before = 122; log.window(log.at).span.from > 1; before = log.window(log.at).span.from) {
      expect(log.page({ before }, channel.history({ before }))).toBe('merged');
    }
    expect(texts(log)).toEqual(Array.from({ length: 121 }, (_, index) => `${index + 1}`));
  });

  it('around a place is a window of its own until it meets the rest', () => {
    const channel = new TestChannel();
    for (let n = 1; n <= 300; n++) channel.send(ANA, `${n}`);
    const log = new Log(SELF, 300, 1);
    log.page({ before: 301 }, channel.history({ before: 301 }));
    log.page({ around: 100 }, channel.history({ around: 100 }));
    expect(log.window(100).span).toEqual({ from: 75, to: 124 });
    expect(texts(log)).toHaveLength(50);
    for (let after = 124; after < 300; after = log.window(100).span.to) {
      log.page({ after }, channel.history({ after }));
    }
    expect(log.window(100).span).toEqual({ from: 75, to: 300 });
    expect(texts(log)).toHaveLength(226);
  });

  it('that was read before a change and arrives after it shows the change', () => {
    const channel = new TestChannel();
    channel.send(ANA, 'one');
    channel.send(ANA, 'two');
    const log = new Log(SELF, 2, 1);
    const page = channel.history({ before: 3 });
    channel.edit(ANA, 1, 'uno');
    channel.delete(ANA, 2);
    live(log, channel);
    expect(log.page({ before: 3 }, page)).toBe('merged');
    expect(loaded(log)).toMatchObject([{ text: 'uno' }, { deleted: true, text: '' }]);
  });

  it('that was read before another one does not undo what that one showed', () => {
    const channel = new TestChannel();
    channel.send(ANA, 'one');
    const log = new Log(SELF, 1, 1);
    const older = channel.history({ before: 2 });
    channel.edit(ANA, 1, 'uno');
    log.page({ before: 2 }, channel.history({ before: 2 }));
    log.page({ around: 1 }, older);
    expect(log.get(1)?.text).toBe('uno');
  });

  it('that is older than the changes that are kept is asked for again', () => {
    const channel = new TestChannel();
    channel.send(ANA, 'one');
    const log = new Log(SELF, 1, 1);
    const page = channel.history({ before: 2 });
    for (let n = 0; n < 600; n++) channel.edit(ANA, 1, `${n}`);
    live(log, channel);
    expect(log.page({ before: 2 }, page)).toBe('again');
    expect(log.page({ before: 2 }, channel.history({ before: 2 }))).toBe('merged');
    expect(texts(log)).toEqual(['599']);
  });

  it('ends at the oldest entry that may be had', () => {
    const channel = new TestChannel();
    for (let n = 1; n <= 10; n++) channel.send(ANA, `${n}`);
    const log = new Log({ id: BEN, handle: 'ben' }, 10, 1);
    log.page({ before: 11 }, channel.history({ before: 11 }));
    channel.first = 6; // older ones were removed by retention
    channel.send(ANA, '11');
    live(log, channel);
    log.raiseFirst(6);
    expect([log.first, log.at]).toEqual([6, 11]);
    expect(texts(log)).toEqual(['6', '7', '8', '9', '10', '11']);
    expect(log.window(log.at).span).toEqual({ from: 6, to: 11 });
  });

  it('is not waited for below the oldest entry: live entries begin there', () => {
    const log = new Log({ id: BEN, handle: 'ben' }, 3, 1);
    log.raiseFirst(9);
    const next = { channel: 7, kind: 'message', author: ANA, at: 0, text: 'nine' };
    expect(log.apply({ ...next, seq: 9 })).toBe('applied');
  });

  it('of an empty channel leaves nothing to ask', () => {
    const log = new Log(SELF, 0, 1);
    log.page({ before: 1 }, new TestChannel().history({ before: 1 }));
    expect(log.window(0)).toEqual({ from: 0, to: 0, span: { from: 1, to: 0 } });
  });
});

describe('an edit that does not tell its text', () => {
  it('makes the message stale until history has told it', () => {
    const channel = new TestChannel();
    channel.sinceJoining = true;
    const log = new Log({ id: BEN, handle: 'ben' }, 0, 1);
    channel.send(ANA, 'one');
    live(log, channel);
    channel.edit(ANA, 1, 'uno');
    live(log, channel);
    expect([...log.stale]).toEqual([1]);
    channel.react(BEN, 1, '👍', true);
    const page = channel.history({ around: 1 });
    live(log, channel);
    log.page({ around: 1 }, page);
    expect(log.get(1)).toMatchObject({ text: 'uno', reactions: [{ emoji: '👍', count: 1 }] });
    expect(log.stale.size).toBe(0);
  });
});

describe("one's own send", () => {
  it('keeps the key that it had before it was stored', () => {
    const channel = new TestChannel();
    const log = new Log(SELF, 0, 1);
    log.expect('n-1');
    expect(log.landed('n-1')).toBeNull();
    channel.send(ANA, 'one', { nonce: 'n-1' });
    channel.send(BEN, 'two', { nonce: 'n-1' });
    live(log, channel);
    expect(log.landed('n-1')).toBe(1);
    expect(loaded(log).map(({ key }) => key)).toEqual(['n-1', '2']);
    channel.edit(ANA, 1, 'uno');
    live(log, channel);
    log.page({ before: 4 }, channel.history({ before: 4 }));
    expect(log.get(1)).toMatchObject({ key: 'n-1', text: 'uno' });
  });
});

describe('a restart', () => {
  it('forgets every text and number', () => {
    const channel = new TestChannel();
    channel.send(ANA, 'one');
    const log = new Log(SELF, 0, 1);
    live(log, channel);
    log.restart(90, 40);
    expect(texts(log)).toEqual([]);
    expect(log.get(1)).toBeUndefined();
    expect(log.window(90).span).toEqual({ from: 91, to: 90 });
  });
});

type Step =
  | { do: 'write'; verb: number; pick: number }
  | { do: 'deliver'; count: number }
  | { do: 'ask'; where: number; pick: number }
  | { do: 'answer' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('write' as const), verb: fc.nat(9), pick: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('deliver' as const), count: fc.nat(8) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('ask' as const), where: fc.nat(2), pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.constant({ do: 'answer' as const }) },
);

function write(channel: TestChannel, verb: number, pick: number): void {
  const targets = channel.entries.filter((entry) => entry.kind === 'message' && !entry.deleted);
  const target = targets[pick % Math.max(1, targets.length)]?.seq;
  const author = (pick % 3) + 1;
  if (verb < 5 || target === undefined) channel.send(author, `text ${channel.head}`);
  else if (verb === 5) channel.edit(author, target, `edit ${channel.head}`);
  else if (verb === 6) channel.delete(author, target);
  else if (verb === 7) channel.pin(author, target, pick % 2 === 0);
  else channel.react(author, target, pick % 2 ? '👍' : '❤️', pick % 5 !== 0);
}

function question(log: Log, channel: TestChannel, where: number, pick: number): Question {
  const seq = 1 + (pick % Math.max(1, channel.head));
  return where === 0
    ? { before: log.window(log.at).span.from }
    : where === 1
      ? { after: seq }
      : { around: seq };
}

/** What a message must look like; keys and raw entries apart. */
function look({ key: _k, entry: _e, rev: _r, ...rest }: Stored) {
  const reactions = [...rest.reactions].sort((a, b) => a.emoji.localeCompare(b.emoji));
  return { ...rest, reactions: reactions.map((one) => ({ ...one, people: [...one.people].sort() })) };
}

describe('any interleaving of live entries, changes and late pages', () => {
  for (const sinceJoining of [false, true]) {
    it(`shows the truth at the end (edits ${sinceJoining ? 'without' : 'with'} text)`, () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 120 }), fc.nat(30), (steps, before) => {
          const channel = new TestChannel();
          channel.sinceJoining = sinceJoining;
          for (let n = 0; n < before; n++) write(channel, n % 10, n * 7);
          const log = new Log(SELF, channel.head, 1);
          const answers: [Question, Page][] = [];
          const asked = (asking: Question) => answers.push([asking, channel.history(asking, 5)]);
          const answer = () => {
            const next = answers.shift();
            if (next && log.page(...next) === 'again') asked(next[0]);
          };
          for (const now of steps) {
            if (now.do === 'write') write(channel, now.verb, now.pick);
            else if (now.do === 'ask') asked(question(log, channel, now.where, now.pick));
            else if (now.do === 'answer') answer();
            else
              for (let n = 0; n < now.count && log.at < channel.head; n++)
                log.apply(channel.encoded(log.at + 1));
          }
          live(log, channel);
          while (answers.length) answer();
          while (log.window(log.at).span.from > 1) {
            const asking = { before: log.window(log.at).span.from };
            log.page(asking, channel.history(asking, 5));
          }
          for (const seq of log.stale) log.page({ around: seq }, channel.history({ around: seq }, 1));
          const truth = channel.entries
            .filter((entry: Entry) => entry.kind === 'message')
            .map((entry) => look(messageOf(entry, SELF)));
          expect(loaded(log).map(look)).toEqual(truth);
          expect(log.stale.size).toBe(0);
        }),
        { numRuns: 300 },
      );
    });
  }
});

describe('a room of 100,000 messages', () => {
  it('takes a new entry, an edit and an older page without work in proportion to its size', () => {
    const channel = new TestChannel();
    const log = new Log(SELF, 0, 1);
    const at = 1_700_000_000_000;
    const entry = (seq: number): Entry => ({
      channel: 7,
      seq,
      kind: 'message',
      author: ANA,
      at,
      text: `${seq}`,
    });
    for (let seq = 1; seq <= 100_000; seq++) log.apply(entry(seq));
    const started = performance.now();
    for (let seq = 100_001; seq <= 110_000; seq++) {
      const target = 1 + ((seq * 7919) % 100_000);
      log.apply(
        seq % 2 ? entry(seq) : { channel: 7, seq, kind: 'edit', author: ANA, at, target, text: 'edited' },
      );
    }
    const each_us = ((performance.now() - started) * 1000) / 10_000;
    expect(loaded(log)).toHaveLength(105_000);
    expect(each_us).toBeLessThan(200); // seen: 2; a copy of the list alone would be 300
    expect(channel.head).toBe(0);
  });
});
