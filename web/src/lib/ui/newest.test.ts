import { describe, expect, it } from 'vitest';
import { newest } from './newest';

/** Questions whose answers come when the test says so; what was taken of them, oldest first. */
function asking() {
  const ask = newest();
  const told: string[] = [];
  const put = () => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const done = ask(
      promise,
      (answer) => told.push(answer),
      (error) => told.push(`refused: ${error}`),
    );
    return { resolve, reject, done };
  };
  return { told, put };
}

describe('the newest question', () => {
  it('is the one whose answer is taken, whichever comes first', async () => {
    const { told, put } = asking();
    const [first, second] = [put(), put()];
    second.resolve('second');
    await second.done;
    first.resolve('first');
    await first.done;
    expect(told).toEqual(['second']);
  });

  it('is not spoilt by the refusal of one before it', async () => {
    const { told, put } = asking();
    const [first, second] = [put(), put()];
    second.resolve('second');
    first.reject('first');
    await Promise.all([first.done, second.done]);
    expect(told).toEqual(['second']);
  });

  it('tells when it is refused itself', async () => {
    const { told, put } = asking();
    const only = put();
    only.reject('no');
    await only.done;
    expect(told).toEqual(['refused: no']);
  });
});
