// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { byName, number } from './intl';
import { directionOf, fitting, language, Language, nameOf, regionOf } from './language.svelte';

const browser = (...languages: string[]) =>
  vi.spyOn(navigator, 'languages', 'get').mockReturnValue(languages);

beforeEach(() => localStorage.clear());
afterEach(async () => {
  vi.restoreAllMocks();
  await language.choose('en');
});

describe('the language of the pages', () => {
  it('is the member’s, else the one chosen here, else the browser’s, else English', async () => {
    browser('fr-FR', 'de-AT');
    const here = new Language();
    await here.begin();
    expect(here.tag).toBe('de');
    await here.choose('en');
    expect(here.tag).toBe('en');
    await here.follow('de-CH');
    expect(here.tag).toBe('de');
    await here.follow(null);
    expect(here.tag).toBe('en');
    browser('fr', 'it');
    await here.choose(null);
    expect(here.tag).toBe('en');
  });

  it('is kept on this device, and not among what an account leaves', async () => {
    await new Language().choose('de');
    const later = new Language();
    await later.begin();
    expect(later.tag).toBe('de');
    expect(Object.keys(localStorage).filter((key) => key.startsWith('hubchat:'))).toEqual([]);
  });

  it('takes no harm from what stands in the place of a choice', async () => {
    for (const odd of ['', 'xx', '../de', '"', 'x'.repeat(100_000), 'constructor']) {
      localStorage.setItem('hubchat-language', odd);
      browser('en-IE');
      const here = new Language();
      await here.begin();
      await here.follow(odd);
      expect([here.tag, here.chosen]).toEqual(['en', null]);
    }
  });

  it('is the last one asked for, whichever words come first', async () => {
    const here = new Language();
    await Promise.all([here.begin(), here.follow('de'), here.follow('en'), here.follow('de')]);
    expect(here.tag).toBe('de');
  });

  it('is found by its tag, then by its base', () => {
    expect(fitting(['sv', 'DE-at', 'en'])).toBe('de');
    expect(fitting(['sv'])).toBeNull();
    expect(fitting([])).toBeNull();
  });

  it('is written as its readers write', () => {
    expect(['de', 'en'].map(nameOf)).toEqual(['Deutsch', 'English']);
    expect(['ar-XB', 'he', 'de', 'en-XA'].map(directionOf)).toEqual(['rtl', 'rtl', 'ltr', 'ltr']);
    expect(regionOf('de', ['en-US', 'de-AT'])).toBe('de-AT');
    expect(regionOf('en', ['de-DE', 'en'])).toBe('en-GB');
    expect(regionOf('de', ['en-US'])).toBe('de');
  });
});

describe('numbers and the order of names', () => {
  it('follow the language', async () => {
    browser('en-US');
    expect(number(12_345)).toBe('12,345');
    await language.choose('de');
    expect(number(12_345)).toBe('12.345');
    expect(['Zoe', 'Öner', 'anna', 'Oskar'].sort(byName)).toEqual(['anna', 'Öner', 'Oskar', 'Zoe']);
  });
});
