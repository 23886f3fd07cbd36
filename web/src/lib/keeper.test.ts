// @vitest-environment jsdom
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { drafts } from './drafts';
import { Keeper } from './keeper';
import { Outbox } from './outbox';
import { Store } from './stored';

const ANA = 1;
const BEN = 2;
const box = () => new Outbox(() => 0);
const texts = (outbox: Outbox) => outbox.all.map(({ deed }) => ('text' in deed ? deed.text : deed.do));

/** Locks as a browser has them: one holder a name, gone when its page is. */
class Locks {
  readonly held = new Set<string>();
  async request(name: string, ...rest: unknown[]): Promise<unknown> {
    const grant = rest.at(-1) as (lock: unknown) => Promise<unknown> | unknown;
    if (this.held.has(name)) return grant(null);
    this.held.add(name);
    try {
      return await grant({ name });
    } finally {
      this.held.delete(name);
    }
  }
}

beforeEach(() => {
  localStorage.clear();
  vi.stubGlobal('navigator', { locks: new Locks() });
});

describe('the outbox of a page', () => {
  it('is taken over by the next page once it is gone, and not before', async () => {
    const first = box();
    const keeper = new Keeper(new Store(ANA), first);
    await keeper.start();
    first.add('n-1', 7, { do: 'send', text: 'kept' }, 0);
    keeper.save();

    const beside = box();
    await new Keeper(new Store(ANA), beside).start();
    expect(texts(beside)).toEqual([]);

    keeper.stop();
    await Promise.resolve();
    const next = box();
    await new Keeper(new Store(ANA), next).start();
    expect(texts(next)).toEqual(['kept']);
    const last = box();
    await new Keeper(new Store(ANA), last).start();
    expect(texts(last)).toEqual([]);
  });

  it('belongs to its account alone', async () => {
    const keeper = new Keeper(new Store(ANA), box());
    await keeper.start();
    const anas = box();
    anas.add('n-1', 7, { do: 'send', text: 'private' }, 0);
    new Keeper(new Store(ANA), anas).save();
    const bens = box();
    await new Keeper(new Store(BEN), bens).start();
    expect(texts(bens)).toEqual([]);
  });

  it('is read without locks too, and what can not be read is passed over', async () => {
    vi.stubGlobal('navigator', {});
    const first = box();
    first.add('n-1', 7, { do: 'send', text: 'kept' }, 0);
    new Keeper(new Store(ANA), first).save();
    new Store(ANA).write('outbox:broken', '{"half":');
    const next = box();
    await new Keeper(new Store(ANA), next).start();
    expect(texts(next)).toEqual(['kept']);
  });

  it('lives as long as the page where the browser stores nothing', () => {
    const refuse = vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
      throw new DOMException('full', 'QuotaExceededError');
    });
    const store = new Store(ANA);
    store.write('draft:7', 'words');
    expect(store.read('draft:7')).toBe('words');
    refuse.mockRestore();
    expect(new Store(ANA).read('draft:7')).toBeNull();
  });
});

describe('signing out', () => {
  it("wipes the account's drafts and unsent messages and nobody else's", () => {
    const ana = new Store(ANA);
    drafts.belongTo(ana);
    drafts.set(7, 'half a thought');
    ana.write('outbox:1', '[]');
    new Store(BEN).write('draft:7', 'bens');
    localStorage.setItem('other', 'program');
    expect(drafts.get(7)).toBe('half a thought');
    ana.wipe();
    expect(drafts.get(7)).toBe('');
    expect(Object.keys(localStorage).sort()).toEqual(['hubchat:2:draft:7', 'other']);
  });

  it('leaves a guest without drafts', () => {
    drafts.belongTo(null);
    drafts.set(7, 'words');
    expect(drafts.get(7)).toBe('');
    expect(localStorage.length).toBe(0);
  });
});
