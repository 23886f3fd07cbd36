// What stands between messages: day lines, one "new since" line, and who stands together. Pure, and each row is
// made from its message and the one before, so a list of any length draws only the rows that it shows.
import type { Message } from './message';
import { midnight } from './times';
import type { Seq } from './wire';

export interface Row {
  key: string;
  message: Message;
  /** A moment of the day that begins here, else null. */
  day: number | null;
  /** The first of a group of one author: name and time are shown. */
  starts: boolean;
  /** The "new since" line stands above. */
  newSince: boolean;
}

const TOGETHER_MS = 5 * 60_000; // one author within this time is one group

/**
 * The row of a message. `before` is the message above it, null at the top of all that is loaded; `newSince` the
 * number that was read last, null for no line; `reaches` whether that number or the beginning is loaded.
 */
export function rowOf(message: Message, before: Message | null, newSince: Seq | null, reaches: boolean): Row {
  const day = !before || midnight(before.at) !== midnight(message.at) ? message.at : null;
  const line = newSince !== null && isFirstAfter(newSince, message, before, reaches);
  return {
    key: message.key,
    message,
    day,
    starts: day !== null || line || !before || !together(before, message),
    newSince: line,
  };
}

function together(before: Message, message: Message): boolean {
  return (
    before.kind === 'message' &&
    message.kind === 'message' &&
    before.author === message.author &&
    before.deleted === message.deleted &&
    message.replyTo === null &&
    message.at - before.at < TOGETHER_MS
  );
}

function isFirstAfter(newSince: Seq, message: Message, before: Message | null, reaches: boolean): boolean {
  if (message.seq === null || message.seq <= newSince) return false;
  return before ? before.seq !== null && before.seq <= newSince : reaches;
}

/** Whether a row looks as before, so that the former one can stay. */
export function sameRow(a: Row, b: Row): boolean {
  return a.message === b.message && a.day === b.day && a.starts === b.starts && a.newSince === b.newSince;
}
