/** When to come back, and whether at all. Times in milliseconds. */

/** Shortest and longest wait after the first. */
const LEAST = 3_000;
const MOST = 60_000;

/** Whether a close code allows to come back. */
export function comesBack(code: number): boolean {
  return code !== 1000 && code !== 1009 && !(code >= 4500 && code <= 4999);
}

/**
 * How long to wait before the connect that follows `attempt` others since the socket was well. The
 * first is spread over the server's `window`, of at most a minute.
 */
export function wait(attempt: number, window: number, random: number): number {
  if (attempt === 0) return Math.min(window, MOST) * random;
  return LEAST + (Math.min(MOST, LEAST * 2 ** attempt) - LEAST) * random;
}
