// Whether a signal's data are as new as they should be. Pure.

import { session } from "../format/time";
import type { Signal } from "../types";

/**
 * Whether a newer session's bar is due and missing.
 * @param due the newest session whose bar is due, where it is known: the signal's own word is of
 *   the moment it was sent, and nothing is sent when it becomes stale
 */
export function isStale(signal: Signal, due: string | null) {
  return due === null ? signal.stale : signal.ts.slice(0, 10) < due;
}

/** What there is to say of a signal whose data are not what they should be; null of any other. */
export function freshness(signal: Signal, due: string | null): string | null {
  if (isStale(signal, due)) {
    const until = due === null ? "a newer one is due" : `that of ${session(due)} is due`;
    return `Data are missing since the session of ${session(signal.ts)}; ${until}.`;
  }
  if (signal.provisional)
    return "Its session has not ended. The daily run after it confirms or revises the signal.";
  return null;
}
