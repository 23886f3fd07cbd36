// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { drafts } from './drafts';
import { rooms } from './rooms.svelte';
import { Session } from './session.svelte';
import { ANA, TestHub } from './testing/hub';

let hub: TestHub;
let session: Session;
const settle = (ms = 50) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
  localStorage.clear();
  hub = new TestHub();
  hub.add({ id: 7, slug: 'lung' });
  vi.stubGlobal('fetch', hub.fetch);
  vi.stubGlobal('WebSocket', function () {
    return hub.open();
  });
  session = new Session();
});

afterEach(() => {
  rooms.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('a session', () => {
  it('begins with who is signed in, and connects', async () => {
    await session.start();
    await settle();
    expect([session.state, session.me?.handle, rooms.connection.state]).toEqual(['member', 'ana', 'live']);
  });

  it('is a guest’s when nobody is', async () => {
    hub.me = null;
    await session.start();
    await settle();
    expect([session.state, session.me, rooms.connection.state]).toEqual(['guest', null, 'live']);
    expect(hub.paths).not.toContain('GET /api/v1/me');
  });

  it('says that the hub can not be reached, and begins when it can', async () => {
    hub.isReachable = false;
    await session.start();
    expect(session.state).toBe('unreachable');
    await settle(20_000);
    expect(session.state).toBe('unreachable');
    hub.isReachable = true;
    await settle(30_000);
    expect(session.state).toBe('member');
  });

  it('ends with everything that this browser kept: drafts, unsent messages, rooms', async () => {
    await session.start();
    const room = await rooms.open('lung');
    await settle();
    hub.losesReplies = true;
    room.send('under way');
    drafts.set(7, 'half a thought');
    await settle();
    expect(localStorage.length).toBe(2);
    const ending = session.signOut();
    hub.me = null;
    await ending;
    await settle(1000);
    expect([session.state, session.me]).toEqual(['guest', null]);
    expect(localStorage.length).toBe(0);
    expect(rooms.list).toEqual([]);
    expect(hub.paths).toContain('DELETE /api/v1/session');
  });

  it('that ended elsewhere shows nothing more, and keeps unsent words for the next time', async () => {
    await session.start();
    const room = await rooms.open('lung');
    await settle();
    hub.losesReplies = true;
    room.send('under way');
    await settle();
    hub.me = null;
    hub.cut(4001);
    await settle(1000);
    expect([session.state, session.lost]).toEqual(['guest', 'signed-out']);
    expect(rooms.list).toEqual([]);
    expect(localStorage.length).toBe(1);
  });

  it('that is over is taken off the browser, which reads on as a guest', async () => {
    hub.me = null;
    hub.hasEndedCookie = true;
    await session.start();
    expect(hub.paths).toContain('DELETE /api/v1/session');
    await settle();
    expect([session.state, rooms.connection.state]).toEqual(['guest', 'live']);
  });

  it('takes away what somebody else has left in this browser', async () => {
    localStorage.setItem('hubchat:99:draft:7', 'words of another member');
    localStorage.setItem(`hubchat:${ANA.id}:draft:7`, 'my own');
    await session.start();
    expect(Object.keys(localStorage)).toEqual([`hubchat:${ANA.id}:draft:7`]);
  });

  it('that begins in one tab begins in the others too', async () => {
    hub.me = null;
    await session.start();
    const other = new Session();
    hub.me = ANA;
    await other.continueAs('ana');
    await settle();
    // The word between tabs comes by the event loop, which these timers do not hold.
    vi.useRealTimers();
    await vi.waitFor(() => expect(session.me?.handle).toBe('ana'));
  });

  it('by a link needs a password until one is set, over a reload too', async () => {
    hub.me = null;
    await session.start();
    hub.me = ANA;
    await session.signInByLink('code');
    expect(session.needsPassword).toBe(true);
    const reloaded = new Session();
    await reloaded.start();
    expect(reloaded.needsPassword).toBe(true);
    await reloaded.changePassword(null, 'quiet-lakes-in-winter');
    expect(reloaded.needsPassword).toBe(false);
    await session.start();
    expect(session.needsPassword).toBe(false);
  });

  it('of somebody without a password needs one, except of the demo’s people', async () => {
    hub.me = { ...ANA, has_password: false };
    await session.start();
    expect(session.needsPassword).toBe(true);
    hub.isDemo = true;
    await session.start();
    expect(session.needsPassword).toBe(false);
    hub.me = ANA;
    await session.start();
    expect(session.needsPassword).toBe(false);
  });

  it('that is asked for again stays as it is: rooms that are open are not disturbed', async () => {
    await session.start();
    const room = await rooms.open('lung');
    await settle();
    await session.start();
    await settle();
    expect([hub.sockets.size, await rooms.open('lung')]).toEqual([1, room]);
  });

  it('of somebody else in another tab takes over here too, without what belonged to the former', async () => {
    await session.start();
    await settle();
    expect(rooms.list).toHaveLength(1);
    hub.me = { ...ANA, id: 5, handle: 'eve' };
    hub.change(7, { membership: 'none' });
    hub.cut();
    await settle(5000);
    expect([session.me?.handle, rooms.list.length]).toEqual(['eve', 0]);
    expect(rooms.connection.state).toBe('live');
  });
});
