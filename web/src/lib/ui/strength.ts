// A first word on how easily a password is guessed, while it is typed. The hub itself decides, with a better measure.
export type Strength = 'none' | 'weak' | 'fair' | 'good' | 'strong';

const LEAST = 10; // characters; what is shorter is guessed soon, whatever it is made of
const COMMON = /pass|word|qwert|asdf|1234|abcd|letmein|admin|welcome|hallo|login|cancer/i;

/** `known` are words that others know of the member: the name, the handle. */
export function strengthOf(password: string, known: readonly string[] = []): Strength {
  if (!password) return 'none';
  const different = new Set(password.toLowerCase()).size;
  if (password.length < LEAST || different < 5) return 'weak';
  const given = [...known].filter(
    (word) => word.length > 2 && password.toLowerCase().includes(word.toLowerCase()),
  );
  const tame = COMMON.test(password) || given.length > 0;
  const score =
    password.length + different / 2 + (/\s|[^\p{L}\p{N}]/u.test(password) ? 3 : 0) - (tame ? 8 : 0);
  if (score < 16) return 'fair';
  return score < 24 ? 'good' : 'strong';
}
