// Everything live that pages show: my channels with what is unread, the rooms that are open, people, the state of
// the connection. It stands between the connection, which brings entries, and the rooms, which show them.
import { api, type Channel, type Me, type Person } from './api';
import { Countdown, type ConnectionState } from './countdown.svelte';
import { Link, type PostDesk } from './link';
import type { LiveState } from './live';
import { Mine, readChannel } from './mine.svelte';
import { News } from './news.svelte';
import { Room, type RoomHost } from './room.svelte';
import { LiveError, type Handlers, type OpenSocket } from './socket';
import type { Standing } from './standing.svelte';
import type { Command, Entry, Fault, Id, Page, Presence, Self, Seq, Signal, Subscribed } from './wire';

export type RoomSummary = Standing;
export type { ConnectionState } from './countdown.svelte';
export type { Room } from './room.svelte';
export type { Ending, Told } from './news.svelte';

export interface Mishap {
  what: 'react' | 'delete' | 'pin';
  channel: Id;
  fault: Fault;
}

const KEPT_ROOMS = 8; // rooms that were left stay readable at once; older ones are read again
const STALE_LIST_MS = 5 * 60_000; // after a longer absence the list is read again
const READ_KNOWN_MS = 2_500; // the hub counts a read position within about two seconds
const KEPT_NOTICES = 50;
const OLD_NOTICES = 100; // so many of my inbox are read when a page opens
const COUNT_MS = 30_000; // an open group's roster does not tell who came: so often the hub is asked how many there are
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
  mishap: Mishap | null = $state.raw(null);
  /** Notices that came to my inbox while this page was open, newest first. */
  notices: Entry[] = $state.raw([]);
  /** What became of my wish to be in groups. */
  news = $state.raw() as News;
  private readonly countdown = new Countdown();
  private readonly rooms = new Map<Id, Room>();
  private readonly openRooms = new Set<Id>();
  /** How many pages follow a roster, and what ends it for each room. */
  private readonly rosters = new Map<Id, number>();
  private readonly unfollow = new WeakMap<Room, () => void>();
  /** Channels whose entries come here, and those that were refused since: no loop where the hub gives two answers. */
  private readonly following = new Set<Id>();
  private readonly shut = new Set<Id>();
  private counting: ReturnType<typeof setInterval> | undefined;
  private link: Link | null = $state.raw(null);
  private recalled: Link | null = null;
  private mine = $state.raw() as Mine;

  constructor(private readonly opener?: OpenSocket) {
    this.mine = this.listOf(null);
    this.mine.stop();
    this.news = this.newsOf(null);
  }

  get connection(): ConnectionState {
    return this.countdown.current;
  }

  /** Whether the list of my channels has been read. */
  get loaded(): boolean {
    return this.mine.loaded;
  }
  /** My groups and conversations, newest activity first. */
  get list(): Standing[] {
    return this.mine.list;
  }
  get groups(): Standing[] {
    return this.mine.groups;
  }
  get conversations(): Standing[] {
    return this.mine.conversations;
  }
  /** Groups that I asked to join. */
  get requested(): Channel[] {
    return this.mine.waiting.filter(({ membership }) => membership === 'requested');
  }
  /** Groups and conversations that I am invited to. */
  get invited(): Channel[] {
    return this.mine.waiting.filter(({ membership }) => membership === 'invited');
  }
  /** How many ask to join groups in which I decide. */
  get requests(): number {
    return this.groups.reduce((sum, { channel }) => sum + (channel.requests ?? 0), 0);
  }
  get unread(): number {
    return this.mine.unread;
  }
  get mentions(): number {
    return this.mine.mentions;
  }

  /** How I stand to a group, kept up to date; null while the list has not been read. */
  membership(group: Id): Channel['membership'] | null {
    return this.loaded ? this.mine.membership(group) : null;
  }

  /** Who invited me to a channel, as far as my inbox tells. */
  inviter(channel: Id): Person | undefined {
    const id = this.news.inviter(channel);
    return id === null ? undefined : this.person(id);
  }

  // ------------------------------------------------------------ with the session

  /** Connects as a member, or as a guest where `me` is null. */
  start(me: Pick<Me, 'id' | 'handle' | 'inbox'> | null, session: SessionLink): void {
    this.stop();
    this.link = new Link(me, this.handlers(session), this.desk(), this.opener);
    this.mine = this.listOf(me);
    this.news = this.newsOf(me);
    this.link.start();
    this.counting = setInterval(() => this.countAgain(), COUNT_MS);
    void this.refresh();
  }

  /** Leaves, and forgets what was read. */
  stop(): void {
    this.link?.stop();
    this.link = null;
    this.mine.stop();
    clearInterval(this.counting);
    for (const each of [this.rooms, this.openRooms, this.rosters, this.following, this.shut]) each.clear();
    this.notices = [];
    this.news = this.newsOf(null);
    this.mishap = null;
  }

  retryNow(): void {
    this.link?.live.retry();
  }

  /** Reads the list of my channels again; without a connection the former one stays. */
  async refresh(): Promise<void> {
    const { link, mine } = this;
    await mine.refresh();
    if (link !== this.link || link?.me == null || !mine.loaded) return;
    if (!link.live.isSubscribed(link.inbox)) link.live.subscribe(link.inbox, null);
    if (this.recalled === link) return;
    this.recalled = link;
    void this.recall(link);
  }

  private forgetNews(link: Link): void {
    this.news.forget();
    void this.recall(link);
  }

  private newsOf(me: Self | null): News {
    return new News(me?.id ?? null, {
      membership: (group) => this.membership(group),
      // Where it fails the news is told again.
      read: (seq) => void api.markRead(this.link?.inbox ?? 0, seq).catch(() => undefined),
    });
  }

  /** What came to my inbox before this page was opened. */
  private async recall({ inbox }: Link): Promise<void> {
    const { news } = this;
    const page = await this.question<Page>({ do: 'history', channel: inbox, limit: OLD_NOTICES }).catch(
      () => null,
    );
    for (const entry of page?.entries ?? []) if (entry.kind === 'notice') news.hear(entry);
  }

  private countAgain(): void {
    if (document.hidden || !this.isConnected || this.link?.me == null) return;
    for (const id of this.openRooms) {
      const visibility = this.rooms.get(id)?.channel.visibility;
      if (visibility === 'open' || visibility === 'public') this.mine.askSoon(id);
    }
  }

  private listOf(me: Self | null): Mine {
    return new Mine(me, {
      learned: (channel) => this.learned(channel),
      forgotten: (channel) => {
        if (!this.rooms.has(channel)) this.link?.live.unsubscribe(channel);
      },
    });
  }

  private learned(channel: Channel): void {
    const { link } = this;
    const room = this.rooms.get(channel.id);
    if (room) room.channel = channel;
    if (channel.membership === 'member') this.news.began(channel.id);
    if (channel.id === link?.inbox) this.news.readTo(channel.read_seq);
    if (!link || (!this.mine.get(channel.id) && channel.id !== link.inbox)) return;
    if (link.live.isSubscribed(channel.id) || this.shut.has(channel.id)) return;
    link.live.subscribe(channel.id, channel.head);
  }

  // ------------------------------------------------------------ people

  person(id: Id): Person | undefined {
    return this.link?.people.get(id);
  }

  /** `offline` also where nothing is known: of whom I may not see, and while there is no connection. */
  presence(id: Id): Presence {
    if (!this.link || !this.isConnected) return 'offline';
    return id === this.link.me?.id ? 'online' : this.link.people.presence(id);
  }

  /** What is shown of others is true now. */
  get isConnected(): boolean {
    return this.connection.state === 'live' || this.connection.state === 'catching-up';
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
    if (channel.roster && channel.membership === 'member' && !this.unfollow.has(room))
      this.unfollow.set(room, this.followRoster(channel.roster));
    return room;
  }

  /** The page of a room was left. */
  close(room: Room): void {
    room.left();
    this.openRooms.delete(room.id);
    this.unfollow.get(room)?.();
    this.unfollow.delete(room);
  }

  /** For a page that shows who is in a group: it is kept up to date until the function is called. */
  followRoster(roster: Id): () => void {
    const { live } = this.link ?? {};
    if (!live) return () => undefined;
    const pages = this.rosters.get(roster) ?? 0;
    this.rosters.set(roster, pages + 1);
    if (!live.isSubscribed(roster)) live.subscribe(roster, null);
    return () => {
      const left = (this.rosters.get(roster) ?? 1) - 1;
      this.rosters.set(roster, left);
      if (left === 0) live.unsubscribe(roster);
    };
  }

  private async find(name: string | Id): Promise<Channel> {
    const id = idOf(name);
    const mine = this.known(name);
    if (mine) {
      this.mine.askSoon(mine.id);
      return mine.channel;
    }
    return id === null ? api.group(String(name)) : readChannel(id);
  }

  /** One of mine, by its slug, by `~ID`, or by its id. */
  known(name: string | Id): Standing | undefined {
    const id = idOf(name);
    return id === null ? this.mine.bySlug(String(name)) : this.mine.get(id);
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
      if (!this.mine.get(id)) this.link?.live.unsubscribe(id);
    }
  }

  /** After a right was lost or given: a public group that one left can still be read. */
  private async regain(room: Room): Promise<void> {
    const channel = await readChannel(room.id).catch(() => null);
    if (this.rooms.get(room.id) !== room) return;
    if (!channel || !canRead(channel) || this.shut.has(room.id)) {
      room.channel = channel ?? { ...room.channel, membership: 'none', role: null, roster: null, can: [] };
      room.lock(room.state === 'locked' ? 'locked' : 'revoked');
      return;
    }
    this.mine.learn(channel);
    this.enter(room);
  }

  private readonly host: RoomHost = {
    me: () => this.link?.me ?? null,
    history: (channel, question) => this.question<Page>({ do: 'history', channel, ...question }),
    jobs: (channel) => this.link?.post?.jobs(channel) ?? [],
    act: (channel, deed) => {
      this.link?.post?.act(channel, deed);
      this.link?.live.nudge();
    },
    retry: (key) => this.link?.post?.retry(key),
    discard: (key) => this.link?.post?.discard(key) ?? null,
    typing: (channel) => this.link?.tell({ do: 'typing', channel }),
    read: (channel, seq) => this.read(channel, seq),
    standing: (channel) => this.mine.get(channel) ?? null,
    person: (id) => this.person(id),
  };

  private async question<Answer>(command: Command): Promise<Answer> {
    if (!this.link) throw new LiveError({ code: 'offline', reason: 'offline', message: 'not connected' });
    return (await this.link.live.question(command)) as Answer;
  }

  private read(channel: Id, seq: Seq): void {
    const standing = this.mine.get(channel);
    if (!standing || seq <= standing.readSeq) return;
    const { at, rest } = this.rooms.get(channel)?.rest(seq) ?? { at: 0, rest: null };
    standing.read(seq, at, rest);
    this.link?.reads.read(channel, seq);
    if (standing.isUnsure) this.mine.askSoon(channel, READ_KNOWN_MS);
  }

  // ------------------------------------------------------------ what comes

  private handlers(session: SessionLink): Handlers {
    return {
      state: (state) => this.stateIs(state, session),
      welcome: () => this.welcomed(),
      subscribed: (reply, fresh) => this.subscribed(reply, fresh),
      unreadable: (channel, reason) => this.unreadable(channel, reason),
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
    if (!this.loaded || Date.now() - this.mine.readAt_ms > STALE_LIST_MS) void this.refresh();
  }

  private subscribed({ channel, head, first }: Subscribed, fresh: boolean): void {
    this.following.add(channel);
    if (fresh && channel === this.link?.inbox) this.forgetNews(this.link);
    const room = this.rooms.get(channel);
    if (!fresh) return room?.raiseFirst(first);
    if (room && canRead(room.channel)) room.restart(head, first);
    const standing = this.mine.get(channel);
    standing?.restart(head);
    if (standing) this.mine.refreshSoon();
  }

  private unreadable(channel: Id, reason: string): void {
    this.news.ended(channel, reason);
    if (!this.following.delete(channel)) this.shut.add(channel);
    const room = this.rooms.get(channel);
    if (room) void this.regain(room);
    if (this.mine.get(channel)) this.mine.refreshSoon();
  }

  private entered(entry: Entry): void {
    const { channel } = entry;
    const standing = this.mine.get(channel);
    standing?.entered(entry);
    this.rooms.get(channel)?.entered(entry);
    this.link?.post?.shown(channel, entry.seq);
    if (standing?.isUnsure || entry.kind === 'channel') this.mine.askSoon(channel);
    if (entry.kind === 'member') this.rosterChanged(channel);
    if (entry.kind === 'notice' && channel === this.link?.inbox) this.noticed(entry);
  }

  private rosterChanged(roster: Id): void {
    for (const { id, channel } of this.mine.groups) {
      if (channel.roster !== roster) continue;
      const room = this.rooms.get(id);
      if (room) room.rosterVersion += 1;
      this.mine.askSoon(id);
    }
  }

  private noticed(notice: Entry): void {
    this.notices = [notice, ...this.notices].slice(0, KEPT_NOTICES);
    this.news.arrived(notice);
    if (!DOORS.has(notice.reason ?? '')) return;
    this.shut.clear();
    this.mine.refreshSoon();
    for (const room of this.rooms.values()) {
      if (room.state === 'locked' || room.state === 'revoked') void this.regain(room);
      else if (this.openRooms.has(room.id)) this.mine.askSoon(room.id);
    }
  }

  private signalled(signal: Signal): void {
    if (signal.signal === 'typing') this.rooms.get(signal.channel)?.heardTyping(signal.person);
    if (signal.signal === 'presence') this.link?.people.changed(signal.people);
    if (signal.signal === 'audience') this.rooms.get(signal.channel)?.heardAudience(signal.count);
    if (signal.signal !== 'inbox') return;
    // Read on another device.
    if (this.link && String(this.link.inbox) in signal.unread) this.mine.askSoon(this.link.inbox);
    for (const [id, unread] of Object.entries(signal.unread)) {
      const standing = this.mine.get(Number(id));
      if (standing && standing.unread !== unread) this.mine.askSoon(standing.id);
    }
  }
}

export const rooms = new Rooms();

/** The id in `~ID`; null for a slug. */
export function idOf(name: string | Id): Id | null {
  if (typeof name === 'number') return name;
  return /^~\d+$/.test(name) ? Number(name.slice(1)) : null;
}

const canRead = ({ can }: Channel): boolean => can.includes('read');
