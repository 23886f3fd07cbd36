// Keeps the reader's place in a scrolling list. The first line that is read is the anchor: after anything changed above
// it or below it, its words are put back to where they were, before the browser paints. A list that sticks to its end
// stays there, until the reader goes up: what grows or shrinks meanwhile has not moved them.
interface Anchor {
  key: string;
  /** From the top of the window, in CSS pixels: where the view itself moves, the words stay before one's eyes. */
  y: number;
  /** Where the view stood then, from the top of the list: what it has moved since, the reader has moved it. */
  stood_px: number;
}

export class Place {
  private box: HTMLElement | null = null;
  private anchor: Anchor | null = null;
  private stuck = true;
  /** Where the view stood when it was at the end the last time, from the top of the list, in CSS pixels. */
  private stood_px = 0;
  private sizes: ResizeObserver | null = null;

  /** For the scrolling element. */
  readonly attach = (box: HTMLElement) => {
    this.box = box;
    return this.watch(box);
  };

  /**
   * For what scrolls in it, and for each of its lines: of a line that takes another size because of its size, as one
   * that folds, a browser tells in the same frame only what is deeper in the page than what it has told of before.
   */
  readonly watch = (element: HTMLElement) => {
    this.sizes ??= new ResizeObserver(() => this.hold());
    this.sizes.observe(element);
    return () => this.sizes?.unobserve(element);
  };

  get key(): string | null {
    return this.anchor?.key ?? null;
  }

  stick(on: boolean): void {
    this.stuck = on;
    this.stood_px = this.box?.scrollTop ?? 0;
  }

  /** Whether the reader, who was at the end, has not gone up since, however far away the end is by now. */
  get isStuck(): boolean {
    return this.stuck && this.box !== null && stepFrom(this.stood_px, this.box) >= 0;
  }

  /** Remembers where the line that is read stands, or the one that somebody is about to change. */
  note(key = this.firstRead()): void {
    if (!this.stuck) this.hold(); // what changed since and is not told yet has moved nobody
    const element = key === null ? null : this.element(key);
    this.anchor =
      this.box && key !== null && element
        ? { key, y: wordsTop(element), stood_px: this.box.scrollTop }
        : null;
  }

  /** Puts the remembered line back to its place; where the reader has scrolled since, to where that took it. */
  hold(): void {
    if (!this.box) return;
    if (this.isStuck) return this.toEnd(this.box);
    const element = this.anchor && this.element(this.anchor.key);
    if (!this.anchor || !element) return;
    this.anchor.y -= stepFrom(this.anchor.stood_px, this.box);
    const moved = wordsTop(element) - this.anchor.y;
    if (Math.abs(moved) >= 1) this.box.scrollTop += moved;
    this.anchor.stood_px = this.box.scrollTop;
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

  /** The first line whose words begin in the view, unless the one before it fills half of it. */
  private firstRead(): string | null {
    const view = this.box?.getBoundingClientRect();
    if (!view) return null;
    const first = this.firstBelow(view.top);
    const lines = this.lines();
    const next = first && wordsTop(first) < view.top ? lines[lines.indexOf(first) + 1] : undefined;
    const read = next && wordsTop(next) < view.top + view.height / 2 ? next : first;
    return read?.dataset.key ?? null;
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
}

/** Where the words of a line begin: above them, name and time come and go with the line before. */
function wordsTop(line: HTMLElement): number {
  return (line.querySelector('[data-words]') ?? line).getBoundingClientRect().top;
}

/** How far the reader has scrolled; a list that has become too short for where they were moves the view by itself. */
function stepFrom(stood_px: number, box: HTMLElement): number {
  const step = box.scrollTop - stood_px;
  const isAtEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 1;
  return step < 0 && isAtEnd ? 0 : step;
}
