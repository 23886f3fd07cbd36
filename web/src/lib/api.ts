// The HTTP interface as typed functions: one line a path. A failed call throws ApiError, whose `reason` the
// catalogue turns into words. Times in answers are RFC 3339, as the interface gives them.
import type { Fault, Id, Page, Seq } from './wire';

export interface Person {
  id: Id;
  handle: string;
  name: string;
  badge?: string;
  bot?: true;
  gone?: true;
}

export interface Me {
  id: Id;
  handle: string;
  name: string;
  role: 'member' | 'moderator' | 'admin';
  inbox: Id;
  about?: string | null;
  email?: string | null;
  email_confirmed?: boolean;
  lang?: string | null;
  presence: 'shared' | 'conversations' | 'nobody';
  findable?: boolean;
  industry?: boolean;
  /** Without one only a link of the people who run the hub signs in. */
  has_password: boolean;
  /** What wants the password just given may be done now, without it. */
  confirmed: boolean;
  created_at?: string;
}

export type MeChange = Partial<
  Pick<Me, 'name' | 'about' | 'email' | 'lang' | 'presence' | 'findable' | 'industry'>
>;

export interface SignedIn {
  me: Me;
  /** After a recovery code was used. */
  recovery_codes_left?: number;
}

export interface HubInfo {
  name: string;
  guests: boolean;
  signup: 'open' | 'invited' | 'closed';
  demo: boolean;
  demo_members?: { id: Id; handle: string; name: string }[];
  version: string;
  /** This browser has the cookie of a session, which may have ended. */
  session: boolean;
  other_url?: string;
}

export type Visibility = 'public' | 'open' | 'closed' | 'secret';
export type Role = 'owner' | 'moderator' | 'member';
/** What a caller may do in a channel; the hub may name more. */
export type Right =
  | 'see'
  | 'read'
  | 'send'
  | 'edit'
  | 'react'
  | 'typing'
  | 'pin'
  | 'mark_read'
  | 'delete_own'
  | 'delete_any'
  | 'revisions'
  | 'see_members'
  | 'see_all_members'
  | 'join'
  | 'request'
  | 'accept'
  | 'withdraw'
  | 'leave'
  | 'invite'
  | 'decide'
  | 'remove'
  | 'ban'
  | 'set_role'
  | 'change'
  | 'change_visibility'
  | 'archive'
  | 'delete'
  | (string & {});

export interface Channel {
  id: Id;
  kind: 'group' | 'conversation' | 'roster' | 'inbox' | (string & {});
  slug?: string | null;
  title: string | null;
  about?: string | null;
  visibility?: Visibility | null;
  lang?: string | null;
  state: 'open' | 'archived';
  history: 'all' | 'since_joining';
  role: Role | null;
  membership: 'member' | 'requested' | 'invited' | 'none';
  /** A count, or "fewer than 10" where a small number would say too much. */
  members: number | string;
  roster?: Id | null;
  /** How many ask to come in; told to those who decide. */
  requests?: number;
  can: Right[];
  people?: Person[];
  head: Seq;
  first: Seq;
  read_seq: Seq;
  unread: number;
  mentions: number;
  last_at?: string | null;
}

export interface Member {
  person: Person;
  role: Role;
  joined_at: string;
}
export interface JoinRequest {
  person: Person;
  word?: string | null;
  at: string;
}
export interface Invite {
  id: Id;
  handle?: string | null;
  uses_left: number;
  expires_at: string;
  by: Person | null;
}
export interface NewInvite extends Invite {
  code?: string;
  url?: string;
}
export interface DeviceSession {
  id: Id;
  current: boolean;
  created_at: string;
  used_at: string;
  device?: string | null;
}
export interface Token {
  id: Id;
  name: string;
  scopes: string[];
  created_at: string;
  used_at?: string | null;
  expires_at?: string | null;
}
export interface List<Item> {
  items: Item[];
  next?: string | null;
}
export interface Signup {
  handle: string;
  name: string;
  password: string;
  email?: string;
  invite?: string;
  industry?: boolean;
  agreed: boolean;
}
export interface NewGroup {
  slug: string;
  title: string;
  about?: string;
  visibility: Visibility;
  history?: 'all' | 'since_joining';
}
export type GroupChange = Partial<NewGroup & { state: 'open' | 'archived' }>;
export interface SignedUp {
  me: Me;
  recovery_codes: string[];
  /** The group whose invitation let them in. */
  group: Id | null;
}
/** What the code of a link opens. */
export interface SignupPreview {
  role: 'admin' | 'member';
  invite: InvitePreview | null;
}
export interface InvitePreview {
  id: Id;
  title: string;
  about?: string | null;
  inviter?: Person | null;
}
export interface Revision {
  at: string;
  text: string;
}

