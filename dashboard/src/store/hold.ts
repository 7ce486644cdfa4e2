// A list that does not jump while it is being read: the order shown stays as it is, what would
// change it is counted, and enters on request or when nobody is looking. Pure.

/** The shown order and what waits to enter it. */
export interface Held {
  readonly shown: readonly string[];
  /** The newest order, when it differs from the shown one. */
  readonly waiting: readonly string[] | null;
  /** Symbols that came or moved up because of a new signal since the shown order was made. */
  readonly fresh: ReadonlySet<string>;
}

export const EMPTY: Held = { shown: [], waiting: null, fresh: new Set() };

const same = (a: readonly string[], b: readonly string[]) =>
  a.length === b.length && a.every((symbol, at) => symbol === b[at]);

/**
 * A new order has been computed.
 * @param reading whether somebody reads the list, so that it must hold still
 * @param news symbols with a new signal since the last call
 */
export function offer(
  held: Held,
  order: readonly string[],
  reading: boolean,
  news: Iterable<string>,
): Held {
  if (same(held.shown, order)) {
    return held.waiting === null && held.fresh.size === 0
      ? held
      : { shown: held.shown, waiting: null, fresh: new Set() };
  }
  if (!reading || held.shown.length === 0) return { shown: order, waiting: null, fresh: new Set() };
  const within = new Set(order);
  const fresh = new Set<string>();
  for (const symbol of held.fresh) if (within.has(symbol)) fresh.add(symbol);
  for (const symbol of news) if (within.has(symbol)) fresh.add(symbol);
  return { shown: held.shown, waiting: order, fresh };
}

/** Lets in what waits. */
export function release(held: Held): Held {
  return held.waiting === null ? held : { shown: held.waiting, waiting: null, fresh: new Set() };
}

/** What the list's head says about what waits; null if nothing does. */
export function announcement(held: Held): string | null {
  if (held.waiting === null) return null;
  return held.fresh.size === 0 ? "Order changed" : `${held.fresh.size.toLocaleString()} new`;
}
