// Who is signed in here. It begins and ends everything that belongs to an account: the live connection, drafts, the
// outbox, what was read.
import { ApiError, api, type HubInfo, type Me, type Signup } from './api';
import { codes } from './codes.svelte';
import { language } from './language.svelte';
import { forget } from './markdown';
import { rooms } from './rooms.svelte';
import { Store } from './stored';
import { backoff } from './waiting';
import type { Id } from './wire';

const BY_LINK = 'by-link'; // the name under which it is kept that a member came in by a link, until they have a password

export class Session {
  state: 'loading' | 'guest' | 'member' | 'unreachable' = $state('loading');
  /** Why nobody is signed in any more, to be said once. */
  lost: 'signed-out' | null = $state(null);
  me: Me | null = $state.raw(null);
  hub: HubInfo | null = $state.raw(null);
  /** Has no password, or lost it and came in by a link: who does not choose one now is locked out next time. */
  needsPassword = $state(false);
  /** The other tabs of this browser, which share its cookie. */
  private readonly tabs = 'BroadcastChannel' in globalThis ? new BroadcastChannel('hubchat') : null;
  /** As whom rooms are connected: null as a guest, undefined not at all. */
  private connected: Id | null | undefined;
  private tries = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private checking: Promise<void> | null = null;

  constructor() {
    this.tabs?.addEventListener('message', () => void this.start());
  }

  /** Asks the hub who is here; a second call meanwhile joins the first. */
  start(): Promise<void> {
    this.checking ??= this.check().finally(() => (this.checking = null));
    return this.checking;
  }

  async signIn(login: string, password: string, code?: string): Promise<void> {
    await api.signIn(login, password, code);
    await this.begin();
  }

  /** The group that the invitation led into, if there was one. `codes` holds the recovery codes. */
  async signUp(form: Signup): Promise<Id | null> {
    const { me, recovery_codes, group } = await api.signUp(form);
    codes.hold(me, this.hub?.name ?? '', recovery_codes);
    await this.begin();
    return group;
  }

  async recover(login: string, recoveryCode: string, password: string): Promise<void> {
    await api.recover(login, recoveryCode, password);
    await this.begin();
  }

  /** By the code of an operator's link. */
  async signInByLink(code: string): Promise<void> {
    const { me } = await api.signInByLink(code);
    if (!isInvented(me, this.hub)) new Store(me.id).write(BY_LINK, 'yes');
    await this.begin();
  }

  /** Demo hubs only. */
  async continueAs(handle: string): Promise<void> {
    await api.continueAs(handle);
    await this.begin();
  }

  /** Ends the session and wipes what this browser keeps of the account, also when the hub can't be reached. */
  async signOut(): Promise<void> {
    const { me } = this;
    this.disconnect();
    if (me) new Store(me.id).wipe();
    codes.drop();
    this.me = null;
    this.state = 'guest';
    await api.signOut().catch((error: unknown) => {
      if (!(error instanceof ApiError) || error.code !== 'unauthorized') throw error;
    });
    await this.begin();
  }

  async changeMe(change: Parameters<typeof api.changeMe>[0]): Promise<void> {
    this.me = await api.changeMe(change);
    if (change.lang === undefined) return;
    await language.follow(this.me.lang ?? null);
    this.tabs?.postMessage('changed');
  }

  /** Asks the hub once more what it tells me of myself: whether I am `confirmed` changes with time. */
  async refreshMe(): Promise<void> {
    this.me = await api.me();
  }

  /** Ends the other sessions. `old` may be null while I am `confirmed`. */
  async changePassword(old: string | null, password: string): Promise<void> {
    await api.changePassword(old, password);
    if (!this.me) return;
    new Store(this.me.id).write(BY_LINK, null);
    this.me = { ...this.me, has_password: true };
    this.needsPassword = false;
  }

  /** Ten new recovery codes in `codes`; the old ones are dead. */
  async renewCodes(): Promise<void> {
    const { recovery_codes } = await api.renewCodes();
    if (this.me) codes.hold(this.me, this.hub?.name ?? '', recovery_codes);
  }

  private async begin(): Promise<void> {
    this.checking = null;
    await this.start();
    this.lost = null;
    this.tabs?.postMessage('changed');
  }

  private async check(): Promise<void> {
    try {
      clearTimeout(this.timer);
      const me = await this.look();
      await language.follow(me?.lang ?? null);
      this.became(me);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.state === 'loading' || this.state === 'unreachable') this.tryLater();
    }
  }

  /** Who is here; null for a guest, whom the hub is not asked for: it would refuse, and browsers write that down. */
  private async look(): Promise<Me | null> {
    this.hub = await api.hub();
    return this.hub.session ? whoAmI() : null;
  }

  private became(me: Me | null): void {
    this.tries = 0;
    this.me = me;
    this.state = me ? 'member' : 'guest';
    if (me) {
      new Store(me.id).wipeOthers();
      codes.dropOthers(me);
    }
    this.needsPassword = !!me && !isInvented(me, this.hub) && (!me.has_password || cameByLink(me));
    const id = me?.id ?? null;
    if (id === this.connected) return;
    this.disconnect();
    if (!me && !this.hub?.guests) return;
    this.connected = id;
    rooms.start(me, {
      hasEnded: () => this.hasEnded(),
      ended: () => this.ended(),
    });
  }

  private disconnect(): void {
    this.connected = undefined;
    rooms.stop();
    forget();
  }

  private async hasEnded(): Promise<boolean> {
    const me = await this.look().catch(() => undefined);
    return me !== undefined && (me?.id ?? null) !== (this.me?.id ?? null);
  }

  /** The session is over, or another one has begun in another tab: nothing of the former account stays shown. */
  private ended(): void {
    if (this.me) this.lost = 'signed-out';
    this.disconnect();
    this.me = null;
    this.state = 'loading';
    void this.start();
  }

  private tryLater(): void {
    this.state = 'unreachable';
    this.timer = setTimeout(() => void this.start(), backoff(this.tries, Math.random()));
    this.tries += 1;
  }
}

export const session = new Session();

/** One of the people of a demo's story: they have no password, and are entered without. */
function isInvented(me: Me, hub: HubInfo | null): boolean {
  return hub?.demo === true && !me.has_password;
}

function cameByLink(me: Me): boolean {
  return new Store(me.id).read(BY_LINK) !== null;
}

/** Who the session is for; null when it has ended. */
async function whoAmI(): Promise<Me | null> {
  try {
    return await api.me();
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw error;
    // With the cookie of a session that is over nothing is answered, not even what guests may read.
    if (error.reason === 'sign_in_ended') await api.signOut();
    return null;
  }
}
