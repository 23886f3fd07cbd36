import { describe, expect, it } from 'vitest';
import { LiveCore, type Effect, type Happening } from './live';
import type { Entry, Incoming, Welcome } from './wire';

const ANA = 1;
const limits = {
  message_bytes: 16384,
  frame_bytes: 65536,
  subscriptions: 500,
  commands_per_10s: 100,
  open_commands: 4,
};
const user = { id: ANA, handle: 'ana', name: 'Ana', role: 'member', inbox: 99 };
const welcome = (more: Partial<Welcome> = {}): Incoming => ({
  welcome: { version: '1', log: 'L1', node: 'n', time: 0, user, limits, ...more },
});
const entry = (channel: number, seq: number): Entry => ({ channel, seq, kind: 'message', author: 2, at: 0 });

/** A core with a clock of its own; `random` is always one half. */
class Stage {
  readonly core = new LiveCore(ANA, () => 0.5);
  now = 1_000_000;

  on(happening: Happening): Effect[] {
    return this.core.on(happening, this.now);
  }
  hears(message: Incoming): Effect[] {
    return this.on({ type: 'message', message });
  }
  later(ms: number): Effect[] {
    this.now += ms;
    return this.on({ type: 'tick' });
  }
  get state() {
    return this.core.connection.state;
  }
  get wait_ms() {
    const { connection } = this.core;
    return 'until' in connection ? connection.until - this.now : null;
  }
  connect(): Effect[] {
    this.on({ type: 'start' });
    return this.hears(welcome());
  }
  /** Subscribes and has it answered. */
  follow(channel: number, after: number, head: number): void {
    const { id } = commands(this.on({ type: 'subscribe', channel, after }))[0] ?? { id: 0 };
    this.hears({ re: id, ok: { channel, head, first: 1 } });
  }
}

const commands = (effects: Effect[]) => effects.flatMap((one) => (one.type === 'send' ? [one.command] : []));
const types = (effects: Effect[]) => effects.map(({ type }) => type);
const delivered = (effects: Effect[]) =>
  effects.flatMap((one) => (one.type === 'entry' ? [one.entry.seq] : []));

describe('opening', () => {
  it('asks for the channels it follows, from where it stands, and is live once all have caught up', () => {
    const stage = new Stage();
    stage.on({ type: 'subscribe', channel: 7, after: 3 });
    stage.on({ type: 'subscribe', channel: 8, after: null });
    expect(types(stage.on({ type: 'start' }))).toEqual(['open']);
    expect(stage.state).toBe('connecting');
    const sent = commands(stage.hears(welcome()));
    expect(sent).toEqual([
      { do: 'subscribe', channel: 8, id: 1 },
      { do: 'subscribe', channel: 7, after: 3, id: 2 },
    ]);
    expect(stage.state).toBe('catching-up');
    stage.hears({ re: 1, ok: { channel: 8, head: 0, first: 1 } });
    stage.hears({ re: 2, ok: { channel: 7, head: 5, first: 1 } });
    expect(stage.state).toBe('catching-up');
    expect(delivered(stage.hears(entry(7, 4)))).toEqual([4]);
    expect(stage.state).toBe('catching-up');
    stage.hears(entry(7, 5));
    expect(stage.state).toBe('live');
  });

  it('says when somebody else is signed in by now, and sends nothing in their name', () => {
    const stage = new Stage();
    stage.on({ type: 'ask', key: 1, command: { do: 'send', channel: 7 }, kept: true });
    stage.on({ type: 'start' });
    stage.on({ type: 'ask', key: 2, command: { do: 'people', ids: [1] }, kept: true });
    const effects = stage.hears(welcome({ user: { ...user, id: 2 } }));
    expect(types(effects)).toEqual(['close', 'refuse', 'stranger']);
    expect(stage.state).toBe('signed-out');
  });

  it('gives up on a greeting that does not come, and asks over HTTP why', () => {
    const stage = new Stage();
    stage.on({ type: 'start' });
    expect(stage.later(14_999)).toEqual([]);
    expect(types(stage.later(1))).toEqual(['close', 'probe']);
    expect(stage.state).toBe('waiting');
    expect(types(stage.on({ type: 'ended' }))).toEqual([]);
    expect(stage.state).toBe('signed-out');
  });
});

