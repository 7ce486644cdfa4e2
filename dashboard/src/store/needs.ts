// How much history a symbol without a score still needs, read from what the server says is missing.

import { COMPONENTS, reasonWords } from "../format/words";
import type { Missing } from "../types";

/** Components that a fear score needs, of seven. */
const ENOUGH = 4;

/** Bars held and bars for a first score, and in words what else is missing. */
export interface Needs {
  have: number | null;
  need: number | null;
  reasons: string[];
}

/** @param missing the `missing` of an `insufficient-history` problem */
export function needs(missing: readonly Missing[]): Needs {
  const wanted: number[] = [];
  let have: number | null = null;
  let listed = 0;
  const reasons: string[] = [];
  for (const { what, reason } of missing) {
    const bars = /^needs (\d+) bars, has (\d+)$/.exec(reason);
    if (what in COMPONENTS) listed += 1;
    if (bars !== null) {
      wanted.push(Number(bars[1]));
      have = Number(bars[2]);
    } else if (what === "unslug" || what === "market_flow") {
      const engine = what === "unslug" ? "Unslug" : "Market flow";
      reasons.push(`${engine}: ${reasonWords(reason)}.`);
    }
  }
  const available = Object.keys(COMPONENTS).length - listed;
  wanted.sort((a, b) => a - b);
  const need = wanted[ENOUGH - available - 1] ?? null;
  return { have, need, reasons };
}

/** "No score yet: 12 of 272 bars. Import history." */
export function needsSentence({ have, need, reasons }: Needs) {
  if (have !== null && need !== null && have < need)
    return `No score yet: ${have} of ${need} bars. Import history.`;
  return `No score yet. ${reasons[0] ?? ""}`.trim();
}
