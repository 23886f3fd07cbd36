// Whether somebody sits at this device: no input for five minutes means idle. Others see "away" then.

const IDLE_MS = 5 * 60_000; // docs/protocol.md, `idle`
const INPUTS = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'] as const;
const NOTICED_MS = 10_000; // moving the pointer is not counted more often than this

export class Activity {
  isIdle = false;
  private lastAt = Date.now();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly tell: (isIdle: boolean) => void) {}

  start(): void {
    for (const input of INPUTS) addEventListener(input, this.noticed, { passive: true });
    document.addEventListener('visibilitychange', this.noticed);
    this.arm();
  }

  stop(): void {
    for (const input of INPUTS) removeEventListener(input, this.noticed);
    document.removeEventListener('visibilitychange', this.noticed);
    clearTimeout(this.timer);
  }

  private readonly noticed = (): void => {
    if (document.visibilityState === 'hidden') return;
    const now = Date.now();
    if (!this.isIdle && now - this.lastAt < NOTICED_MS) return;
    this.lastAt = now;
    this.become(false);
    this.arm();
  };

  private arm(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.become(true), IDLE_MS);
  }

  private become(isIdle: boolean): void {
    if (isIdle === this.isIdle) return;
    this.isIdle = isIdle;
    this.tell(isIdle);
  }
}
