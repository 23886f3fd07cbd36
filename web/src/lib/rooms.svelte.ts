// Everything live that pages show: my channels with what is unread, the rooms that are open, people, the state of
// the connection. It stands between the connection, which brings entries, and the rooms, which show them.
import { SvelteMap } from 'svelte/reactivity';
import { ApiError, api, type Channel, type List, type Me, type Person } from './api';
import { Countdown, type ConnectionState } from './countdown.svelte';
import { Link, type PostDesk } from './link';
import type { LiveState } from './live';
import { Room, type RoomHost } from './room.svelte';
import { LiveError, type Handlers, type OpenSocket } from './socket';
import { Standing } from './standing.svelte';
import type { Command, Entry, Fault, Id, Page, Presence, Seq, Signal, Subscribed } from './wire';

export type RoomSummary = Standing;
export type { ConnectionState } from './countdown.svelte';
export type { Room } from './room.svelte';

export interface Mishap {
  what: 'react' | 'delete' | 'pin';
  channel: Id;
  fault: Fault;
}

const KEPT_ROOMS = 8; // rooms that were left stay readable at once; older ones are read again
const STALE_LIST_MS = 5 * 60_000; // after a longer absence the list is read again
const GATHER_MS = 300; // one question to the hub for many causes
const READ_KNOWN_MS = 2_500; // the hub counts a read position within about two seconds
const KEPT_NOTICES = 50;
const LISTED = new Set(['group', 'conversation']);
// Notices after which a door may have opened or closed.
const DOORS = new Set(['invitation', 'approved', 'declined', 'removed', 'role', 'request']);

/** What the session tells the rooms, and is told by them. */
export interface SessionLink {
  /** Asks over HTTP whether the session is over; false also when nothing answers. */
  hasEnded(): Promise<boolean>;
  /** The session is over, or somebody else is signed in here now. */
  ended(): void;
}

export class Rooms {
  loaded = $state(false);
  mishap: Mishap | null = $state.raw(null);
  /** Notices that came to my inbox while this page was open, newest first. */
  notices: Entry[] = $state.raw([]);
  readonly list: Standing[] = $derived.by(() => this.sorted());
  readonly groups: Standing[] = $derived(this.list.filter(({ kind }) => kind === 'group'));
  readonly conversations: Standing[] = $derived(this.list.filter(({ kind }) => kind === 'conversation'));
  readonly unread: number = $derived(this.list.reduce((sum, { unread }) => sum + unread, 0));
  readonly mentions: number = $derived(this.list.reduce((sum, { mentions }) => sum + mentions, 0));

  private readonly countdown = new Countdown();
  private readonly standings = new SvelteMap<Id, Standing>();
  private readonly rooms = new Map<Id, Room>();
  private readonly openRooms = new Set<Id>();
  /** Channels whose entries come here, and those that were refused since: no loop where the hub gives two answers. */
  private readonly following = new Set<Id>();
  private readonly shut = new Set<Id>();
  private readonly gathered = new Map<string, ReturnType<typeof setTimeout>>();
  private link: Link | null = $state.raw(null);

  constructor(private readonly opener?: OpenSocket) {}

  get connection(): ConnectionState {
    return this.countdown.current;
  }

  // ------------------------------------------------------------ with the session

  /** Connects as a member, or as a guest where `me` is null. */
  start(me: Pick<Me, 'id' | 'inbox'> | null, session: SessionLink): void {
    this.stop();
    const link = new Link(me, this.handlers(session), this.desk(), this.opener);
    this.link = link;
    link.start();
    if (me) void this.refresh();
    else this.loaded = true;
  }

  /** Leaves, and forgets what was read. */
  stop(): void {
    this.link?.stop();
    this.link = null;
    for (const timer of this.gathered.values()) clearTimeout(timer);
    const all = [this.gathered, this.standings, this.rooms, this.openRooms, this.following, this.shut];
    for (const each of all) each.clear();
    this.loaded = false;
    this.notices = [];
    this.mishap = null;
  }

  retryNow(): void {
    this.link?.live.retry();
  }

  /** Reads the list of my channels again; without a connection the former one stays. */
  async refresh(): Promise<void> {
    const { link } = this;
    if (link?.me == null) return;
    const channels = await allChannels().catch((error: unknown) => {
      if (error instanceof ApiError) return null;
      throw error;
    });
    if (!channels || link !== this.link) return;
    const ids = new Set(channels.map(({ id }) => id));
    for (const channel of channels) this.learn(channel);
    for (const id of this.standings.keys()) if (!ids.has(id)) this.forget(id);
    if (!link.live.isSubscribed(link.inbox)) link.live.subscribe(link.inbox, null);
    link.refreshedAt = Date.now();
    this.loaded = true;
  }

  private sorted(): Standing[] {
    return [...this.standings.values()].sort((a, b) => (b.lastAt ?? 0) - (a.lastAt ?? 0));
  }

