// @handle in members' text, as a rule for markdown-it: it marks them, and only in running text (not in code or links).
import type { MarkdownIt } from 'markdown-it';
import type { RenderOptions } from './markdown';

const HANDLE = /@([a-z0-9][a-z0-9-]{1,30})(?![a-z0-9-])/iy;
const AT = 64; // '@'

export function mentions(parser: MarkdownIt): void {
  parser.inline.ruler.push('mention', (state, silent) => {
    if (state.src.charCodeAt(state.pos) !== AT || isInWord(state.src, state.pos) || state.linkLevel > 0)
      return false;
    HANDLE.lastIndex = state.pos;
    const handle = HANDLE.exec(state.src)?.[1]?.toLowerCase();
    const options = state.env as RenderOptions;
    if (handle === undefined || options.isKnown?.(handle) === false) return false;
    if (!silent) {
      const token = state.push('mention', 'span', 0);
      token.content = state.src.slice(state.pos, HANDLE.lastIndex);
      token.attrSet('class', handle === options.me ? 'mention me' : 'mention');
    }
    state.pos = HANDLE.lastIndex;
    return true;
  });
  parser.renderer.rules.mention = (tokens, index, _options, _env, renderer) => {
    const token = tokens[index];
    return token
      ? `<span${renderer.renderAttrs(token)}>${parser.utils.escapeHtml(token.content)}</span>`
      : '';
  };
}

/** ana@example.org mentions nobody. */
function isInWord(text: string, at: number): boolean {
  return at > 0 && /[\p{L}\p{N}_.@/-]/u.test(text[at - 1] ?? '');
}
