// A day as people write it, from the interface's times.
const days = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' });

/** `rfc3339`: as in the HTTP interface. */
export const day = (rfc3339: string): string => days.format(new Date(rfc3339));