  private learn(channel: Channel): void {
    const { link } = this;
    if (!link) return;
    const room = this.rooms.get(channel.id);
    if (room) room.channel = channel;
    if (channel.membership !== 'member') return;
    if (LISTED.has(channel.kind)) {
      const standing = this.standings.get(channel.id);
      if (standing) standing.learn(channel);
      else this.standings.set(channel.id, new Standing(channel, link.me));
    } else if (channel.id !== link.inbox) {
      return;
    }
    if (link.live.isSubscribed(channel.id) || this.shut.has(channel.id)) return;
    link.live.subscribe(channel.id, channel.head);
  }

  private forget(channel: Id): void {
    this.standings.delete(channel);
    if (!this.rooms.has(channel)) this.link?.live.unsubscribe(channel);
  }

  /** Does something once for all causes that come within a moment. */
  private gather(name: string, deed: () => Promise<void>, wait_ms = GATHER_MS): void {
    if (this.gathered.has(name)) return;
    const timer = setTimeout(() => {
      this.gathered.delete(name);
      void deed();
    }, wait_ms);
    this.gathered.set(name, timer);
  }

  /** Asks what a channel is now; without an answer the former word stands. */
  private again(channel: Id, wait_ms = GATHER_MS): void {
    const ask = async () => {
      const fresh = await readChannel(channel).catch(() => null);
      if (fresh) this.learn(fresh);
    };
    this.gather(`channel ${channel}`, ask, wait_ms);
  }

  // ------------------------------------------------------------ people

  person(id: Id): Person | undefined {
    return this.link?.people.get(id);
  }

  presence(id: Id): Presence {
    return this.link?.people.presence(id) ?? 'offline';
  }

  /** Whose presence this page shows; replaces the last list. */
  watch(ids: readonly Id[]): void {
    if (this.link?.me != null) this.link.people.watch(ids);
  }

  learnPeople(people: readonly Person[]): void {
    this.link?.people.learn(people);
  }

  // ------------------------------------------------------------ rooms

  /** A room by its slug, by `~ID`, or by its id. Rejects with ApiError. */
  async open(name: string | Id): Promise<Room> {
    const channel = await this.find(name);
    if (channel.people) this.learnPeople(channel.people);
    const known = this.rooms.get(channel.id);
    const room = known ?? this.make(channel);
    room.channel = channel;
    this.openRooms.add(room.id);
    this.rooms.delete(room.id);
    this.rooms.set(room.id, room);
    this.letGo();
    if (!known || !canRead(channel) || room.state !== 'ready') this.enter(room);
    else room.reopen();
    if (channel.roster && channel.membership === 'member') this.link?.live.subscribe(channel.roster, null);
    return room;
  }

  /** The page of a room was left. */
  close(room: Room): void {
    room.left();
    this.openRooms.delete(room.id);
    if (room.channel.roster) this.link?.live.unsubscribe(room.channel.roster);
  }

  private async find(name: string | Id): Promise<Channel> {
    const id = typeof name === 'number' ? name : /^~\d+$/.test(name) ? Number(name.slice(1)) : null;
    for (const { channel } of this.standings.values()) {
      if (id === null ? channel.slug !== name : channel.id !== id) continue;
      this.again(channel.id);
      return channel;
    }
    return id === null ? api.group(name) : readChannel(id);
  }

  private make(channel: Channel): Room {
    return new Room(this.host, channel, this.link?.live.at(channel.id) ?? channel.head);
  }

  /** Lets a reader in, or shows the door. */
  private enter(room: Room): void {
    const { live } = this.link ?? {};
    if (!live || !canRead(room.channel)) return room.lock('locked');
    const at = live.at(room.id);
    if (!live.isSubscribed(room.id)) live.subscribe(room.id, room.channel.head);
    // One that waits for its first reply begins when that says where.
    if (live.isSubscribed(room.id) && live.at(room.id) === null) return;
    room.restart(at ?? room.channel.head, room.channel.first);
  }

  /** Rooms that nobody looks at stay ready, the last few of them. */
  private letGo(): void {
    for (const id of [...this.rooms.keys()]) {
      if (this.rooms.size <= KEPT_ROOMS) return;
      if (this.openRooms.has(id)) continue;
      this.rooms.delete(id);
      if (!this.standings.has(id)) this.link?.live.unsubscribe(id);
    }
  }

  /** After a right was lost or given: a public group that one left can still be read. */
  private async regain(room: Room): Promise<void> {
    const channel = await readChannel(room.id).catch(() => null);
    if (this.rooms.get(room.id) !== room) return;
    if (!channel || !canRead(channel) || this.shut.has(room.id)) {
      if (channel) room.channel = channel;
      room.lock(room.state === 'locked' ? 'locked' : 'revoked');
      return;
    }
    room.channel = channel;
    this.learn(channel);
    this.enter(room);
  }

  private readonly host: RoomHost = {
    me: () => this.link?.me ?? null,
    history: (channel, question) => this.question<Page>({ do: 'history', channel, ...question }),
    jobs: (channel) => this.link?.post?.jobs(channel) ?? [],
    act: (channel, deed) => this.link?.post?.act(channel, deed),
    retry: (key) => this.link?.post?.retry(key),
    discard: (key) => this.link?.post?.discard(key) ?? null,
    typing: (channel) => this.link?.tell({ do: 'typing', channel }),
    read: (channel, seq) => this.read(channel, seq),
    standing: (channel) => this.standings.get(channel) ?? null,
    person: (id) => this.person(id),
  };