describe('entries', () => {
  it('are handed out once and in order', () => {
    const stage = new Stage();
    stage.connect();
    stage.follow(7, 0, 0);
    expect([1, 2, 2, 1, 3].flatMap((seq) => delivered(stage.hears(entry(7, seq))))).toEqual([1, 2, 3]);
  });

  it('with a gap between them are asked for again, and none is handed out early', () => {
    const stage = new Stage();
    stage.connect();
    stage.follow(7, 0, 0);
    stage.hears(entry(7, 1));
    const effects = stage.hears(entry(7, 3));
    expect(delivered(effects)).toEqual([]);
    const [again] = commands(effects);
    expect(again).toMatchObject({ do: 'subscribe', channel: 7, after: 1 });
    expect(stage.hears(entry(7, 4))).toEqual([]);
    expect(stage.state).toBe('catching-up');
    stage.hears({ re: again?.id ?? 0, ok: { channel: 7, head: 4, first: 1 } });
    expect([2, 3, 4].flatMap((seq) => delivered(stage.hears(entry(7, seq))))).toEqual([2, 3, 4]);
    expect(stage.state).toBe('live');
  });

  it('of channels that are not followed any more are passed over', () => {
    const stage = new Stage();
    stage.connect();
    stage.follow(7, 0, 0);
    expect(commands(stage.on({ type: 'unsubscribe', channel: 7 }))).toMatchObject([{ do: 'unsubscribe' }]);
    expect(stage.hears(entry(7, 1))).toEqual([]);
    stage.follow(8, 0, 0);
    expect(stage.hears({ revoked: { channel: 8, reason: 'removed' } })).toEqual([
      { type: 'unreadable', channel: 8, reason: 'removed' },
    ]);
    expect(stage.hears(entry(8, 1))).toEqual([]);
  });
});

describe('a subscription', () => {
  it('that is reset goes on at the head and says that what was kept is void', () => {
    const stage = new Stage();
    stage.connect();
    const [command] = commands(stage.on({ type: 'subscribe', channel: 7, after: 3 }));
    const reply = { channel: 7, head: 5000, first: 100, reset: true as const };
    expect(stage.hears({ re: command?.id ?? 0, ok: reply })).toEqual([
      { type: 'subscribed', reply, fresh: true },
    ]);
    expect(delivered(stage.hears(entry(7, 5001)))).toEqual([5001]);
  });

  it('that is refused for now is tried again, one that is refused for good is given up', () => {
    const stage = new Stage();
    stage.connect();
    const [first] = commands(stage.on({ type: 'subscribe', channel: 7, after: 3 }));
    const slow = { code: 'rate_limited', reason: 'too_many_subscriptions', message: '', retry_after_ms: 700 };
    expect(stage.hears({ re: first?.id ?? 0, error: slow })).toEqual([]);
    expect(stage.later(699)).toEqual([]);
    const [again] = commands(stage.later(1));
    expect(again).toMatchObject({ do: 'subscribe', channel: 7, after: 3 });
    const gone = { code: 'not_found', reason: 'channel_unknown', message: '' };
    expect(stage.hears({ re: again?.id ?? 0, error: gone })).toEqual([
      { type: 'unreadable', channel: 7, reason: 'channel_unknown' },
    ]);
    expect(stage.state).toBe('live');
  });

  it('goes on where it stood after a loss, and from the head when history was replaced', () => {
    const stage = new Stage();
    stage.connect();
    stage.follow(7, 0, 0);
    stage.hears(entry(7, 1));
    stage.on({ type: 'closed', code: 1006 });
    stage.later(60_000);
    expect(commands(stage.hears(welcome()))).toMatchObject([{ do: 'subscribe', channel: 7, after: 1 }]);
    stage.on({ type: 'closed', code: 1012 });
    stage.later(60_000);
    const sent = commands(stage.hears(welcome({ log: 'L2' })));
    expect(sent).toHaveLength(1);
    expect(sent[0]).not.toHaveProperty('after');
    const reply = { channel: 7, head: 40, first: 1 };
    expect(stage.hears({ re: sent[0]?.id ?? 0, ok: reply })).toMatchObject([{ fresh: true }]);
  });
});

describe('questions', () => {
  it('wait beyond as many as the hub allows to be open', () => {
    const stage = new Stage();
    stage.connect();
    const sent = [1, 2, 3, 4, 5, 6].map(
      (key) =>
        commands(stage.on({ type: 'ask', key, command: { do: 'history', channel: key }, kept: true })).length,
    );
    expect(sent).toEqual([1, 1, 1, 1, 0, 0]);
    const effects = stage.hears({ re: 2, ok: { more: false } });
    expect(effects[0]).toEqual({ type: 'answer', key: 2, ok: { more: false } });
    expect(commands(effects)).toMatchObject([{ channel: 5 }]);
  });

  it('that may be asked twice survive a loss, others are refused as offline', () => {
    const stage = new Stage();
    stage.connect();
    stage.on({ type: 'ask', key: 1, command: { do: 'history', channel: 7 }, kept: true });
    stage.on({ type: 'ask', key: 2, command: { do: 'send', channel: 7 }, kept: false });
    expect(stage.on({ type: 'closed', code: 1006 })).toMatchObject([
      { type: 'refuse', key: 2, fault: { code: 'offline' } },
    ]);
    expect(stage.on({ type: 'ask', key: 3, command: { do: 'typing' }, kept: false })).toMatchObject([
      { type: 'refuse', key: 3, fault: { code: 'offline' } },
    ]);
    stage.later(60_000);
    expect(commands(stage.hears(welcome()))).toMatchObject([{ do: 'history', channel: 7 }]);
  });

  it('are bounded', () => {
    const stage = new Stage();
    stage.on({ type: 'start' });
    const ask = (key: number) => stage.on({ type: 'ask', key, command: { do: 'people' }, kept: true });
    for (let key = 1; key <= 1000; key++) expect(ask(key)).toEqual([]);
    expect(ask(1001)).toMatchObject([{ type: 'refuse', fault: { code: 'unavailable' } }]);
  });
});

