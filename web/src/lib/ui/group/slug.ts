// A group's address out of its name: small letters, digits and hyphens, as the hub wants them.
const VALID = /^[a-z0-9][a-z0-9-]{1,30}$/;
const LONGEST = 31;

export const isSlug = (text: string): boolean => VALID.test(text);

/** "Lungenkrebs & Ich" becomes "lungenkrebs-ich"; '' when the name has no Latin letters. */
export function slugOf(title: string): string {
  return title
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/ß/g, 'ss')
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, LONGEST)
    .replace(/^-+|-+$/g, '');
}
