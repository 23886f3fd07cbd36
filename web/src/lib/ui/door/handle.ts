/** A handle however it was typed: with the sign before it, with capitals. */
export const handleOf = (typed: string): string => typed.trim().replace(/^@/, '').toLowerCase();