/** A pinned entry, with its time as HTTP writes it. */
export interface Pinned {
  seq: Seq;
  author: Id | null;
  at: string;
  text?: string;
}

/** A refusal by the hub, or (code `offline`) no answer at all. */
export class ApiError extends Error implements Fault {
  readonly code: string;
  readonly reason: string;
  readonly facts?: Record<string, unknown>;
  readonly fields?: Record<string, string>;
  readonly retry_after_ms?: number;

  constructor(
    fault: Fault,
    readonly status: number,
  ) {
    super(fault.message);
    this.name = 'ApiError';
    this.code = fault.code;
    this.reason = fault.reason;
    if (fault.facts) this.facts = fault.facts;
    if (fault.fields) this.fields = fault.fields;
    if (fault.retry_after_ms !== undefined) this.retry_after_ms = fault.retry_after_ms;
  }
}

type Query = Record<string, string | number | undefined | null>;
type Fetch = typeof fetch;

/** Every call of the interface, over `fetcher`; the one that pages use is `api`. */
export function createApi(fetcher: Fetch = (...call) => fetch(...call)) {
  const ask = <Answer>(method: string, path: string, body?: unknown) =>
    request<Answer>(fetcher, method, path, body);
  const get = <Answer>(path: string, query: Query = {}) => ask<Answer>('GET', path + search(query));
  return {
    hub: () => get<HubInfo>('/hub'),
    continueAs: (handle: string) => ask<unknown>('POST', '/demo/continue', { handle }),

    signUp: (form: Signup) => ask<SignedUp>('POST', '/signup', form),
    previewSignup: (code: string) => ask<SignupPreview>('POST', '/signup/preview', { code }),
    signIn: (login: string, password: string, code?: string) =>
      ask<SignedIn>('POST', '/session', { login, password, ...(code ? { code } : {}) }),
    signInByLink: (code: string) => ask<SignedIn>('POST', '/session/link', { code }),
    /** The password once more: for ten minutes what wants it may be done. */
    confirm: (password: string) => ask<unknown>('POST', '/session/confirm', { password }),
    signOut: () => ask<unknown>('DELETE', '/session'),
    recover: (login: string, recovery_code: string, password: string) =>
      ask<SignedIn>('POST', '/session/recover', { login, recovery_code, password }),
    me: () => get<Me>('/me'),
    changeMe: (change: MeChange) => ask<Me>('PATCH', '/me', change),
    /** Without the old one where `me.confirmed`. */
    changePassword: (old: string | null, password: string) =>
      ask<unknown>('POST', '/me/password', { old, password }),
    renewCodes: () => ask<{ recovery_codes: string[] }>('POST', '/me/recovery-codes'),
    sessions: () => get<List<DeviceSession>>('/me/sessions'),
    endOtherSessions: () => ask<unknown>('DELETE', '/me/sessions'),
    endSession: (id: Id) => ask<unknown>('DELETE', `/me/sessions/${id}`),
    tokens: () => get<List<Token>>('/me/tokens'),
    makeToken: (form: { name: string; scopes?: string[]; expires_at?: string }) =>
      ask<Token & { token: string }>('POST', '/me/tokens', form),
    endToken: (id: Id) => ask<unknown>('DELETE', `/me/tokens/${id}`),

    people: (ids: Id[]) => get<List<Person>>('/people', { ids: ids.join(',') }),
    findPeople: (q: string) => get<List<Person>>('/people', { q }),
    person: (handle: string) => get<Person>(`/people/${part(handle)}`),

    channels: (cursor?: string | null) => get<List<Channel>>('/channels', { cursor }),
    channel: (id: Id) => get<Channel>(`/channels/${id}`),
    entries: (id: Id, where: { before?: Seq; after?: Seq; around?: Seq; limit?: number }) =>
      get<Page>(`/channels/${id}/entries`, where),
    pins: (id: Id) => get<List<Pinned>>(`/channels/${id}/pins`),
    revisions: (id: Id, seq: Seq) => get<List<Revision>>(`/channels/${id}/messages/${seq}/revisions`),
    /** Carried to its end also where the page is left meanwhile. */
    markRead: (id: Id, seq: Seq) =>
      request<unknown>(fetcher, 'PUT', `/channels/${id}/read`, { seq }, { keepalive: true }),

    groups: (cursor?: string | null) => get<List<Channel>>('/groups', { cursor }),
    group: (idOrSlug: Id | string) => get<Channel>(`/groups/${part(idOrSlug)}`),
    makeGroup: (form: NewGroup) => ask<Channel>('POST', '/groups', form),
    changeGroup: (id: Id, change: GroupChange) => ask<Channel>('PATCH', `/groups/${id}`, change),
    deleteGroup: (id: Id) => ask<unknown>('DELETE', `/groups/${id}`),
    join: (id: Id, word?: string) =>
      ask<{ state: 'joined' | 'requested' }>('POST', `/groups/${id}/join`, word ? { word } : {}),
    leave: (id: Id) => ask<unknown>('POST', `/groups/${id}/leave`),
    members: (id: Id, cursor?: string | null) => get<List<Member>>(`/groups/${id}/members`, { cursor }),
    setRole: (id: Id, handle: string, role: Role) =>
      ask<unknown>('PUT', `/groups/${id}/members/${part(handle)}`, { role }),
    remove: (id: Id, handle: string) => ask<unknown>('DELETE', `/groups/${id}/members/${part(handle)}`),
    ban: (id: Id, handle: string) => ask<unknown>('PUT', `/groups/${id}/bans/${part(handle)}`),
    bans: (id: Id) => get<List<{ person: Person }>>(`/groups/${id}/bans`),
    unban: (id: Id, handle: string) => ask<unknown>('DELETE', `/groups/${id}/bans/${part(handle)}`),
    requests: (id: Id) => get<List<JoinRequest>>(`/groups/${id}/requests`),
    decide: (id: Id, handle: string, decision: 'approve' | 'decline', word?: string) =>
      ask<unknown>('POST', `/groups/${id}/requests/${part(handle)}`, { decision, ...(word ? { word } : {}) }),

    invites: (id: Id) => get<List<Invite>>(`/groups/${id}/invites`),
    invite: (id: Id, form: { handle?: string; uses?: number; expires_at?: string }) =>
      ask<NewInvite>('POST', `/groups/${id}/invites`, form),
    endInvite: (id: Id, invite: Id) => ask<unknown>('DELETE', `/groups/${id}/invites/${invite}`),
    previewInvite: (code: string) => ask<InvitePreview>('POST', '/invites/preview', { code }),
    acceptInvite: (code: string) => ask<Channel>('POST', '/invites', { code }),

    converse: (handles: string[]) => ask<Channel>('POST', '/conversations', { handles }),
    acceptConversation: (id: Id) => ask<unknown>('POST', `/conversations/${id}/accept`),
    declineConversation: (id: Id) => ask<unknown>('POST', `/conversations/${id}/decline`),
  };
}

