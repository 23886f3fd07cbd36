import { describe, expect, it } from 'vitest';
import { handles, names } from './handles';

const ANA = { id: 1, handle: 'ana' };
const EVERY: [text: string, named: string[]][] = [
  ['@ana', ['ana']],
  ['Thank you, @ana.', ['ana']],
  ['@Ana, @BEN: look', ['ana', 'ben']],
  ['(@ana) "@ben" *@eva* ~@ida', ['ana', 'ben', 'eva', 'ida']],
  ['@ana/@ben', ['ana']],
  ['@ana’s and @ben-s', ['ana', 'ben-s']],
  ['@ana @ben @ana', ['ana', 'ben']],
  ['first line\n@ana', ['ana']],
  ['@ana2', ['ana2']],
  ['@ana-maria', ['ana-maria']],
  ['@ana-', ['ana-']],
  ['@ana--ben', ['ana--ben']],
  ['@ana_ @anaé @anaя @ana@example.org', []],
  ['mail ana@example.org, x.@ana, x/@ana, é@ana, _@ana, @@ana', []],
  ['-@ana', ['ana']],
  ['@a', []],
  ['@-ana', []],
  [`@${'a'.repeat(31)}`, ['a'.repeat(31)]],
  [`@${'a'.repeat(32)}`, []],
  // As on the hub, what Markdown makes of it does not count.
  ['`@ana` and\n```\n@ben\n```', ['ana', 'ben']],
  ['[see](https://example.org/@ana)', []],
  ['@ana-nın ve @ana-ın', ['ana-nın', 'ana-ın']],
  ['שלום @ana', ['ana']],
  ['ana', []],
];

describe('the handles of a text', () => {
  it.each(EVERY)('are those that the hub finds in %j', (text, named) => {
    expect(handles(text)).toEqual(named);
  });

  it('are at most fifty, each once', () => {
    const many = Array.from({ length: 60 }, (_, number) => `@member-${number}`);
    expect(handles([...many, ...many].join(' '))).toEqual(many.slice(0, 50).map((one) => one.slice(1)));
  });
});

describe('who is named', () => {
  it('is told by the entry or by its text', () => {
    expect(names({ text: 'for all', mentions: [1] }, ANA)).toBe(true);
    expect(names({ text: 'for @Ana', mentions: [2] }, ANA)).toBe(true);
    expect(names({ text: 'for @ana-maria', mentions: [2] }, ANA)).toBe(false);
    expect(names({}, ANA)).toBe(false);
  });

  it('is no guest', () => {
    expect(names({ text: '@ana' }, null)).toBe(false);
  });
});
