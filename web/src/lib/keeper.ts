// Keeps the outbox in the browser, so that a reload or a crash loses no words. Each open page keeps its own, under
// a lock that lives as long as the page; what a dead page left is taken over by the next one that starts.
import type { Job, Outbox } from './outbox';
import type { Store } from './stored';

const NAME = 'outbox:';

export class Keeper {
  private readonly name = `${NAME}${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;
  private isStopped = false;
  private release: () => void = () => undefined;

  constructor(
    private readonly store: Store,
    private readonly outbox: Outbox,
  ) {}

  /** Takes over what dead pages left. Without locks (plain http) all of it: a send that doubles is stored once. */
  async start(): Promise<void> {
    const left = this.store.names(NAME);
    // On plain http from another machine there are no locks.
    const locks = navigator.locks as LockManager | undefined;
    if (!locks) return left.forEach((name) => this.adopt(name));
    void locks.request(
      this.lockOf(this.name),
      () => new Promise<void>((resolve) => (this.release = resolve)),
    );
    for (const name of left) {
      await locks.request(this.lockOf(name), { ifAvailable: true }, (lock) => lock && this.adopt(name));
    }
  }

  save(): void {
    if (this.isStopped) return;
    const jobs = this.outbox.all.filter(({ state }) => state !== 'done');
    this.store.write(this.name, jobs.length ? JSON.stringify(jobs) : null);
  }

  /** From here on nothing is written: what answers come late must not bring back what was wiped. */
  stop(): void {
    this.isStopped = true;
    this.release();
  }

  private adopt(name: string): void {
    const left = this.isStopped ? null : this.store.read(name);
    if (left === null) return;
    this.outbox.adopt(jobsOf(left));
    this.save();
    this.store.write(name, null);
  }

  private lockOf(name: string): string {
    return `hubchat:${this.store.account}:${name}`;
  }
}

/** What another page wrote; none when it can't be read. */
function jobsOf(text: string): Job[] {
  try {
    const jobs: unknown = JSON.parse(text);
    return Array.isArray(jobs) ? (jobs as Job[]) : [];
  } catch {
    return [];
  }
}
