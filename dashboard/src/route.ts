// Where in the page one is. Everything is in the fragment, so that one static file serves all.

import { signal } from "@preact/signals";

/** The views. */
export type View = "signals" | "history" | "city" | "data";

const VIEWS: readonly View[] = ["signals", "history", "city", "data"];

/** A view, the symbol opened in it, and its query. */
export interface Route {
  readonly view: View;
  readonly symbol: string | null;
  readonly query: Readonly<Record<string, string>>;
}

const SYMBOL = /^(?=.*[A-Z0-9])[A-Z0-9.^=-]{1,15}$/;

/** Whether the server would take this as a symbol. */
export const isSymbol = (text: string) => SYMBOL.test(text);

/** Reads a fragment; what it does not understand is the list of signals. */
export function parse(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#/, "").split("?", 2);
  const [, view, name] = path.split("/");
  const query = Object.fromEntries(new URLSearchParams(search));
  let symbol: string | null = null;
  try {
    symbol = name ? decodeURIComponent(name).toUpperCase() : null;
  } catch {
    // A broken escape names no symbol.
  }
  if (symbol !== null && !isSymbol(symbol)) symbol = null;
  return {
    view: VIEWS.find((known) => known === view) ?? "signals",
    symbol,
    query,
  };
}

/** The fragment of a route, with its `#`. */
export function href(route: {
  view: View;
  symbol?: string | null;
  query?: Readonly<Record<string, string>>;
}): string {
  const symbol = route.symbol ? `/${encodeURIComponent(route.symbol)}` : "";
  const query = new URLSearchParams(
    Object.entries(route.query ?? {}).filter(([, value]) => value !== ""),
  ).toString();
  return `#/${route.view}${symbol}${query === "" ? "" : `?${query}`}`;
}

/** Where one is now. */
export const route = signal<Route>(parse(location.hash));

/** Goes somewhere. `replace` leaves no step for the browser's Back. */
export function go(
  next: Parameters<typeof href>[0],
  { replace = false }: { replace?: boolean } = {},
) {
  const to = href(next);
  if (replace) history.replaceState(null, "", to);
  else if (to !== location.hash) history.pushState(null, "", to);
  route.value = parse(to);
}

/** Follows the browser's own navigation. */
export function followAddress(onHash: () => boolean) {
  const follow = () => {
    if (!onHash()) route.value = parse(location.hash);
  };
  addEventListener("hashchange", follow);
  addEventListener("popstate", follow);
}
