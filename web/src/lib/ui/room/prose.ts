// Finishes rendered Markdown in the page: what scrolls sideways can be scrolled by keys, and links can be reached by
// Tab only while their message is the list's tab stop.
import { t } from '$lib/catalogue';

/** An attachment for the element that holds the rendered text; made anew when the text changes. */
export function prose(tabindex: number, _html: string | null) {
  return (element: HTMLElement) => {
    for (const link of element.querySelectorAll<HTMLElement>('a[href]')) link.tabIndex = tabindex;
    for (const block of element.querySelectorAll<HTMLElement>('pre')) {
      block.tabIndex = tabindex;
      block.dir = 'ltr';
    }
    for (const table of element.querySelectorAll('table')) frame(table, tabindex);
  };
}

function frame(table: HTMLTableElement, tabindex: number) {
  const framed = table.parentElement?.classList.contains('sideways');
  const around = framed && table.parentElement ? table.parentElement : document.createElement('div');
  if (!framed) {
    around.className = 'sideways';
    around.role = 'group';
    around.ariaLabel = t('message.table');
    table.replaceWith(around);
    around.append(table);
  }
  around.tabIndex = tabindex;
}
