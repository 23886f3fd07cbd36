// The list of my channels, kept true: read over HTTP, counted on by live entries, and asked again where counting is
// not enough. What happens to a channel beyond the list is its follower's business.
import { SvelteMap } from 'svelte/reactivity';
import { ApiError, api, type Channel, type List } from './api';
import { Standing } from './standing.svelte';
import type { Id, Self } from './wire';

export interface Follower {
  /** The hub has told what a channel is now. */
  learned(channel: Channel): void;
  /** It is not mine any more. */
  forgotten(channel: Id): void;
}

const GATHER_MS = 300; // one question to the hub for many causes
const LISTED = new Set(['group', 'conversation']);

export class Mine {
  loaded = $state(false);
  readonly list: Standing[] = $derived.by(() => this.sorted());
  readonly groups: Standing[] = $derived(this.list.filter(({ kind }) => kind === 'group'));
  readonly conversations: Standing[] = $derived(this.list.filter(({ kind }) => kind === 'conversation'));
  readonly unread: number = $derived(this.list.reduce((sum, { unread }) => sum + unread, 0));
  readonly mentions: number = $derived(this.list.reduce((sum, { mentions }) => sum + mentions, 0));
  readAt_ms = 0;

  /** What I asked to join or am invited to. */
  readonly waiting: Channel[] = $derived.by(() => [...this.doors.values()]);

  private readonly standings = new SvelteMap<Id, Standing>();
  private readonly doors = new SvelteMap<Id, Channel>();
  private readonly gathered = new Map<string, ReturnType<typeof setTimeout>>();
  private reading: Promise<void> | null = null;

  constructor(
    private readonly me: Self | null,
    private readonly follower: Follower,
  ) {
    // A guest has none.
    this.loaded = me === null;
  }

  get(channel: Id): Standing | undefined {
    return this.standings.get(channel);
  }

  /** How I stand to a group, by the list. */
  membership(channel: Id): Channel['membership'] {
    if (this.standings.has(channel)) return 'member';
    return this.doors.get(channel)?.membership ?? 'none';
  }

  bySlug(slug: string): Standing | undefined {
    return this.list.find((standing) => standing.slug === slug);
  }

  stop(): void {
    for (const timer of this.gathered.values()) clearTimeout(timer);
    this.gathered.clear();
    this.standings.clear();
    this.doors.clear();
    this.loaded = false;
  }

  /** Reads the list again; without an answer the former one stays. A second call meanwhile joins the first. */
  refresh(): Promise<void> {
    if (this.me === null) return Promise.resolve();
    this.reading ??= this.read().finally(() => (this.reading = null));
    return this.reading;
  }

  /** The same, once for all causes that come within a moment. */
  refreshSoon(): void {
    this.gather('list', () => this.refresh(), GATHER_MS);
  }

  /** Asks what one channel is now; without an answer the former word stands. */
  askSoon(channel: Id, wait_ms = GATHER_MS): void {
    const ask = async () => {
      const fresh = await readChannel(channel).catch(() => null);
      if (fresh) this.learn(fresh);
    };
    this.gather(`channel ${channel}`, ask, wait_ms);
  }

  learn(channel: Channel): void {
    const standing = this.standings.get(channel.id);
    if (channel.membership === 'requested' || channel.membership === 'invited')
      this.doors.set(channel.id, channel);
    else this.doors.delete(channel.id);
    if (channel.membership !== 'member') this.forget(channel.id);
    else if (standing) standing.learn(channel);
    else if (LISTED.has(channel.kind)) this.standings.set(channel.id, new Standing(channel, this.me));
    this.follower.learned(channel);
  }

  private async read(): Promise<void> {
    const channels = await allChannels().catch((error: unknown) => {
      if (error instanceof ApiError) return null;
      throw error;
    });
    if (!channels) return;
    const ids = new Set(channels.map(({ id }) => id));
    for (const channel of channels) this.learn(channel);
    for (const id of [...this.standings.keys()]) if (!ids.has(id)) this.forget(id);
    for (const id of [...this.doors.keys()]) if (!ids.has(id)) this.doors.delete(id);
    this.readAt_ms = Date.now();
    this.loaded = true;
  }

  private forget(channel: Id): void {
    if (this.standings.delete(channel)) this.follower.forgotten(channel);
  }

  private sorted(): Standing[] {
    return [...this.standings.values()].sort((a, b) => (b.lastAt ?? 0) - (a.lastAt ?? 0));
  }

  private gather(name: string, deed: () => Promise<void>, wait_ms: number): void {
    if (this.gathered.has(name)) return;
    const timer = setTimeout(() => {
      this.gathered.delete(name);
      void deed();
    }, wait_ms);
    this.gathered.set(name, timer);
  }
}

/** A channel by its id; a group that may not be read still shows its door. */
export async function readChannel(id: Id): Promise<Channel> {
  try {
    return await api.channel(id);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'not_found') throw error;
    return api.group(id);
  }
}

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
