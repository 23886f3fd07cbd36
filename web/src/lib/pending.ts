// Shows what is in the outbox as if it had happened: sends below the last message, edits, reactions, pins and
// deletions on their targets. Pure.
import { react, type Message } from './message';
import type { Deed, Job } from './outbox';
import type { Id } from './wire';

/** A send that is not stored yet, as a message. */
export function pendingMessage({ key, deed, at, state, fault }: Job, me: Id | null): Message {
  const { text, reply_to = null } = deed as Extract<Deed, { do: 'send' }>;
  return {
    key,
    seq: null,
    kind: 'message',
    author: me,
    mine: true,
    at,
    text,
    replyTo: reply_to,
    mentionsMe: false,
    editedAt: null,
    deleted: false,
    pinned: false,
    reactions: [],
    state: state === 'failed' ? 'failed' : 'pending',
    fault,
    rev: 0,
    entry: null,
  };
}

/** A message with the jobs that aim at it carried out, in their order. */
export function withJobs(message: Message, jobs: readonly Job[], me: Id | null): Message {
  return jobs.reduce((now, job) => withJob(now, job, me), message);
}

function withJob(message: Message, job: Job, me: Id | null): Message {
  const { deed, fault } = job;
  if (message.deleted) return message;
  switch (deed.do) {
    case 'edit':
      return { ...message, text: deed.text, state: job.state === 'failed' ? 'failed' : 'pending', fault };
    case 'delete':
      return { ...message, deleted: true, text: '', reactions: [], pinned: false };
    case 'pin':
      return { ...message, pinned: deed.on };
    case 'react': {
      const has = message.reactions.some(({ emoji, mine }) => emoji === deed.emoji && mine);
      if (has === deed.on) return message;
      return { ...message, reactions: react(message.reactions, deed.emoji, deed.on, me, true) };
    }
    case 'send':
      return message;
  }
}
