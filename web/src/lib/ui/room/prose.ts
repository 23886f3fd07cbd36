// Finishes rendered Markdown in the page. Links can be reached by Tab only while their message is the list's tab
// stop. What scrolls sideways, and only that, is a tab stop of its own, so that keys can scroll it.
import { t } from '$lib/catalogue';

/** An attachment for the element that holds the rendered text; made anew when the text changes. */
export function prose(tabindex: number, _html: string | null) {
  return (element: HTMLElement) => {
    for (const link of element.querySelectorAll<HTMLElement>('a[href]')) link.tabIndex = tabindex;
    const wide = [...[...element.querySelectorAll('table')].map(frame), ...element.querySelectorAll('pre')];
    if (wide.length === 0) return;
    for (const block of wide) {
      block.role = 'group';
      block.ariaLabel = block instanceof HTMLPreElement ? t('message.code') : t('message.table');
      if (block instanceof HTMLPreElement) block.dir = 'ltr';
    }
    const sizes = new ResizeObserver(() => wide.forEach(reach));
    for (const block of wide) sizes.observe(block);
    return () => sizes.disconnect();
  };
}

/** What stands around a table and scrolls. */
function frame(table: HTMLTableElement): HTMLElement {
  if (table.parentElement?.classList.contains('sideways')) return table.parentElement;
  const around = document.createElement('div');
  around.className = 'sideways';
  table.replaceWith(around);
  around.append(table);
  return around;
}

function reach(block: HTMLElement): void {
  if (block.scrollWidth > block.clientWidth) block.tabIndex = 0;
  else block.removeAttribute('tabindex');
}
