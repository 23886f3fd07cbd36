// Members' Markdown as safe HTML. markdown-it is told to let no HTML through; DOMPurify then lets only a short list
// of tags and attributes pass, whatever markdown-it did. Both come lazily: the first page does not wait for them.
import type { MarkdownIt } from 'markdown-it';
import { backoff } from './waiting';

/** A type, not an interface: markdown-it takes it as its environment. */
export type RenderOptions = {
  /** Handles that are known: only these are marked as mentions; without it, every @handle is. */
  isKnown?: (handle: string) => boolean;
  /** One's own handle, marked apart. */
  me?: string | undefined;
};

const KEPT_TEXTS = 1_000; // some screens of a room, at most 10 MB
const KEPT_LENGTH = 4_000; // characters

type Renderer = (text: string, options: RenderOptions) => string;

const kept = new Map<string, string>();
let renderer: Renderer | null = null;
let loading: Promise<Renderer> | null = null;

/** HTML that is safe for `{@html}`. */
export async function render(text: string, options: RenderOptions = {}): Promise<string> {
  return (await load())(text, options);
}

/** The same without waiting; null until what renders has been loaded. */
export function renderNow(text: string, options: RenderOptions = {}): string | null {
  if (!renderer) void load();
  return renderer?.(text, options) ?? null;
}

/** Nothing that was rendered stays: somebody else may sit here next. */
export function forget(): void {
  kept.clear();
}

/** Loads what renders, so that `renderNow` can. */
export function load(): Promise<Renderer> {
  loading ??= insist().then((built) => (renderer = built));
  return loading;
}

/** On a bad line as often as it takes; texts stand there as they were written until then. */
async function insist(): Promise<Renderer> {
  for (let tries = 0; ; tries++) {
    try {
      return await build();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, backoff(tries, Math.random())));
    }
  }
}

async function build(): Promise<Renderer> {
  const [{ default: Parser }, { sanitizer }, { mentions }] = await Promise.all([
    import('markdown-it'),
    import('./sanitizer'),
    import('./mentions'),
  ]);
  const parser = new Parser({ html: false, linkify: true, breaks: true, typographer: false, maxNesting: 20 });
  parser.validateLink = isAllowedLink;
  imagesAsLinks(parser);
  mentions(parser);
  const clean = sanitizer();
  return remembering((text, options) => clean(parser.render(text, options)));
}

/** A list that is scrolled back and forth renders each text once. The least lately used goes first. */
function remembering(make: Renderer): Renderer {
  return (text, options) => {
    // What is known may change at any time, and long texts would fill the memory.
    if (options.isKnown || text.length > KEPT_LENGTH) return make(text, options);
    const key = `${options.me ?? ''}\n${text}`;
    const html = kept.get(key) ?? make(text, options);
    kept.delete(key);
    kept.set(key, html);
    if (kept.size > KEPT_TEXTS) kept.delete(kept.keys().next().value ?? '');
    return html;
  };
}

/** Only http, https, mailto, and paths of our own; no `//host`, no backslash that a browser reads as a slash. */
export function isAllowedLink(url: string): boolean {
  const bare = [...url].filter((sign) => sign > ' ' && sign !== '\u007f').join('');
  if (/^(https?:\/\/[^/?#]|mailto:[^/])/i.test(bare)) return true;
  return /^(\/(?![/\\])|#)/.test(bare) && !bare.includes('\\');
}

/** An image in a message would fetch from outside: it becomes a link that says what it shows. */
function imagesAsLinks(parser: MarkdownIt): void {
  const { escapeHtml } = parser.utils;
  parser.renderer.rules.image = (tokens, index) => {
    const token = tokens[index];
    const source = String(token?.attrGet('src') ?? '');
    const words = token?.content || source;
    return `<a href="${escapeHtml(source)}">${escapeHtml(words)}</a>`;
  };
}

const MARKS = /[*_`~>#|]+|!?\[([^\]]*)\]\([^)]*\)|^\s*(?:[-+]|\d+[.)])\s+/gm;

/** A message in one line without marks, for lists and notices; it ends in … where it was longer than `length`. */
export function plain(text: string, length = 140): string {
  const words = text
    .slice(0, length * 8)
    .replace(MARKS, (_, link: string | undefined) => link ?? '')
    .replace(/\s+/g, ' ')
    .trim();
  const signs = [...words];
  return signs.length <= length
    ? words
    : `${signs
        .slice(0, length - 1)
        .join('')
        .trimEnd()}…`;
}
