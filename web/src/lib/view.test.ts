import { beforeEach, describe, expect, it } from 'vitest';
import { Log } from './log';
import type { Deed, Job } from './outbox';
import { TestChannel } from './testing/channel';
import { View } from './view';

const ANA = 1;
const SELF = { id: ANA, handle: 'ana' };
const BEN = 2;
const MINUTE_MS = 60_000;
const NOON = new Date(2026, 10, 24, 12).getTime();

let channel: TestChannel;
let log: Log;
let view: View;

beforeEach(() => {
  channel = new TestChannel();
  log = new Log(SELF, 0, 1);
  view = new View(log, ANA);
});

function live(): void {
  while (log.at < channel.head) log.apply(channel.encoded(log.at + 1));
}
function job(key: string, deed: Deed, more: Partial<Job> = {}): Job {
  const fresh = { state: 'waiting', tries: 0, notBefore: 0, seq: null, fault: null } as const;
  return { key, channel: 7, deed, at: NOON, ...fresh, ...more };
}
const rows = () => Array.from({ length: view.length }, (_, index) => view.row(index));
const said = (author: number, at: number) => channel.send(author, 'words', { at });

describe('groups and days', () => {
  it('put one author within five minutes together', () => {
    said(ANA, NOON);
    said(ANA, NOON + 4 * MINUTE_MS);
    said(ANA, NOON + 9 * MINUTE_MS);
    said(BEN, NOON + 10 * MINUTE_MS);
    live();
    expect(rows().map((row) => row?.starts)).toEqual([true, false, true, true]);
  });

  it('begin anew after what is not a message, and with an answer', () => {
    said(ANA, NOON);
    channel.append({ kind: 'channel', author: ANA, change: 'title', at: NOON });
    said(ANA, NOON);
    channel.send(ANA, 'words', { at: NOON, reply_to: 1 });
    live();
    expect(rows().map((row) => row?.starts)).toEqual([true, true, true, true]);
  });

  it('draw a line above the first row and each new day', () => {
    said(ANA, NOON);
    said(ANA, NOON + MINUTE_MS);
    said(ANA, NOON + 24 * 60 * MINUTE_MS);
    live();
    expect(rows().map((row) => row?.day)).toEqual([NOON, null, NOON + 24 * 60 * MINUTE_MS]);
  });
});

describe('the "new since" line', () => {
  it('stands above the first message after what was read', () => {
    for (let n = 0; n < 4; n++) said(BEN, NOON);
    live();
    view.newSince = 2;
    expect(rows().map((row) => row?.newSince)).toEqual([false, false, true, false]);
  });

  it('stands at the top when all is new, and nowhere while its place is not loaded', () => {
    for (let n = 0; n < 100; n++) said(BEN, NOON);
    log = new Log(SELF, 100, 1);
    view = new View(log, ANA);
    log.page({ before: 101 }, channel.history({ before: 101 }));
    view.newSince = 10;
    expect(rows().filter((row) => row?.newSince)).toEqual([]);
    log.page({ before: 51 }, channel.history({ before: 51 }));
    expect(rows().findIndex((row) => row?.newSince)).toBe(10);
    view.newSince = 0;
    expect(rows().findIndex((row) => row?.newSince)).toBe(0);
  });
});

describe('what is pending', () => {
  it('stands below the newest until its entry has come, under the same key', () => {
    said(BEN, NOON);
    live();
    view.setJobs([
      job('n-1', { do: 'send', text: 'mine' }),
      job('n-2', { do: 'send', text: 'too' }, { state: 'failed' }),
    ]);
    expect(rows().map((row) => [row?.key, row?.message.state, row?.message.text])).toEqual([
      ['1', 'sent', 'words'],
      ['n-1', 'pending', 'mine'],
      ['n-2', 'failed', 'too'],
    ]);
    channel.send(ANA, 'mine', { nonce: 'n-1' });
    live();
    expect(rows().map((row) => [row?.key, row?.message.state])).toEqual([
      ['1', 'sent'],
      ['n-1', 'sent'],
      ['n-2', 'failed'],
    ]);
  });

  it('shows edits, reactions, pins and deletions on their targets', () => {
    for (let n = 0; n < 4; n++) said(ANA, NOON);
    channel.react(ANA, 4, '👍', true);
    live();
    view.setJobs([
      job('a', { do: 'edit', seq: 1, text: 'better' }),
      job('b', { do: 'delete', seq: 2 }),
      job('c', { do: 'react', seq: 3, emoji: '❤️', on: true }),
      job('d', { do: 'react', seq: 4, emoji: '👍', on: false }),
      job('e', { do: 'pin', seq: 4, on: true }),
    ]);
    expect(rows().map((row) => row?.message)).toMatchObject([
      { text: 'better', state: 'pending' },
      { deleted: true, text: '' },
      { reactions: [{ emoji: '❤️', count: 1, people: [ANA], mine: true }] },
      { reactions: [], pinned: true },
    ]);
    view.setJobs([]);
    expect(rows()[0]?.message).toMatchObject({ text: 'words', state: 'sent' });
  });

  it('shows nothing twice when the entry comes before the answer', () => {
    said(ANA, NOON);
    live();
    view.setJobs([job('a', { do: 'react', seq: 1, emoji: '👍', on: true }, { state: 'flying' })]);
    channel.react(ANA, 1, '👍', true);
    live();
    expect(view.row(0)?.message.reactions).toEqual([{ emoji: '👍', count: 1, people: [ANA], mine: true }]);
  });

  it('is not shown below another place in history', () => {
    for (let n = 0; n < 200; n++) said(BEN, NOON);
    log = new Log(SELF, 200, 1);
    view = new View(log, ANA);
    log.page({ before: 201 }, channel.history({ before: 201 }));
    log.page({ around: 50 }, channel.history({ around: 50 }));
    view.setJobs([job('n-1', { do: 'send', text: 'mine' })]);
    expect(view.length).toBe(51);
    view.moveTo(50);
    expect([view.length, view.atEnd, view.atStart]).toEqual([50, false, false]);
    expect([view.index(50), view.index(180)]).toEqual([25, -1]);
    expect(view.row(25)?.message.seq).toBe(50);
  });
});

describe('a row', () => {
  it('stays the same object while it looks the same', () => {
    said(BEN, NOON);
    said(BEN, NOON);
    live();
    const before = rows();
    said(BEN, NOON);
    channel.edit(BEN, 2, 'better');
    live();
    expect(view.row(0)).toBe(before[0]);
    expect(view.row(1)).not.toBe(before[1]);
  });
});
