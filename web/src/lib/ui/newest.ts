// Of answers that overtake each other, the one to the last question counts.

/** Each call begins a question; what it gives tells, when the answer is there, whether none was asked since. */
export function newest(): () => () => boolean {
  let asked = 0;
  return () => {
    const mine = ++asked;
    return () => mine === asked;
  };
}
