// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Room } from './room.svelte';
import { Rooms } from './rooms.svelte';
import type { TestChannel } from './testing/channel';
import { ANA, BEN, TestHub } from './testing/hub';

let hub: TestHub;
let rooms: Rooms;
let lung: TestChannel;
let ended: number;

const session = {
  hasEnded: async () => hub.me?.id !== ANA.id,
  ended: () => void (ended += 1),
};

beforeEach(() => {
  vi.useFakeTimers();
  localStorage.clear();
  hub = new TestHub();
  vi.stubGlobal('fetch', hub.fetch);
  ended = 0;
  lung = hub.add({ id: 7, slug: 'lung', title: 'Lung' });
  rooms = new Rooms(hub.open);
});

afterEach(() => {
  rooms.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Lets everything happen that happens within this time. */
const settle = (ms = 50) => vi.advanceTimersByTimeAsync(ms);
const texts = (room: Room) => room.rows.map(({ message }) => message.text);
const states = (room: Room) => room.rows.map(({ message }) => message.state);

async function started(): Promise<void> {
  rooms.start(ANA, session);
  await settle();
}
async function opened(name: string | number = 'lung'): Promise<Room> {
  if (!rooms.loaded) await started();
  const room = await rooms.open(name);
  await settle();
  return room;
}
async function said(text: string, author = BEN, log = lung): Promise<void> {
  log.send(author, text);
  hub.publish(log);
  await settle();
}

describe('my channels', () => {
  it('are listed with what is unread, and counted on live', async () => {
    lung.send(BEN, 'before');
    await started();
    expect(rooms.connection.state).toBe('live');
    expect(rooms.list.map(({ title, unread }) => [title, unread])).toEqual([['Lung', 1]]);
    await said('one');
    lung.send(BEN, 'two', { mentions: [ANA.id] });
    hub.publish(lung);
    expect([rooms.unread, rooms.mentions]).toEqual([3, 1]);
  });

  it('are read once when a page opens, and leave the list when they are not mine any more', async () => {
    await started();
    expect(hub.paths.filter((path) => path === 'GET /api/v1/channels')).toHaveLength(1);
    hub.change(7, { membership: 'requested' });
    await rooms.refresh();
    expect(rooms.list).toEqual([]);
    await said('not for me');
    expect(rooms.unread).toBe(0);
  });

  it('stand in the order in which something happened', async () => {
    const chemo = hub.add({ id: 8, title: 'Chemo', last_at: '2020-01-01T00:00:00Z' });
    await started();
    expect(rooms.list.map(({ title }) => title)).toEqual(['Chemo', 'Lung']);
    await said('news');
    expect(rooms.list.map(({ title }) => title)).toEqual(['Lung', 'Chemo']);
    await said('more', BEN, chemo);
    expect(rooms.list.map(({ title }) => title)).toEqual(['Chemo', 'Lung']);
  });

  it('are corrected by the hub where the client can not count', async () => {
    lung.send(BEN, 'one');
    lung.send(BEN, 'two');
    await started();
    lung.delete(BEN, 1);
    hub.publish(lung);
    await settle(1000);
    expect(rooms.unread).toBe(1);
    hub.change(7, { read_seq: 3 }); // read on another device
    hub.says({ signal: 'inbox', unread: { 7: 0 } });
    await settle(1000);
    expect(rooms.unread).toBe(0);
  });

  it('of conversations are named by the others in them', async () => {
    hub.add({ id: 9, kind: 'conversation', title: null, people: hub.people });
    await started();
    expect(rooms.conversations.map(({ title }) => title)).toEqual(['Ben']);
  });
});

describe('a room', () => {
  it('shows the newest page first and older ones when asked', async () => {
    for (let n = 1; n <= 120; n++) lung.send(ANA.id, `${n}`);
    const room = await opened();
    expect(room.state).toBe('ready');
    expect([room.length, room.atStart, room.atEnd]).toEqual([50, false, true]);
    await Promise.all([room.loadOlder(), room.loadOlder()]);
    await room.loadOlder();
    expect([room.length, room.atStart]).toEqual([120, true]);
    expect(hub.commands('history').filter(({ channel }) => channel === 7)).toHaveLength(3);
  });

  it('begins where the reader left off when much has come since', async () => {
    hub.change(7, { read_seq: 100 });
    for (let n = 1; n <= 300; n++) lung.send(BEN, `${n}`);
    const room = await opened();
    expect(room.newSince).toBe(100);
    expect(room.atEnd).toBe(false);
    expect(room.row(room.index(101))?.newSince).toBe(true);
    await room.toEnd();
    await settle();
    expect([room.atEnd, texts(room).at(-1)]).toEqual([true, '300']);
    await room.loadAround(50);
    expect(room.row(room.index(50))?.message.text).toBe('50');
  });

  it('reads what comes while the reader is attentive, and counts what comes else', async () => {
    const room = await opened();
    room.attend(true);
    await said('one');
    expect([rooms.unread, room.newBelow]).toEqual([0, 0]);
    room.attend(false);
    await said('two');
    await said('three');
    expect([rooms.unread, room.newBelow, room.newSince]).toEqual([2, 2, 1]);
    lung.delete(BEN, 2);
    hub.publish(lung);
    await settle();
    expect([rooms.unread, room.newBelow]).toEqual([1, 1]);
    room.attend(true);
    await settle(3000);
    expect([rooms.unread, room.newBelow, room.newSince]).toEqual([0, 0, 1]);
    expect(hub.commands('read').at(-1)).toMatchObject({ channel: 7, seq: 4 });
  });

  it('counts by itself what is left when a part was read', async () => {
    for (let n = 1; n <= 20; n++) lung.send(BEN, `${n}`, n === 19 ? { mentions: [ANA.id] } : {});
    const room = await opened();
    expect([rooms.unread, rooms.mentions]).toEqual([20, 1]);
    await settle(1000);
    const asked = hub.paths.length;
    room.markRead(12);
    expect([rooms.unread, rooms.mentions]).toEqual([8, 1]);
    await said('21');
    expect(rooms.unread).toBe(9);
    room.markRead(19);
    expect([rooms.unread, rooms.mentions]).toEqual([2, 0]);
    await settle(5000);
    expect([rooms.unread, hub.paths.length]).toEqual([2, asked]);
  });

  it('tells how far it was read at most once a second', async () => {
    const room = await opened();
    room.attend(true);
    for (let n = 0; n < 20; n++) await said(`${n}`);
    await settle(3000);
    expect(hub.commands('read').length).toBeLessThanOrEqual(4);
    expect(hub.commands('read').at(-1)?.seq).toBe(20);
  });

  it('shows who is typing until their message is there', async () => {
    const room = await opened();
    hub.says({ signal: 'typing', channel: 7, person: BEN });
    await settle();
    expect(room.typing.length).toBe(0); // the name is asked for first
    await settle();
    expect(room.typing.map(({ name }) => name)).toEqual(['Ben']);
    await said('done');
    expect(room.typing).toEqual([]);
    room.typed();
    room.typed();
    await settle();
    expect(hub.commands('typing')).toHaveLength(1);
    hub.says({ signal: 'typing', channel: 7, person: BEN });
    expect(room.typing).toHaveLength(1);
    await settle(6000);
    expect(room.typing).toEqual([]);
  });

  it('says again that I write only when the hub passes it on for sure', async () => {
    const room = await opened();
    room.typed();
    await settle(3200); // on its way a second one may catch up with the first
    room.typed();
    await settle();
    expect(hub.commands('typing')).toHaveLength(1);
    await settle(400);
    room.typed();
    await settle();
    expect(hub.commands('typing')).toHaveLength(2);
  });

  it('finds the message that another one answers, once', async () => {
    for (let n = 1; n <= 100; n++) lung.send(ANA.id, `${n}`);
    const room = await opened();
    expect(room.find(3)).toBeUndefined();
    expect(room.find(3)).toBeUndefined();
    await settle();
    expect(room.find(3)?.text).toBe('3');
    expect(room.length).toBe(50);
    expect(hub.commands('history').filter(({ around }) => around === 3)).toHaveLength(1);
  });
});

describe('what I do', () => {
  it('is shown at once, then stored under the same key', async () => {
    const room = await opened();
    room.send('hello');
    const key = room.row(0)?.key;
    expect([texts(room), states(room)]).toEqual([['hello'], ['pending']]);
    await settle();
    expect([texts(room), states(room)]).toEqual([['hello'], ['sent']]);
    expect(room.row(0)?.key).toBe(key);
    expect(localStorage.length).toBe(0);
  });

  it('while offline goes out later, in order and once, though a reply was lost', async () => {
    const room = await opened();
    hub.losesReplies = true;
    room.send('one');
    await settle();
    hub.isReachable = false;
    hub.cut();
    room.send('two');
    room.send('three', 1);
    await settle(5000);
    expect(rooms.connection.state).toBe('waiting');
    expect(states(room)).toEqual(['sent', 'pending', 'pending']);
    hub.losesReplies = false;
    hub.isReachable = true;
    await settle(40_000);
    expect(lung.entries.map(({ text, reply_to }) => [text, reply_to])).toEqual([
      ['one', undefined],
      ['two', undefined],
      ['three', 1],
    ]);
    expect(states(room)).toEqual(['sent', 'sent', 'sent']);
    expect(rooms.connection.state).toBe('live');
  });

  it('survives a reload', async () => {
    const room = await opened();
    hub.isReachable = false;
    hub.cut();
    room.send('kept');
    rooms.stop();
    hub.isReachable = true;
    rooms = new Rooms(hub.open);
    const again = await opened();
    await settle(1000);
    expect(texts(again)).toEqual(['kept']);
    expect(lung.entries).toHaveLength(1);
    expect(localStorage.length).toBe(0);
  });

  it('that is refused for good stays with its words', async () => {
    const room = await opened();
    hub.refuse = ({ do: verb }) =>
      verb === 'send' ? { code: 'forbidden', reason: 'archived', message: '' } : undefined;
    room.send('words');
    await settle();
    expect(room.row(0)?.message).toMatchObject({ state: 'failed', fault: { reason: 'archived' } });
    const key = room.row(0)?.key ?? '';
    hub.refuse = () => undefined;
    room.retry(key);
    await settle();
    expect(states(room)).toEqual(['sent']);
    hub.refuse = ({ do: verb }) =>
      verb === 'edit' ? { code: 'forbidden', reason: 'x', message: '' } : undefined;
    room.edit(1, 'better words');
    await settle();
    expect(room.row(0)?.message).toMatchObject({ text: 'better words', state: 'failed' });
    expect(room.discard(key)).toBe('better words');
    expect(room.row(0)?.message).toMatchObject({ text: 'words', state: 'sent' });
  });

  it('to messages is shown at once: edits, reactions, pins, deletions', async () => {
    await said('one');
    const room = await opened();
    room.react(1, '👍', true);
    expect(room.row(0)?.message.reactions).toMatchObject([{ emoji: '👍', count: 1, mine: true }]);
    room.pin(1, true);
    await settle();
    expect(room.pins).toHaveLength(1);
    expect(lung.at(1)).toMatchObject({ pinned: true, reactions: { '👍': { count: 1, people: [1] } } });
    room.edit(1, 'uno');
    expect(texts(room)).toEqual(['uno']);
    await settle();
    expect(room.row(0)?.message).toMatchObject({ text: 'uno', state: 'sent' });
    room.remove(1);
    expect(room.row(0)?.message.deleted).toBe(true);
    await settle();
    expect(lung.at(1).deleted).toBe(true);
  });

  it('is shown until its entry has come, however late that is', async () => {
    await said('one');
    const room = await opened();
    hub.isLate = true;
    room.edit(1, 'uno');
    room.send('two');
    await settle();
    expect([texts(room), states(room)]).toEqual([
      ['uno', 'two'],
      ['pending', 'pending'],
    ]);
    hub.publish(lung, 2);
    await settle();
    expect([texts(room), states(room)]).toEqual([
      ['uno', 'two'],
      ['sent', 'sent'],
    ]);
  });

  it('without words is undone and told when it is refused', async () => {
    await said('one');
    const room = await opened();
    hub.refuse = ({ do: verb }) =>
      verb === 'react' ? { code: 'conflict', reason: 'reactions_full', message: '' } : undefined;
    room.react(1, '👍', true);
    await settle();
    expect(rooms.mishap).toMatchObject({ what: 'react', channel: 7, fault: { reason: 'reactions_full' } });
    expect(room.row(0)?.message.reactions).toEqual([]);
  });
});

describe('a door', () => {
  it('closes at once: nothing of the room stays', async () => {
    await said('secret');
    const room = await opened();
    expect(texts(room)).toEqual(['secret']);
    hub.change(7, { membership: 'none', role: null });
    hub.revoke(7);
    await settle(1000);
    expect([room.state, room.length, room.find(1)]).toEqual(['revoked', 0, undefined]);
    expect(rooms.list).toEqual([]);
  });

  it('opens without a reload when the request is approved', async () => {
    const closed = hub.add({ id: 8, slug: 'closed', membership: 'none', role: null });
    closed.send(BEN, 'inside');
    const room = await opened('closed');
    expect([room.state, room.length]).toEqual(['locked', 0]);
    hub.change(8, { membership: 'member', role: 'member' });
    const inbox = hub.add({ id: ANA.inbox, kind: 'inbox', title: null });
    inbox.append({ kind: 'notice', reason: 'approved', about: { channel: 8, seq: 1 } });
    hub.publish(inbox);
    await settle(1000);
    expect([room.state, texts(room)]).toEqual(['ready', ['inside']]);
    expect(rooms.list.map(({ id }) => id)).toContain(8);
    await said('live', BEN, closed);
    expect(texts(room)).toEqual(['inside', 'live']);
  });

  it('of a public group that one left stays open to read', async () => {
    const open = hub.add({ id: 8, slug: 'public', visibility: 'public' });
    open.send(BEN, 'hello');
    const room = await opened('public');
    hub.change(8, { membership: 'none', role: null, can: ['join'] });
    hub.revoke(8, 'left');
    await settle(1000);
    expect([room.state, texts(room), room.can('send')]).toEqual(['ready', ['hello'], false]);
    await said('still read', BEN, open);
    expect(texts(room)).toEqual(['hello', 'still read']);
  });

  it('is not knocked at for ever when the hub gives two answers', async () => {
    await said('one');
    const room = await opened();
    hub.refuse = ({ do: verb }) =>
      verb === 'subscribe' ? { code: 'not_found', reason: 'channel_unknown', message: '' } : undefined;
    const before = hub.commands('subscribe').length;
    hub.revoke(7);
    await settle(10_000);
    expect(room.state).toBe('revoked');
    expect(hub.commands('subscribe').length - before).toBeLessThanOrEqual(3);
  });

  it('that is not there is told to whoever asks', async () => {
    await started();
    await expect(rooms.open('nowhere')).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('what was asked for', () => {
  const inbox = () => hub.add({ id: ANA.inbox, kind: 'inbox', title: null });
  const notice = (log: TestChannel, reason: string, more = {}) => {
    log.append({ kind: 'notice', author: null, reason, about: { channel: 8, seq: 1 }, ...more });
    hub.publish(log);
  };

  it('is listed until it is answered, and the answer is news until it was read', async () => {
    const log = inbox();
    hub.add({
      id: 8,
      slug: 'closed',
      title: 'Closed',
      membership: 'requested',
      role: null,
      can: ['withdraw'],
    });
    await started();
    expect(rooms.requested.map(({ id }) => id)).toEqual([8]);
    expect(rooms.membership(8)).toBe('requested');
    hub.change(8, { membership: 'none' });
    notice(log, 'declined', { title: 'Closed', slug: 'closed' });
    await settle(1000);
    expect(rooms.requested).toEqual([]);
    expect(rooms.news.unread).toMatchObject([{ what: 'declined', group: 8, title: 'Closed' }]);
    expect(rooms.news.fresh?.what).toBe('declined');
    rooms.news.read();
    await settle();
    expect(rooms.news.unread).toEqual([]);
    expect(hub.paths).toContain(`PUT /api/v1/channels/${ANA.inbox}/read`);
  });

  it('and was answered while nobody was here is told on opening, once', async () => {
    const log = inbox();
    notice(log, 'approved');
    hub.add({ id: 8, slug: 'closed', title: 'Closed' });
    await started();
    expect(rooms.news.unread).toMatchObject([{ what: 'approved', group: 8 }]);
    expect(rooms.news.fresh).toBeNull();
    hub.change(ANA.inbox, { read_seq: 1 });
    await rooms.refresh();
    expect(rooms.news.unread).toEqual([]);
  });

  it('is no news any more when it was overtaken', async () => {
    const log = inbox();
    notice(log, 'removed', { person: ANA.id, change: 'removed', title: 'Closed' });
    hub.add({ id: 8, slug: 'closed', title: 'Closed' });
    await started();
    expect(rooms.news.unread).toEqual([]);
    expect(rooms.news.ending(8)).toBeNull();
  });

  it('and what others lost is not mine', async () => {
    const log = inbox();
    notice(log, 'removed', { person: BEN, change: 'banned' });
    await started();
    expect(rooms.news.unread).toEqual([]);
    expect(rooms.news.ending(8)).toBeNull();
  });
});

describe('an ending', () => {
  it('is told by its reason, and the room has no rights and is not listed any more', async () => {
    const room = await opened();
    expect(room.can('send')).toBe(true);
    hub.change(7, { membership: 'none', role: null });
    const unknown = { error: { code: 'not_found', reason: 'channel_unknown', message: '' } };
    vi.stubGlobal('fetch', async () => new Response(JSON.stringify(unknown), { status: 404 }));
    hub.revoke(7, 'banned');
    await settle(1000);
    expect([room.state, rooms.news.ending(7), room.can('send')]).toEqual(['revoked', 'banned', false]);
  });

  it('is over when one is let in again', async () => {
    const room = await opened();
    hub.change(7, { membership: 'none', role: null });
    hub.revoke(7, 'removed');
    await settle(1000);
    expect(rooms.news.ending(7)).toBe('removed');
    hub.change(7, { membership: 'member', role: 'member' });
    await rooms.refresh();
    expect(rooms.news.ending(7)).toBeNull();
    expect(room.can('send')).toBe(true);
  });
});

describe('an open group', () => {
  it('is asked how many it has while somebody looks at it, for its roster does not tell', async () => {
    hub.change(7, { visibility: 'open' });
    const room = await opened();
    hub.change(7, { members: 4 });
    await settle(31_000);
    expect(room.channel.members).toBe(4);
    rooms.close(room);
    hub.change(7, { members: 5 });
    await settle(31_000);
    expect(room.channel.members).toBe(4);
  });

  it('lists who writes for the first time', async () => {
    hub.change(7, { visibility: 'open' });
    const room = await opened();
    await said('one');
    expect(room.rosterVersion).toBe(1);
    await said('two');
    expect(room.rosterVersion).toBe(1);
  });
});

describe('after a loss', () => {
  it('goes on where it stood', async () => {
    const room = await opened();
    await said('one');
    hub.cut();
    lung.send(BEN, 'two');
    lung.edit(BEN, 1, 'uno');
    await settle(5000);
    expect(texts(room)).toEqual(['uno', 'two']);
    expect(rooms.unread).toBe(2);
  });

  it('reads again when it was too far behind', async () => {
    const room = await opened();
    await said('one');
    hub.cut();
    for (let n = 0; n < 1200; n++) lung.send(BEN, `${n}`);
    await settle(5000);
    expect(texts(room).at(-1)).not.toBe('one');
    expect(rooms.unread).toBe(1201);
    await room.toEnd();
    await settle();
    expect(texts(room).at(-1)).toBe('1199');
  });

  it('forgets everything when the history was replaced', async () => {
    const room = await opened();
    await said('one');
    await said('two');
    hub.log = 'L2';
    lung = hub.add({ id: 7, slug: 'lung', title: 'Lung' });
    lung.send(BEN, 'another history');
    hub.cut(1012);
    await settle(5000);
    expect(texts(room)).toEqual(['another history']);
    expect(rooms.unread).toBe(1);
    await said('goes on');
    expect(texts(room)).toEqual(['another history', 'goes on']);
  });

  it('begins at the oldest entry that may be had, when retention has passed it', async () => {
    const room = await opened();
    await said('one');
    hub.cut();
    for (let n = 2; n <= 9; n++) lung.send(BEN, `${n}`);
    lung.first = 5;
    await settle(5000);
    expect(texts(room)).toEqual(['5', '6', '7', '8', '9']);
    expect(hub.commands('subscribe').filter(({ channel }) => channel === 7)).toHaveLength(2);
  });

  it('says so when the session is over, or another one has begun', async () => {
    await started();
    hub.me = { ...ANA, id: 5 };
    hub.cut();
    await settle(5000);
    expect([ended, rooms.connection.state]).toEqual([2, 'signed-out']);
  });

  it('asks over HTTP when it can not connect, and stays away when the session is over', async () => {
    await started();
    hub.open().close();
    hub.me = null;
    hub.cut(4001);
    await settle();
    expect([ended, rooms.connection.state]).toEqual([1, 'signed-out']);
  });
});

describe('a guest', () => {
  it('reads public groups and asks who is who over HTTP', async () => {
    hub.me = null;
    hub.change(7, { membership: 'none', role: null });
    const open = hub.add({
      id: 8,
      slug: 'public',
      visibility: 'public',
      membership: 'none',
      role: null,
      can: [],
    });
    open.send(BEN, 'hello');
    rooms.start(null, { hasEnded: async () => false, ended: () => undefined });
    await settle();
    const room = await opened('public');
    expect(texts(room)).toEqual(['hello']);
    expect(rooms.person(BEN)).toBeUndefined();
    await settle();
    expect(rooms.person(BEN)?.name).toBe('Ben');
    expect(hub.commands('people')).toEqual([]);
    await said('live', BEN, open);
    expect(texts(room)).toEqual(['hello', 'live']);
    expect((await opened('lung')).state).toBe('locked');
  });
});

describe('people', () => {
  it('are asked for together, and their presence is followed over connections', async () => {
    await started();
    rooms.watch([BEN]);
    rooms.person(BEN);
    rooms.person(3);
    await settle(500);
    expect(hub.commands('people')).toMatchObject([{ ids: [BEN, 3] }]);
    expect(rooms.presence(BEN)).toBe('online');
    hub.says({ signal: 'presence', people: { [BEN]: 'away' } });
    expect(rooms.presence(BEN)).toBe('away');
    hub.cut();
    expect([rooms.presence(BEN), rooms.presence(ANA.id)]).toEqual(['offline', 'offline']);
    await settle(5000);
    expect(rooms.presence(ANA.id)).toBe('online');
    expect(hub.commands('watch')).toHaveLength(2);
  });
});
