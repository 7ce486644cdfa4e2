// What keys mean. Pure: the page does it.

/** What a key or a pair of keys asks for. */
export type Action =
  | { do: "move"; by: number }
  | { do: "edge"; to: "first" | "last" }
  | { do: "open" }
  | { do: "close" }
  | { do: "decide"; choice: "BUY" | "NEUTRAL" | "RISK" }
  | { do: "search" }
  | { do: "release" }
  | { do: "help" }
  | { do: "theme" }
  | { do: "go"; view: "signals" | "history" | "city" | "data" };

/** A `g` that waits for its second key. */
export interface Prefix {
  readonly at: number;
}

/** How long a `g` waits, milliseconds. */
export const PREFIX_MS = 1_500;

const PAGE = 12;

const SINGLE: Record<string, Action> = {
  j: { do: "move", by: 1 },
  k: { do: "move", by: -1 },
  ArrowDown: { do: "move", by: 1 },
  ArrowUp: { do: "move", by: -1 },
  PageDown: { do: "move", by: PAGE },
  PageUp: { do: "move", by: -PAGE },
  Home: { do: "edge", to: "first" },
  End: { do: "edge", to: "last" },
  Enter: { do: "open" },
  Escape: { do: "close" },
  b: { do: "decide", choice: "BUY" },
  n: { do: "decide", choice: "NEUTRAL" },
  r: { do: "decide", choice: "RISK" },
  "/": { do: "search" },
  ".": { do: "release" },
  "?": { do: "help" },
  t: { do: "theme" },
};

const AFTER_G: Record<string, Action> = {
  s: { do: "go", view: "signals" },
  h: { do: "go", view: "history" },
  c: { do: "go", view: "city" },
  d: { do: "go", view: "data" },
};

/**
 * @param prefix the `g` before this key, if there was one
 * @param key as in `KeyboardEvent.key`
 * @param now milliseconds since 1970
 * @returns what to do, if anything, and the `g` to remember
 */
export function press(
  prefix: Prefix | null,
  key: string,
  now: number,
): { action: Action | null; prefix: Prefix | null } {
  const letter = key.length === 1 ? key.toLowerCase() : key;
  if (prefix !== null && now - prefix.at <= PREFIX_MS) {
    const action = AFTER_G[letter];
    if (action !== undefined) return { action, prefix: null };
  }
  if (letter === "g") return { action: null, prefix: { at: now } };
  return { action: SINGLE[letter] ?? null, prefix: null };
}

/** Keys that lists alone take: elsewhere they scroll. */
export const LIST_KEYS = new Set(["ArrowDown", "ArrowUp", "PageDown", "PageUp", "Home", "End"]);

/** For the help dialog, in its order. */
export const HELP: readonly { keys: readonly string[]; what: string }[] = [
  { keys: ["j", "k"], what: "Next, previous signal" },
  { keys: ["Enter"], what: "Open the signal" },
  { keys: ["b", "n", "r"], what: "Decide BUY, NEUTRAL, RISK" },
  { keys: ["."], what: "Show what is new in the list" },
  { keys: ["/"], what: "Search" },
  { keys: ["g s"], what: "Go to signals" },
  { keys: ["g h"], what: "Go to history" },
  { keys: ["g c"], what: "Go to the city" },
  { keys: ["g d"], what: "Go to the data" },
  { keys: ["t"], what: "Light or dark" },
  { keys: ["Esc"], what: "Close, or clear the search" },
  { keys: ["?"], what: "This help" },
];
