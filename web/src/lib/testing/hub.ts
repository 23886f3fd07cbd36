// A hub in memory for tests of the client, written from the protocol and the interface alone: channels with logs,
// live connections with subscriptions, and the few HTTP paths that the engine itself asks.
import { decode, encode } from '@msgpack/msgpack';
import type { Channel, Me, Person } from '../api';
import type { Question } from '../log';
import type { Command, Entry, Fault, Id, Ok, Seq } from '../wire';
import { TestChannel } from './channel';

type Asked = Command & { id: number };

export const ANA: Me = {
  id: 1,
  handle: 'ana',
  name: 'Ana',
  role: 'member',
  inbox: 90,
  presence: 'shared',
  has_password: true,
  confirmed: false,
};
export const BEN = 2;

/** The browser's end of a connection to the hub. */
class TestSocket {
  binaryType = 'arraybuffer';
  onmessage: ((event: { data: ArrayBuffer }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  readonly follows = new Set<Id>();
  isOpen = true;

  constructor(private readonly hub: TestHub) {
    queueMicrotask(() => this.hub.greet(this));
  }

  send(frame: Uint8Array): void {
    const command = decode(frame) as Asked;
    queueMicrotask(() => this.isOpen && this.hub.hear(this, command));
  }

  close(): void {
    this.isOpen = false;
    this.hub.sockets.delete(this);
  }

  says(message: unknown): void {
    if (!this.isOpen) return;
    const frame = encode(message, { ignoreUndefined: true });
    this.onmessage?.({ data: frame.buffer.slice(frame.byteOffset, frame.byteOffset + frame.byteLength) });
  }

  ends(code: number): void {
    this.close();
    this.onclose?.({ code });
  }
}

export class TestHub {
  log = 'L1';
  me: Me | null = ANA;
  isReachable = true;
  /** Answers to commands are lost from here on, though what they say is done. */
  losesReplies = false;
  /** Entries of what is said come only when a test publishes them. */
  isLate = false;
  readonly sockets = new Set<TestSocket>();
  readonly heard: Asked[] = [];
  readonly paths: string[] = [];
  readonly people: Person[] = [
    { id: 1, handle: 'ana', name: 'Ana' },
    { id: 2, handle: 'ben', name: 'Ben' },
  ];
  /** The browser still has the cookie of a session that is over. */
  hasEndedCookie = false;
  isDemo = false;
  /** Refuses a command, when it says so. */
  refuse: (command: Asked) => Fault | undefined = () => undefined;
  private readonly logs = new Map<Id, TestChannel>();
  private readonly channels = new Map<Id, Channel>();

  constructor() {
    this.add({ id: ANA.inbox, kind: 'inbox', title: null });
  }

  // ------------------------------------------------------------ what tests do

  add(channel: Partial<Channel> & { id: Id }): TestChannel {
    const log = new TestChannel(channel.id);
    this.logs.set(channel.id, log);
    this.channels.set(channel.id, {
      kind: 'group',
      slug: `group-${channel.id}`,
      title: `Group ${channel.id}`,
      visibility: 'closed',
      state: 'open',
      history: 'all',
      role: 'member',
      membership: 'member',
      members: 3,
      can: ['send', 'typing', 'leave'],
      head: 0,
      first: 1,
      read_seq: 0,
      unread: 0,
      mentions: 0,
      ...channel,
    });
    return log;
  }

  /** Changes what a channel is to Ana. */
  change(id: Id, change: Partial<Channel>): void {
    const channel = this.channels.get(id);
    if (channel) this.channels.set(id, { ...channel, ...change });
  }

  /** Tells live readers what a log has got since. */
  publish(log: TestChannel, from: Seq = log.head): void {
    for (let seq = from; seq <= log.head; seq++) {
      for (const socket of this.sockets) if (socket.follows.has(log.id)) socket.says(log.encoded(seq));
    }
  }

  says(message: unknown): void {
    for (const socket of this.sockets) socket.says(message);
  }

  revoke(channel: Id, reason = 'removed'): void {
    for (const socket of this.sockets) socket.follows.delete(channel);
    this.says({ revoked: { channel, reason } });
  }

  cut(code = 1006): void {
    for (const socket of [...this.sockets]) socket.ends(code);
  }

  commands(verb: string): Asked[] {
    return this.heard.filter((command) => command.do === verb);
  }

  // ------------------------------------------------------------ HTTP

  readonly fetch = async (path: string, init: RequestInit = {}): Promise<Response> => {
    this.paths.push(`${init.method ?? 'GET'} ${path}`);
    if (!this.isReachable) throw new TypeError('unreachable');
    const answer = this.answer(path.replace('/api/v1', ''));
    if (answer) return new Response(JSON.stringify(answer));
    const code = path.endsWith('/me') ? 'unauthorized' : 'not_found';
    const reason = this.hasEndedCookie && path.endsWith('/me') ? 'sign_in_ended' : code;
    const error = { code, reason, message: '' };
    return new Response(JSON.stringify({ error }), { status: code === 'unauthorized' ? 401 : 404 });
  };

  private answer(path: string): unknown {
    const [, noun, id] = /^\/(\w+)\/?([^?]*)/.exec(path) ?? [];
    if (noun === 'me') return this.me;
    if (noun === 'hub') {
      const session = this.me !== null || this.hasEndedCookie;
      return { name: 'Hub', guests: true, signup: 'open', demo: this.isDemo, version: '1', session };
    }
    if (noun === 'people') return { items: this.people, next: null };
    if (noun === 'session' || noun === 'demo') return { me: this.me };
    if (noun === 'channels' && !id) {
      const mine = [...this.channels.values()].filter(({ membership }) => membership !== 'none');
      return { items: mine.map((channel) => this.shown(channel.id)), next: null };
    }
    const isId = ([key, { slug }]: [Id, Channel]) => String(key) === id || slug === id;
    const found = [...this.channels].find(isId)?.[0];
    if (found === undefined) return null;
    const channel = this.shown(found);
    return noun === 'channels' && !this.canRead(channel) ? null : channel;
  }

  /** A channel as it is told to Ana now, with the counts that the protocol defines. */
  private shown(id: Id): Channel {
    const channel = this.channels.get(id);
    const log = this.logs.get(id);
    if (!channel || !log) throw new Error(`no channel ${id}`);
    const counted = log.entries.filter(
      ({ seq, kind, author, deleted }) =>
        seq > channel.read_seq && kind === 'message' && author !== this.me?.id && !deleted,
    );
    const mentions = counted.filter((entry) => entry.mentions?.includes(this.me?.id ?? 0)).length;
    const can = this.canRead(channel) ? ['read', ...channel.can] : channel.can;
    return { ...channel, can, head: log.head, first: log.first, unread: counted.length, mentions };
  }

  private canRead({ membership, visibility }: Channel): boolean {
    return membership === 'member' || visibility === 'public' || (visibility === 'open' && this.me !== null);
  }

  // ------------------------------------------------------------ live

  readonly open = (): WebSocket => {
    const socket = new TestSocket(this);
    if (this.isReachable) this.sockets.add(socket);
    else queueMicrotask(() => socket.ends(1006));
    return socket as unknown as WebSocket;
  };

  greet(socket: TestSocket): void {
    if (!this.sockets.has(socket)) return;
    const limits = { message_bytes: 16384, frame_bytes: 65536, subscriptions: 500, commands_per_10s: 100 };
    const welcome = { version: '1', log: this.log, node: 1, time: 0, user: this.me };
    socket.says({ welcome: { ...welcome, limits: { ...limits, open_commands: 64 } } });
  }

  hear(socket: TestSocket, command: Asked): void {
    this.heard.push(command);
    const fault = this.refuse(command);
    if (fault) return socket.says({ re: command.id, error: fault });
    const ok = this.carryOut(socket, command);
    if (ok === null) {
      const error = { code: 'not_found', reason: 'channel_unknown', message: '' };
      return socket.says({ re: command.id, error });
    }
    if (!this.losesReplies) socket.says({ re: command.id, ok });
    if (command.do === 'subscribe') this.replay(socket, command);
    const log = this.logs.get(command.channel ?? 0);
    if (log && !this.isLate && typeof ok.seq === 'number' && ok.seq === log.head) this.publish(log);
  }

  private replay(socket: TestSocket, { channel = 0, after }: Asked): void {
    const log = this.logs.get(channel);
    socket.follows.add(channel);
    if (!log || typeof after !== 'number' || log.head - after > 1000 || after > log.head) return;
    for (let seq = Math.max(after + 1, log.first); seq <= log.head; seq++) socket.says(log.encoded(seq));
  }

  private carryOut(socket: TestSocket, command: Asked): Ok | null {
    const { channel = 0, seq, text, emoji, on, nonce, reply_to, after } = command as Asked & Partial<Entry>;
    const log = this.logs.get(channel);
    if (command.do === 'people') return { people: this.people };
    if (command.do === 'watch') return { online: [BEN] };
    if (!log || !this.canRead(this.shown(channel))) return command.channel === undefined ? {} : null;
    const author = this.me?.id ?? 0;
    switch (command.do) {
      case 'subscribe': {
        const tooFar = after !== undefined && ((after as Seq) > log.head || log.head - (after as Seq) > 1000);
        return { channel, head: log.head, first: log.first, ...(tooFar ? { reset: true } : {}) };
      }
      case 'unsubscribe':
        socket.follows.delete(channel);
        return {};
      case 'history': {
        const { limit = 50, ...question } = command as Question & { limit?: number };
        return { ...log.history(question, limit) };
      }
      case 'send': {
        const stored = log.entries.find((entry) => entry.author === author && entry.nonce === nonce);
        const more = { nonce: nonce ?? '', ...(reply_to === undefined ? {} : { reply_to }) };
        const { seq: at } = stored ?? log.send(author, text ?? '', more);
        return { channel, seq: at, at: 0 };
      }
      case 'edit':
        return { seq: log.edit(author, seq ?? 0, text ?? '').seq };
      case 'delete':
        return { seq: log.delete(author, seq ?? 0).seq };
      case 'pin':
        return { seq: log.pin(author, seq ?? 0, on ?? false).seq };
      case 'react': {
        const change = log.react(author, seq ?? 0, emoji ?? '', on ?? false);
        return change ? { seq: change.seq } : {};
      }
      case 'read':
        this.change(channel, { read_seq: seq ?? 0 });
        return {};
      default:
        return {};
    }
  }
}
