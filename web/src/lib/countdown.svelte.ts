// The state of the connection as pages show it, with the seconds until the next try counting down.
import type { LiveState } from './live';

export interface ConnectionState {
  state: LiveState['state'];
  /** Until the next try, while it waits for one. */
  seconds: number | null;
}

export class Countdown {
  current: ConnectionState = $state.raw({ state: 'connecting', seconds: null });
  private timer: ReturnType<typeof setInterval> | undefined;

  show(state: LiveState): void {
    clearInterval(this.timer);
    if (!('until' in state)) {
      this.current = { state: state.state, seconds: null };
      return;
    }
    const count = () => {
      const seconds = Math.max(1, Math.ceil((state.until - Date.now()) / 1000));
      this.current = { state: state.state, seconds };
    };
    count();
    this.timer = setInterval(count, 1000);
  }
}
