// One entry as it is shown, and how a later entry (edit, delete, reaction, pin) changes it. Pure: a changed
// message is a new value, so that what did not change stays identical and is not drawn again.
import { names } from './handles';
import type { Entry, Fault, Id, Self, Seq } from './wire';

export interface Reaction {
  emoji: string;
  count: number;
  /** The first 20 who reacted; `count` may be larger. */
  people: Id[];
  mine: boolean;
}

export interface Message {
  key: string;
  /** null while it is not stored yet. */
  seq: Seq | null;
  kind: string;
  author: Id | null;
  mine: boolean;
  at: number;
  text: string;
  replyTo: Seq | null;
  mentionsMe: boolean;
  editedAt: number | null;
  deleted: boolean;
  pinned: boolean;
  reactions: Reaction[];
  state: 'sent' | 'pending' | 'failed';
  fault: Fault | null;
  /** The seq of the last entry that changed it; its own seq at first. */
  rev: Seq;
  /** All fields of its kind; null while it is not stored yet. */
  entry: Entry | null;
}

export type Stored = Message & { seq: Seq; entry: Entry };

const SHOWN_NAMES = 20; // so many people a reaction names, docs/protocol.md
const CHANGES = new Set(['edit', 'delete', 'reaction', 'pin']);
/** Kinds that only change other entries; every other kind is shown. */
export const isChange = (entry: Entry): boolean => CHANGES.has(entry.kind);

/** What an entry looks like to `me`. */
export function messageOf(entry: Entry, me: Self | null): Stored {
  return {
    key: String(entry.seq),
    seq: entry.seq,
    kind: entry.kind,
    author: entry.author,
    mine: me !== null && entry.author === me.id,
    at: entry.at,
    text: entry.text ?? '',
    replyTo: entry.reply_to ?? null,
    mentionsMe: names(entry, me),
    editedAt: entry.edited_at ?? null,
    deleted: entry.deleted ?? false,
    pinned: entry.pinned ?? false,
    reactions: reactionsOf(entry, me),
    state: 'sent',
    fault: null,
    rev: entry.rev ?? entry.seq,
    entry,
  };
}

function reactionsOf(entry: Entry, me: Self | null): Reaction[] {
  return Object.entries(entry.reactions ?? {}).map(([emoji, { count, people }]) => ({
    emoji,
    count,
    people,
    mine: me !== null && people.includes(me.id),
  }));
}

/**
 * The message after a change. The same object when it holds that change already: its `rev` is not below the
 * change's number.
 */
export function changed(message: Stored, change: Entry, me: Self | null): Stored {
  if (change.seq <= message.rev) return message;
  const next = { ...message, rev: change.seq };
  if (change.kind === 'delete') return gone(next);
  if (message.deleted) return next;
  if (change.kind === 'pin') return { ...next, pinned: change.on ?? false };
  if (change.kind === 'reaction') return { ...next, reactions: reacted(message.reactions, change, me) };
  const edited = { ...next, editedAt: change.at };
  // An edit without a text: its new text is to be asked for (Log.stale).
  return change.text === undefined ? edited : { ...edited, text: change.text, mentionsMe: names(change, me) };
}

/** What is left of a deleted message: that it was there. */
function gone(message: Stored): Stored {
  const { channel, seq, kind, author, at } = message.entry;
  const entry: Entry = { channel, seq, kind, author, at, deleted: true, rev: message.rev };
  return { ...messageOf(entry, null), key: message.key, mine: message.mine };
}

function reacted(reactions: Reaction[], change: Entry, me: Self | null): Reaction[] {
  const { emoji = '', on = false, author } = change;
  return react(reactions, emoji, on, author, author !== null && author === me?.id);
}

/** The reactions after one more, or one less, by `person`. */
export function react(
  reactions: Reaction[],
  emoji: string,
  on: boolean,
  person: Id | null,
  mine: boolean,
): Reaction[] {
  const before = reactions.find((reaction) => reaction.emoji === emoji) ?? NONE;
  const others = before.people.filter((one) => one !== person);
  const after: Reaction = {
    emoji,
    count: before.count + (on ? 1 : -1),
    people: on && person !== null && others.length < SHOWN_NAMES ? [...others, person] : others,
    mine: mine ? on : before.mine,
  };
  if (before === NONE) return on ? [...reactions, after] : reactions;
  return reactions.flatMap((reaction) => (reaction !== before ? [reaction] : after.count > 0 ? [after] : []));
}

const NONE: Reaction = { emoji: '', count: 0, people: [], mine: false };
