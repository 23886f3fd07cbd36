// What of the frame is open, and how wide the window is: from 1100 px everything side by side, below 700 one thing
// at a time. Measured in em of the browser's own text size, so that large text gets the simpler layout.
import { MediaQuery } from 'svelte/reactivity';

export const WIDE = new MediaQuery('width >= 68.75em', true);
export const NARROW = new MediaQuery('width < 43.75em');
/** Whether a finger points. */
export const COARSE = new MediaQuery('pointer: coarse');
const ROOMY = new MediaQuery('width >= 80em', true);

class Shell {
  /** The drawer with my groups and conversations. */
  list = $state(false);
  /** Pages shown since the hub was opened: whether "back" has somewhere to go. */
  visited = $state(0);
  /** Which part of a room's details is shown. */
  part: 'about' | 'people' | 'pins' = $state('about');
  private wanted: boolean | null = $state(null);

  /** A room's details: open by themselves where there is room, until somebody says otherwise. */
  get details(): boolean {
    return this.wanted ?? ROOMY.current;
  }

  set details(open: boolean) {
    this.wanted = open;
  }

  /** Where one came from; `otherwise` when this was the first page. */
  back(otherwise: string, go: (path: string) => unknown): void {
    if (this.visited > 1) history.back();
    else go(otherwise);
  }

  /** On a small screen details cover the room, so they are closed on arrival. */
  arrive(): void {
    this.visited += 1;
    this.list = false;
    if (!WIDE.current) this.wanted = false;
  }
}

export const shell = new Shell();