  private async question<Answer>(command: Command): Promise<Answer> {
    if (!this.link) throw new LiveError({ code: 'offline', reason: 'offline', message: 'not connected' });
    return (await this.link.live.question(command)) as Answer;
  }

  private read(channel: Id, seq: Seq): void {
    const standing = this.standings.get(channel);
    if (!standing || seq <= standing.readSeq) return;
    const { at, rest } = this.rooms.get(channel)?.rest(seq) ?? { at: 0, rest: null };
    standing.read(seq, at, rest);
    this.link?.reads.read(channel, seq);
    if (standing.isUnsure) this.again(channel, READ_KNOWN_MS);
  }

  // ------------------------------------------------------------ what comes

  private handlers(session: SessionLink): Handlers {
    return {
      state: (state) => this.stateIs(state, session),
      welcome: () => this.welcomed(),
      subscribed: (reply, fresh) => this.subscribed(reply, fresh),
      unreadable: (channel) => this.unreadable(channel),
      entry: (entry) => this.entered(entry),
      signal: (signal) => this.signalled(signal),
      stranger: () => session.ended(),
      hasEnded: () => session.hasEnded(),
    };
  }

  private desk(): PostDesk {
    return {
      changed: (channel) => this.rooms.get(channel)?.jobsChanged(),
      mishap: ({ channel, deed }, fault) =>
        (this.mishap = { what: deed.do as Mishap['what'], channel, fault }),
    };
  }

  private stateIs(state: LiveState, session: SessionLink): void {
    this.countdown.show(state);
    this.link?.post?.opened(state.state === 'live' || state.state === 'catching-up');
    if (state.state === 'signed-out') session.ended();
  }

  private welcomed(): void {
    const { link } = this;
    this.shut.clear();
    if (link?.me == null) return;
    link.welcomed();
    if (!this.loaded || Date.now() - link.refreshedAt > STALE_LIST_MS) void this.refresh();
  }

  private subscribed({ channel, head, first }: Subscribed, fresh: boolean): void {
    this.following.add(channel);
    const room = this.rooms.get(channel);
    if (!fresh) return room?.raiseFirst(first);
    if (room && canRead(room.channel)) room.restart(head, first);
    const standing = this.standings.get(channel);
    standing?.restart(head);
    if (standing) this.gather('list', () => this.refresh());
  }

  private unreadable(channel: Id): void {
    if (!this.following.delete(channel)) this.shut.add(channel);
    const room = this.rooms.get(channel);
    if (room) void this.regain(room);
    if (this.standings.has(channel)) this.gather('list', () => this.refresh());
  }

  private entered(entry: Entry): void {
    const { channel } = entry;
    const standing = this.standings.get(channel);
    standing?.entered(entry);
    this.rooms.get(channel)?.entered(entry);
    this.link?.post?.shown(channel, entry.seq);
    if (standing?.isUnsure || entry.kind === 'channel') this.again(channel);
    if (entry.kind === 'member') this.rosterChanged(channel);
    if (entry.kind === 'notice' && channel === this.link?.inbox) this.noticed(entry);
  }

  private rosterChanged(roster: Id): void {
    for (const room of this.rooms.values()) {
      if (room.channel.roster !== roster) continue;
      room.rosterVersion += 1;
      this.again(room.id);
    }
  }

  private noticed(notice: Entry): void {
    this.notices = [notice, ...this.notices].slice(0, KEPT_NOTICES);
    if (!DOORS.has(notice.reason ?? '')) return;
    this.shut.clear();
    this.gather('list', () => this.refresh());
    for (const room of this.rooms.values()) {
      if (room.state === 'locked' || room.state === 'revoked') void this.regain(room);
      else if (this.openRooms.has(room.id)) this.again(room.id);
    }
  }

  private signalled(signal: Signal): void {
    if (signal.signal === 'typing') this.rooms.get(signal.channel)?.heardTyping(signal.person);
    if (signal.signal === 'presence') this.link?.people.changed(signal.people);
    if (signal.signal === 'audience') this.rooms.get(signal.channel)?.heardAudience(signal.count);
    if (signal.signal !== 'inbox') return;
    for (const [id, unread] of Object.entries(signal.unread)) {
      const standing = this.standings.get(Number(id));
      if (standing && standing.unread !== unread) this.again(standing.id);
    }
  }
}

export const rooms = new Rooms();

const canRead = ({ can }: Channel): boolean => can.includes('read');

async function allChannels(): Promise<Channel[]> {
  const channels: Channel[] = [];
  let cursor: string | null = null;
  do {
    const page: List<Channel> = await api.channels(cursor);
    channels.push(...page.items);
    cursor = page.next ?? null;
  } while (cursor !== null);
  return channels;
}

/** A channel by its id; a group that may not be read still shows its door. */
async function readChannel(id: Id): Promise<Channel> {
  try {
    return await api.channel(id);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'not_found') throw error;
    return api.group(id);
  }
}
