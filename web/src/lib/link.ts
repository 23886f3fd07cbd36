// One session's ties to the hub: its connection, outbox, people, read positions and whether somebody sits here.
// A new session makes a new link, so nothing of one account can reach another.
import { Activity } from './activity';
import { drafts } from './drafts';
import { People } from './people.svelte';
import { Post, type PostOffice } from './post';
import { Reads } from './reads';
import { Live, type Handlers, type OpenSocket } from './socket';
import { Store } from './stored';
import { api, type Person } from './api';
import type { Command, Id, Self } from './wire';

export type PostDesk = Pick<PostOffice, 'changed' | 'mishap'>;

export class Link {
  readonly me: Self | null;
  readonly inbox: Id;
  readonly live: Live;
  /** null for a guest, who writes nothing. */
  readonly post: Post | null = null;
  readonly people: People;
  readonly reads: Reads;
  private readonly activity: Activity;

  constructor(me: (Self & { inbox: Id }) | null, handlers: Handlers, desk: PostDesk, opener?: OpenSocket) {
    this.me = me;
    this.inbox = me?.inbox ?? 0;
    this.live = new Live(me?.id ?? null, handlers, opener);
    this.people = new People({
      people: (ids) => this.look(ids),
      watch: async (people) => (await this.live.ask({ do: 'watch', people })).online as Id[],
    });
    this.reads = new Reads(
      (channel, seq) => this.tell({ do: 'read', channel, seq }, true),
      (channel, seq) => void api.markRead(channel, seq).catch(() => undefined),
    );
    this.activity = new Activity((on) => this.tell({ do: 'idle', on }));
    const store = me && new Store(me.id);
    drafts.belongTo(store);
    if (!store) return;
    this.post = new Post(store, {
      ...desk,
      ask: (command) => this.live.ask(command),
      at: (channel) => this.live.at(channel),
    });
  }

  start(): void {
    this.live.start();
    if (this.post) this.activity.start();
    this.reads.start();
    void this.post?.start();
  }

  stop(): void {
    this.activity.stop();
    this.reads.stop();
    this.post?.stop();
    this.live.stop();
    drafts.belongTo(null);
  }

  /** Guests look people up over HTTP: the live command is for members. */
  private async look(ids: Id[]): Promise<Person[]> {
    if (this.me === null) return (await api.people(ids)).items;
    return (await this.live.question({ do: 'people', ids })).people as Person[];
  }

  /** Says something whose answer changes nothing; `kept`: also after a loss of connection. */
  tell(command: Command, kept = false): void {
    const said = kept ? this.live.question(command) : this.live.ask(command);
    said.catch(() => undefined);
  }

  /** A new connection knows nothing of what the last one was told. */
  welcomed(): void {
    void this.people.watchAgain();
    if (this.activity.isIdle) this.tell({ do: 'idle', on: true });
  }
}
