// What a message may ask of the room around it.
import type { Message } from '$lib/message';
import type { Seq } from '$lib/wire';

export interface Acts {
  reply(message: Message): void;
  edit(message: Message): void;
  /** Show this message, loading what is around it. */
  jump(seq: Seq): void;
  /** Back to the composer. */
  write(): void;
}
