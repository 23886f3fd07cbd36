// Keeps the reader's place in a scrolling list. The line at the top of the view is the anchor: after anything changed
// above it or below it, it is put back to where it was, before the browser paints. A list that sticks to its end
// stays there, until the reader goes up: what grows or shrinks meanwhile has not moved them.
interface Anchor {
  key: string;
  /** From the top of the window, in CSS pixels: where the view itself moves, the line stays before one's eyes. */
  y: number;
}

export class Place {
  private box: HTMLElement | null = null;
  private anchor: Anchor | null = null;
  private stuck = true;
  /** Where the view stood when it was at the end the last time, from the top of the list, in CSS pixels. */
  private stood_px = 0;

  /** For the scrolling element. */
  readonly attach = (box: HTMLElement) => this.watch(box, () => (this.box = box));
  /** For what scrolls in it. */
  readonly attachContent = (content: HTMLElement) => this.watch(content, () => undefined);

  get key(): string | null {
    return this.anchor?.key ?? null;
  }

  stick(on: boolean): void {
    this.stuck = on;
    this.stood_px = this.box?.scrollTop ?? 0;
  }

  /** Whether the reader, who was at the end, has not gone up since, however far away the end is by now. */
  get isStuck(): boolean {
    return this.stuck && this.box !== null && this.box.scrollTop >= this.stood_px;
  }

  /** Remembers which line is at the top of the view. */
  note(): void {
    const top = this.top();
    if (top === null) return;
    const first = this.firstBelow(top);
    const key = first?.dataset.key;
    this.anchor = first && key !== undefined ? { key, y: first.getBoundingClientRect().top } : null;
  }

  /** Puts the remembered line back to its place. */
  hold(): void {
    if (!this.box) return;
    if (this.stuck) return this.toEnd(this.box);
    const element = this.anchor && this.element(this.anchor.key);
    if (!this.anchor || !element) return;
    const moved = element.getBoundingClientRect().top - this.anchor.y;
    if (Math.abs(moved) >= 1) this.box.scrollTop += moved;
  }

  /** Where a room opens: at the "new since" line when what is new fills more than the view, else at the end. */
  start(): void {
    const top = this.top();
    if (!this.box || top === null) return;
    this.toEnd(this.box);
    const line = this.box.querySelector('.new-since');
    const above = line ? line.getBoundingClientRect().top - top : 0;
    if (above < 0) this.box.scrollTop += above - this.box.clientHeight / 5;
  }

  private toEnd(box: HTMLElement): void {
    box.scrollTop = box.scrollHeight;
    this.stick(true);
  }

  centre(key: string): void {
    const element = this.element(key);
    const top = this.top();
    if (!this.box || !element || top === null) return;
    const free = Math.max(0, this.box.clientHeight - element.offsetHeight);
    this.box.scrollTop += element.getBoundingClientRect().top - top - free / 2;
  }

  /** How far the view is from both ends of what is drawn, in CSS pixels. */
  distance(): { start: number; end: number } {
    if (!this.box) return { start: Infinity, end: 0 };
    const { scrollTop, scrollHeight, clientHeight } = this.box;
    return { start: scrollTop, end: scrollHeight - scrollTop - clientHeight };
  }

  lastVisible(): string | null {
    const top = this.top();
    if (!this.box || top === null) return null;
    const lines = this.lines();
    const next = this.firstBelow(top + this.box.clientHeight);
    const index = next ? lines.indexOf(next) - 1 : lines.length - 1;
    return lines[index]?.dataset.key ?? null;
  }

  /** Whether any of a line can be seen. */
  sees(key: string): boolean {
    const line = this.element(key)?.getBoundingClientRect();
    const view = this.box?.getBoundingClientRect();
    return !!line && !!view && line.bottom > view.top && line.top < view.bottom;
  }

  element(key: string): HTMLElement | null {
    return this.box?.querySelector(`[data-key="${CSS.escape(key)}"]`) ?? null;
  }

  private top(): number | null {
    return this.box?.getBoundingClientRect().top ?? null;
  }

  private lines(): HTMLElement[] {
    return [...(this.box?.querySelectorAll<HTMLElement>('[data-key]') ?? [])];
  }

  /** The first line whose lower edge is below `y`. */
  private firstBelow(y: number): HTMLElement | undefined {
    const lines = this.lines();
    let low = 0;
    let high = lines.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((lines[middle] as HTMLElement).getBoundingClientRect().bottom <= y) low = middle + 1;
      else high = middle;
    }
    return lines[low];
  }

  private watch(element: HTMLElement, begin: () => void) {
    begin();
    const sizes = new ResizeObserver(() => this.hold());
    sizes.observe(element);
    return () => sizes.disconnect();
  }
}
