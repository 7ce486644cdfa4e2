// Gathers what comes in a burst, so that it is told in one sentence. Pure but for the timer given.

/**
 * @param ms how long a burst is gathered
 * @param tell is given what was gathered, in order, never nothing; at most `most` of it
 * @returns takes one item; the first of a burst starts the timer
 */
export function gatherer<T>(
  ms: number,
  most: number,
  tell: (items: readonly T[], count: number) => void,
  later: (run: () => void, ms: number) => void = setTimeout,
) {
  let items: T[] = [];
  let count = 0;
  return (item: T) => {
    if (count === 0)
      later(() => {
        const told = items;
        const all = count;
        items = [];
        count = 0;
        tell(told, all);
      }, ms);
    count += 1;
    if (items.length < most) items.push(item);
  };
}
