// What tests are about.

import type { Signal } from "../types";

/** A pending signal of a symbol. */
export function signal(symbol: string, part: Partial<Signal> = {}): Signal {
  const ts = part.ts ?? "2026-11-20T00:00:00Z";
  const revision = part.revision ?? 1;
  return {
    id: `${symbol}:${ts.slice(0, 10)}:${revision}`,
    symbol,
    ts,
    computed_at: "2026-11-20T22:00:00.000Z",
    revision,
    unslug_score: 0.8,
    fear_score: 0.5,
    combined_trust: 0.63,
    status: "PENDING_REVIEW",
    recommendation: { suggested: "BUY", unslug: 0.8, fear: 0.5, logic: "" },
    awaiting_approval: true,
    approval: null,
    provisional: false,
    stale: false,
    ...part,
  };
}
