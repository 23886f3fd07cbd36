// Dates, numbers, lists and the order of names, as the language of the pages has them.
import { language } from './language.svelte';

/** Gives one of `Intl`'s formats, made anew only when the language changes. */
export function inLanguage<Format>(make: (region: string) => Format): () => Format {
  let made: { region: string; format: Format } | undefined;
  return () => {
    const { region } = language;
    if (made?.region !== region) made = { region, format: make(region) };
    return made.format;
  };
}

const numbers = inLanguage((region) => new Intl.NumberFormat(region));
const order = inLanguage((region) => new Intl.Collator(region, { sensitivity: 'base', numeric: true }));

/** 12,345 or 12.345. */
export const number = (value: number): string => numbers().format(value);

/** For sorting names: as a phone book would, whatever their case. */
export const byName = (a: string, b: string): number => order().compare(a, b);
