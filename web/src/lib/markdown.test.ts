// @vitest-environment jsdom
import { existsSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { isAllowedLink, load, plain, render, renderNow } from './markdown';
import { sanitizer } from './sanitizer';

const corpus = process.env.HUBCHAT_CORPUS ?? '../../shared/data/09-text-security';
const hasCorpus = existsSync(`${corpus}/blns.json`);
const TAGS = new Set(
  'P BR HR STRONG EM S DEL CODE PRE BLOCKQUOTE UL OL LI A SPAN H1 H2 H3 H4 H5 H6 TABLE THEAD TBODY TR TH TD'.split(
    ' ',
  ),
);
const ATTRIBUTES = new Set(['href', 'class', 'start', 'title', 'rel', 'target']);

function parsed(html: string): HTMLElement {
  const place = document.createElement('div');
  place.innerHTML = html;
  return place;
}

/** Everything in a page made of it is on the lists, and every link leads where links may. */
function expectSafe(html: string): void {
  for (const element of parsed(html).querySelectorAll('*')) {
    expect(TAGS).toContain(element.tagName);
    for (const { name } of element.attributes) expect(ATTRIBUTES).toContain(name);
    if (element.tagName !== 'A') continue;
    const href = element.getAttribute('href');
    if (href === null) continue;
    expect(new URL(href, 'https://hub.example/').protocol).toMatch(/^(https?|mailto):$/);
    const isOutside = !new URL(href, 'https://hub.example/').href.startsWith('https://hub.example/');
    if (isOutside) expect(element.getAttribute('rel')).toBe('noopener noreferrer nofollow ugc');
  }
}

beforeAll(async () => {
  await load();
});

describe('members’ Markdown', () => {
  it('becomes the usual marks, with line breaks as written', async () => {
    expect(await render('**a** *b* ~~c~~ `d`\ne')).toBe(
      '<p><strong>a</strong> <em>b</em> <s>c</s> <code>d</code><br>\ne</p>\n',
    );
    expect(await render('1. x\n2. y')).toContain('<ol>');
    expect(await render('| a |\n|---|\n| 1 |')).toContain('<td>1</td>');
  });

  it('shows HTML as it was written', async () => {
    expect(parsed(await render('<b>x</b><script>alert(1)</script>')).textContent).toContain(
      '<b>x</b><script>alert(1)</script>',
    );
    expectSafe(await render('<img src=x onerror=alert(1)>'));
  });

  it('links addresses, and outside links tell nothing of the hub', async () => {
    const link = parsed(await render('see https://example.org/a?b=c')).querySelector('a');
    expect(link?.getAttribute('href')).toBe('https://example.org/a?b=c');
    expect(link?.rel).toBe('noopener noreferrer nofollow ugc');
    const own = parsed(await render('[room](/groups/lung)')).querySelector('a');
    expect(own?.getAttribute('href')).toBe('/groups/lung');
    expect(own?.hasAttribute('rel')).toBe(false);
  });

  it('makes links of images: nothing is fetched from outside', async () => {
    const page = parsed(await render('![a scan](https://evil.example/x.png)'));
    expect(page.querySelector('img')).toBeNull();
    expect(page.querySelector('a')?.textContent).toBe('a scan');
  });

  it('leaves a link that is refused as it was written', async () => {
    const page = parsed(await render('[x](javascript:alert(1)) [y](irc://x) [z](other/page)'));
    expect(page.textContent?.trim()).toBe('[x](javascript:alert(1)) [y](irc://x) [z](other/page)');
  });

  it('refuses every other kind of link', async () => {
    const links = [
      'javascript:alert(1)',
      'JaVaScRiPt:alert(1)',
      'java\tscript:alert(1)',
      'vbscript:x',
      'data:text/html,<script>alert(1)</script>',
      'file:///etc/passwd',
      '//evil.example',
      '/\\evil.example',
      '\\\\evil.example',
      'https:evil.example',
      'ftp://x',
      'blob:x',
      'relative/path',
    ];
    for (const link of links) {
      expect([link, isAllowedLink(link)]).toEqual([link, false]);
      // markdown-it writes a backslash as %5C: what is left of it is a path of our own.
      const page = parsed(await render(`[x](<${link}>) ![y](<${link}>)`));
      const hosts = [...page.querySelectorAll('a[href]')].map(
        (one) => new URL(one.getAttribute('href') ?? '', 'https://hub.example').host,
      );
      expect([link, new Set([...hosts, 'hub.example'])]).toEqual([link, new Set(['hub.example'])]);
    }
    for (const link of ['https://x.org', 'http://x.org/a', 'mailto:a@x.org', '/groups/x', '#top']) {
      expect([link, isAllowedLink(link)]).toEqual([link, true]);
    }
  });

  it('marks mentions, oneself apart, and none in code, words or addresses', async () => {
    const marked = async (text: string, options = {}) =>
      [...parsed(await render(text, options)).querySelectorAll('.mention')].map((one) => one.textContent);
    expect(await marked('@ana and @ben-2, hello (@cho)')).toEqual(['@ana', '@ben-2', '@cho']);
    expect(await marked('`@ana` a@ana.org x@ana [@ana](/a) https://x.org/@ana')).toEqual([]);
    expect(await marked('@ana @nobody', { isKnown: (handle: string) => handle === 'ana' })).toEqual(['@ana']);
    const page = parsed(await render('@ana @ben', { me: 'ana' }));
    expect(page.querySelector('.me')?.textContent).toBe('@ana');
  });

  it('is ready at once after the first time', () => {
    expect(renderNow('*a*')).toBe('<p><em>a</em></p>\n');
  });

  it('is the same again, for each reader', async () => {
    const first = await render('hello @ana', { me: 'ana' });
    expect(await render('hello @ana', { me: 'ana' })).toBe(first);
    expect(await render('hello @ana', { me: 'ben' })).not.toBe(first);
    for (let n = 0; n < 1100; n++) await render(`text ${n}`, { me: 'ana' });
    expect(await render('hello @ana', { me: 'ana' })).toBe(first);
  });

  it('costs little however deep it is nested', async () => {
    const started = performance.now();
    for (const sign of ['>', '[', '*a ', '- ', '!['])
      expectSafe(await render(sign.repeat(16_000 / sign.length)));
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

describe('the last gate', () => {
  it('lets nothing through that is not on its lists, whatever came before it', () => {
    const clean = sanitizer();
    const hostile = [
      '<img src=x onerror=alert(1)>',
      '<svg><script>alert(1)</script></svg>',
      '<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>',
      '<a href="javascript:alert(1)" onclick="alert(1)" style="position:fixed" id="x" name="y">x</a>',
      '<span class="mention overlay" style="color:red" data-x="1" aria-label="x">x</span>',
      '<iframe src="https://evil.example"></iframe><form action="/x"><input name="y"></form>',
      '<p class="mention">x</p><style>p{}</style><base href="https://evil.example">',
    ];
    for (const html of hostile) {
      const safe = clean(html);
      expectSafe(safe);
      expect(safe).not.toMatch(/style|alert\(1\)"|overlay|data-|aria-/);
    }
    expect(clean('<p class="mention">x</p>')).toBe('<p>x</p>');
  });
});

describe('an excerpt', () => {
  it('has no marks and one line', () => {
    expect(plain('**Hello** [there](https://x.org),\n- `code`\n> and *more*')).toBe(
      'Hello there, code and more',
    );
  });
  it('ends in … when it was longer, and never within a sign', () => {
    expect(plain('👩‍⚕️'.repeat(3) + ' abcdef', 10)).toMatch(/…$/);
    expect(plain('abc', 3)).toBe('abc');
    expect(plain('abcd', 3)).toBe('ab…');
  });
});

describe.runIf(hasCorpus)('the corpora of hostile text', () => {
  const read = (name: string) => readFileSync(`${corpus}/${name}`, 'utf8');

  it('come out as safe pages, as Markdown and as raw HTML', async () => {
    const strings = [
      ...(JSON.parse(read('blns.json')) as string[]),
      ...read('xss-payloads.txt').split('\n'),
      ...(JSON.parse(read('commonmark-examples.json')) as { markdown: string }[]).map(
        ({ markdown }) => markdown,
      ),
    ];
    expect(strings.length).toBeGreaterThan(2500);
    const clean = sanitizer();
    for (const text of strings) {
      expectSafe(await render(text));
      expectSafe(clean(text));
      plain(text);
    }
  }, 60_000);

  it('and a whole web page too', () => {
    expectSafe(sanitizer()(read('miniflux_wikipedia.html')));
  });
});
