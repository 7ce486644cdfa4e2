// The market's mood, and how its components are told.

import { signal } from "@preact/signals";

import { change, fixed } from "../format/number";
import type { Market, MarketComponent } from "../types";

/** What is known of the market; null while the server has none, undefined until it has said so. */
export const market = signal<Market | null | undefined>(undefined);

/** Takes what the server says; a server of an earlier version says nothing. */
export function takeMarket(next: Market | null | undefined) {
  market.value = next ?? null;
}

/** What a component is called, what is ranked, and its value in its own unit. */
interface Telling {
  word: string;
  what: string;
  value: (value: number) => string;
}

/** Components by name, as `docs/market.md` defines them. */
export const MARKET_COMPONENTS: Record<MarketComponent["name"], Telling> = {
  momentum: {
    word: "Momentum",
    what: "SPY against its mean of 125 sessions",
    value: (ratio) => change(ratio - 1),
  },
  strength: {
    word: "Price strength",
    what: "New highs less new lows, of the watchlist",
    value: change,
  },
  breadth: {
    word: "Breadth",
    what: "Net advances of the watchlist, 20 sessions",
    value: (sum) => fixed(sum, 2),
  },
  put_call: {
    word: "Put/call ratio",
    what: "Puts per call, mean of 5 days; high is fear",
    value: (ratio) => fixed(ratio, 2),
  },
  junk_bond_demand: {
    word: "Junk bond demand",
    what: "Spread of high-yield bonds; high is fear",
    value: (spread) => `${fixed(spread, 2)} %`,
  },
  volatility: {
    word: "Volatility",
    what: "VIX against its mean of 50 days; high is fear",
    value: (ratio) => change(ratio - 1),
  },
  safe_haven: {
    word: "Safe haven demand",
    what: "Stocks less treasuries, 20 sessions",
    value: change,
  },
};
