// The last gate before members' text becomes part of a page: what is not on these lists does not pass.
import createPurifier, { type DOMPurify } from 'dompurify';

const TAGS = [
  'p', 'br', 'hr', 'strong', 'em', 's', 'del', 'code', 'pre', 'blockquote', 'ul', 'ol', 'li', 'a', 'span',
  'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'table', 'thead', 'tbody', 'tr', 'th', 'td',
]; // prettier-ignore
const ATTRIBUTES = ['href', 'class', 'start', 'title'];
const CLASSES = new Set(['mention', 'me']);
const LINKS = /^(?:https?:\/\/|mailto:|\/(?![/\\])|#)/i;
const OUTSIDE = 'noopener noreferrer nofollow ugc';

/** A function from any HTML to safe HTML, for the page's own document. */
export function sanitizer(purifier: DOMPurify = createPurifier(window)): (html: string) => string {
  purifier.addHook('afterSanitizeAttributes', (element) => {
    if (element.hasAttribute('class')) keepClasses(element);
    if (element.tagName === 'A') outside(element);
  });
  const rules = {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ATTRIBUTES,
    ALLOWED_URI_REGEXP: LINKS,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    KEEP_CONTENT: true,
  };
  return (html) => purifier.sanitize(html, rules);
}

function keepClasses(element: Element): void {
  const kept = [...element.classList].filter((name) => CLASSES.has(name));
  if (element.tagName === 'SPAN' && kept.length) element.className = kept.join(' ');
  else element.removeAttribute('class');
}

/** Links out of the hub tell nothing of where they came from, and open beside the room. */
function outside(link: Element): void {
  const href = link.getAttribute('href');
  if (href === null || href.startsWith('/') || href.startsWith('#')) return;
  link.setAttribute('rel', OUTSIDE);
  link.setAttribute('target', '_blank');
}
