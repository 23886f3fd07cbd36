// What goes over the live connection: the types of entries, signals, replies and errors of hubchat.v1, and its
// MessagePack dialect. Ids stay below 2^53, so a JavaScript number holds each of them exactly.
import { decode as unpack, encode as pack } from '@msgpack/msgpack';

export const SUBPROTOCOL = 'hubchat.v1.msgpack';

export type Id = number;
export type Seq = number;

export interface Fault {
  code: string;
  reason: string;
  message: string;
  facts?: Record<string, unknown>;
  retry_after_ms?: number;
  fields?: Record<string, string>;
}

export interface ReactionCount {
  count: number;
  people: Id[];
}

/** An entry of a channel's log as the server sends it; which further fields there are depends on `kind`. */
export interface Entry {
  channel: Id;
  seq: Seq;
  kind: string;
  author: Id | null;
  at: number;
  text?: string;
  reply_to?: Seq;
  mentions?: Id[];
  media?: Id[];
  lang?: string;
  nonce?: string;
  rev?: Seq;
  edited_at?: number;
  deleted?: true;
  reactions?: Record<string, ReactionCount>;
  pinned?: true;
  target?: Seq;
  emoji?: string;
  on?: boolean;
  change?: string;
  title?: string;
  person?: Id;
  about?: { channel: Id; seq: Seq } | string;
  reason?: string;
  [further: string]: unknown;
}

export type Presence = 'online' | 'away' | 'offline';

export type Signal =
  | { signal: 'typing'; channel: Id; person: Id }
  | { signal: 'presence'; people: Record<string, Presence> }
  | { signal: 'audience'; channel: Id; count: number }
  | { signal: 'inbox'; unread: Record<string, number> };

export interface Limits {
  message_bytes: number;
  frame_bytes: number;
  subscriptions: number;
  commands_per_10s: number;
  open_commands: number;
}

export interface LiveUser {
  id: Id;
  handle: string;
  name: string;
  role: string;
  inbox: Id;
}

/** Who looks: by this id they write, by this handle others name them. */
export type Self = Pick<LiveUser, 'id' | 'handle'>;

export interface Welcome {
  version: string;
  log: string | number;
  node: string | number;
  time: number;
  user: LiveUser | null;
  limits: Limits;
}

export interface Bye {
  code: number;
  reason: string;
  reconnect_in_ms?: [number, number];
}

export type Ok = Record<string, unknown>;
export type Reply = { re: number; ok: Ok } | { re: number; error: Fault };
export type Incoming =
  { welcome: Welcome } | Reply | { bye: Bye } | { revoked: { channel: Id; reason: string } } | Signal | Entry;

export interface Subscribed {
  channel: Id;
  head: Seq;
  first: Seq;
  reset?: true;
}

export interface Page {
  entries: Entry[];
  head: Seq;
  first: Seq;
  more: boolean;
}

/** A command without its number: `do` and the fields of its verb. */
export interface Command {
  do: string;
  channel?: Id;
  [field: string]: unknown;
}

export function encode(command: Command & { id: number }): Uint8Array<ArrayBuffer> {
  return pack(command, { ignoreUndefined: true });
}

/** One frame of the server. Throws when it is no MessagePack map. */
export function decode(frame: ArrayBuffer): Incoming {
  const message = unpack(frame);
  if (typeof message !== 'object' || message === null) throw new TypeError('a frame holds no map');
  return message as Incoming;
}
