// The words of the pages, in English. Plain words, short sentences, "you"; see the project's notes on language.
// A plural text has the forms `one` and `other` and is chosen by {count}.
import { account } from './account';
import { doors } from './doors';
import { engine } from './engine';
import { groups } from './groups';
import { room } from './room';
import { shell } from './shell';

export const en = {
  ...engine,
  ...shell,
  ...doors,
  ...groups,
  ...room,
  ...account,
} as const;
