// The words of the pages, in English. Plain words, short sentences, "you"; see the project's notes on language.
// A plural text has the forms `one` and `other` and is chosen by {count}.
import { engine } from './engine';

export const en = {
  ...engine,

  'room.composer.placeholder': 'Write to {room}',
} as const;
