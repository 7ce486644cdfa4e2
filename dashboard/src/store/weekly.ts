// Daily bars as weekly ones, for spans where a day would be narrower than a pixel. Pure.

import type { Bar } from "../types";

// Weeks since Monday, 5 January 1970.
const weekOf = (date: string) => Math.floor((Date.parse(date) / 86_400_000 - 4) / 7);

/** One bar per week, dated by its first session. @param bars ascending */
export function weekly(bars: readonly Bar[]): Bar[] {
  const weeks: Bar[] = [];
  let current = Number.NaN;
  for (const bar of bars) {
    const week = weekOf(bar.date);
    const last = weeks.at(-1);
    if (last === undefined || week !== current) {
      weeks.push({ ...bar });
      current = week;
    } else {
      last.high = Math.max(last.high, bar.high);
      last.low = Math.min(last.low, bar.low);
      last.close = bar.close;
      last.volume += bar.volume;
    }
  }
  return weeks;
}