export type Api = ReturnType<typeof createApi>;
export const api: Api = createApi();

const part = (text: string | number) => encodeURIComponent(text);

function search(query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : '';
}

async function request<Answer>(
  fetcher: Fetch,
  method: string,
  path: string,
  body?: unknown,
  how: RequestInit = {},
) {
  const headers = { accept: 'application/json' };
  const init: RequestInit = { ...how, method, credentials: 'same-origin', headers };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { ...init.headers, 'content-type': 'application/json' };
  }
  let response: Response;
  try {
    response = await fetcher(`/api/v1${path}`, init);
  } catch {
    throw new ApiError({ code: 'offline', reason: 'offline', message: 'no answer' }, 0);
  }
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(faultOf(answer, response), response.status);
  return answer as Answer;
}

/** The fault in an answer; where a proxy answered in the hub's place, one that fits the status. */
function faultOf(answer: unknown, response: Response): Fault {
  const fault = (answer as { error?: Fault } | null)?.error;
  const wait_s = Number(response.headers.get('retry-after') ?? Number.NaN);
  const wait = Number.isFinite(wait_s) ? { retry_after_ms: wait_s * 1000 } : {};
  if (fault?.code) return { ...wait, ...fault };
  const code =
    response.status === 401 ? 'unauthorized' : response.status === 404 ? 'not_found' : 'unavailable';
  return { code, reason: code, message: `HTTP ${response.status}`, ...wait };
}
