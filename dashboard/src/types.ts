// The shapes the page works with: the library's, in one place.

import type { City } from "@signalroom/client";

export type {
  Approval,
  Bar,
  City,
  ConnectionState,
  ExplainedSignal,
  Explain,
  Factor,
  Market,
  MarketComponent,
  RunReport,
  SeriesOutcome,
  Signal,
  Status,
  Suggestion,
  SymbolOutcome,
  SymbolSupply,
} from "@signalroom/client";

/** How much trust there is, all symbols together. */
export type CityMood = NonNullable<City["city_state"]>;

/** An engine or a component without a value, and why. */
export interface Missing {
  what: string;
  reason: string;
}