describe('coming back', () => {
  it("keeps to the bye's times, even when a member or the network is impatient", () => {
    const stage = new Stage();
    stage.connect();
    stage.hears({ bye: { code: 1012, reason: 'restarting', reconnect_in_ms: [200, 5000] } });
    stage.on({ type: 'closed', code: 1006 });
    expect(stage.wait_ms).toBe(2600);
    expect(stage.on({ type: 'visible' })).toEqual([]);
    expect(types(stage.later(2600))).toEqual(['open']);
  });

  it('waits longer after each failure, at most half a minute, and begins anew after a good connection', () => {
    const stage = new Stage();
    stage.connect();
    const waits = Array.from({ length: 9 }, () => {
      stage.on({ type: 'closed', code: 1006 });
      const wait_ms = stage.wait_ms ?? 0;
      stage.later(wait_ms);
      return wait_ms;
    });
    expect(waits).toEqual([750, 1500, 3000, 6000, 12_000, 22_500, 22_500, 22_500, 22_500]);
    stage.hears(welcome());
    stage.now += 5_000;
    stage.on({ type: 'closed', code: 1006 });
    expect(stage.wait_ms).toBe(750);
  });

  it('happens at once when the page is looked at, the network is back or a member asks', () => {
    for (const happening of [
      { type: 'visible' },
      { type: 'network', online: true },
      { type: 'retry' },
    ] satisfies Happening[]) {
      const stage = new Stage();
      stage.connect();
      stage.on({ type: 'closed', code: 1006 });
      expect(types(stage.on(happening))).toEqual(['open']);
    }
  });

  it('does not happen by itself after these close codes', () => {
    const stays = { 1000: 'closed', 1001: 'closed', 4001: 'signed-out', 4003: 'removed' };
    for (const [code, state] of Object.entries(stays)) {
      const stage = new Stage();
      stage.connect();
      stage.on({ type: 'closed', code: Number(code) });
      expect(stage.state).toBe(state);
      expect(stage.core.wakeAt).toBe(Infinity);
      expect(types(stage.on({ type: 'retry' }))).toEqual(['open']);
    }
  });

  it('takes a minute at least after too many refused commands', () => {
    const stage = new Stage();
    stage.connect();
    stage.on({ type: 'closed', code: 4009 });
    expect(stage.state).toBe('slowed');
    expect(stage.wait_ms).toBe(75_000);
    expect(stage.on({ type: 'visible' })).toEqual([]);
  });

  it('heeds a bye that came in place of a welcome', () => {
    const stage = new Stage();
    stage.on({ type: 'start' });
    stage.hears({ bye: { code: 4003, reason: 'account_ended' } });
    stage.on({ type: 'closed', code: 1006 });
    expect(stage.state).toBe('removed');
  });
});

describe('without a network', () => {
  it('says offline while it waits, and tries again as soon as there is one', () => {
    const stage = new Stage();
    stage.connect();
    expect(commands(stage.on({ type: 'network', online: false }))).toMatchObject([{ do: 'ping' }]);
    expect(stage.state).toBe('live'); // on a machine of one's own the hub is still there
    expect(types(stage.later(4_000))).toEqual(['close']);
    expect(stage.state).toBe('offline');
    expect(types(stage.on({ type: 'network', online: true }))).toEqual(['open']);
  });
});

describe('a silent connection', () => {
  it('is asked after 40 s and given up after 65', () => {
    const stage = new Stage();
    stage.connect();
    expect(stage.core.wakeAt - stage.now).toBe(40_000);
    expect(commands(stage.later(40_000))).toMatchObject([{ do: 'ping' }]);
    expect(stage.core.wakeAt - stage.now).toBe(25_000);
    expect(commands(stage.later(10_000))).toEqual([]);
    expect(types(stage.later(15_000))).toEqual(['close']);
    expect(stage.state).toBe('waiting');
  });

  it('lives on when anything is heard', () => {
    const stage = new Stage();
    stage.connect();
    const [ping] = commands(stage.later(40_000));
    stage.hears({ re: ping?.id ?? 0, ok: { time: 1 } });
    expect(stage.later(39_999)).toEqual([]);
    expect(stage.state).toBe('live');
  });

  it('is asked at once when the page wakes, and must answer soon', () => {
    const stage = new Stage();
    stage.connect();
    expect(commands(stage.on({ type: 'visible' }))).toMatchObject([{ do: 'ping' }]);
    expect(types(stage.later(4_000))).toEqual(['close']);
  });
});
