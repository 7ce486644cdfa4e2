// Deterministic daily series from 2020-01-02 on: the crisis window is held, and every engine has
// enough history.

import type { Suggestion } from "./desk.ts";

/** Enough sessions for the slowest component. */
const SESSIONS = 400;

/** Session numbers and prices; between them the price moves in a straight line. */
const KNOTS: Record<Suggestion, readonly (readonly [number, number])[]> = {
  // Near its crisis low and rising.
  BUY: [
    [0, 100],
    [40, 100],
    [52, 50],
    [160, 150],
    [340, 58],
    [420, 79],
  ],
  // Far above it and rising.
  NEUTRAL: [
    [0, 100],
    [40, 100],
    [52, 50],
    [160, 150],
    [340, 110],
    [420, 125],
  ],
  // Far above it and falling.
  RISK: [
    [0, 100],
    [40, 100],
    [52, 50],
    [200, 150],
    [380, 140],
    [420, 80],
  ],
};

const LAST_VOLUME: Record<Suggestion, number> = { BUY: 2.4e6, NEUTRAL: 1e6, RISK: 3e5 };

/** Numbers in [-0.5, 0.5), the same on every machine. */
function* noise(seed: number): Generator<number, never> {
  for (let state = seed >>> 0; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32 - 0.5;
  }
}

function priceAt(knots: readonly (readonly [number, number])[], at: number): number {
  for (const [index, [to, high]] of knots.entries()) {
    const [from, low] = knots[index - 1] ?? [to, high];
    if (at <= to) return to === from ? high : low + ((high - low) * (at - from)) / (to - from);
  }
  return knots.at(-1)?.[1] ?? 100;
}

/**
 * @param seed tells series of one shape apart
 * @param sessions how many weekdays; one more is a new session of the same series
 * @returns CSV that makes the machine suggest `shape`
 */
export function series(shape: Suggestion, seed: number, sessions = SESSIONS): string {
  const random = noise(seed);
  const next = () => random.next().value;
  const price = (value: number) => value.toFixed(4);
  const rows = ["date,open,high,low,close,volume"];
  const day = new Date(Date.UTC(2020, 0, 2));
  for (let at = 0; at < sessions; day.setUTCDate(day.getUTCDate() + 1)) {
    if (day.getUTCDay() % 6 === 0) continue;
    const base = priceAt(KNOTS[shape], at);
    const close = base * (1 + 0.012 * next());
    const open = base * (1 + 0.012 * next());
    const high = Math.max(open, close) * (1 + 0.012 * Math.abs(next()));
    const low = Math.min(open, close) * (1 - 0.012 * Math.abs(next()));
    const volume = at === sessions - 1 ? LAST_VOLUME[shape] : 1e6 * (1 + 0.6 * next());
    const date = day.toISOString().slice(0, 10);
    rows.push([date, ...[open, high, low, close].map(price), Math.round(volume)].join(","));
    at += 1;
  }
  return `${rows.join("\n")}\n`;
}
