// Of answers that overtake each other, the one to the last question counts; of refusals too.

/** Gives a function that asks: what comes back for a question is dropped once another one was asked. */
export function newest() {
  let asked = 0;
  return async <T>(question: Promise<T>, take: (answer: T) => void, refuse: (error: unknown) => void) => {
    const mine = ++asked;
    await question.then(
      (answer) => mine === asked && take(answer),
      (error: unknown) => mine === asked && refuse(error),
    );
  };
}
