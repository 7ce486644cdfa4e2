// Which rows the list shows, in which order. Pure.

import type { Signal, Suggestion } from "../types";

/** What the list can be sorted by: its columns. */
export type SortKey = "symbol" | "trust" | "scores" | "suggestion" | "status" | "age";

/** A column and a direction. */
export interface Sort {
  readonly key: SortKey;
  readonly descending: boolean;
}

/** Which rows to show; null is no restriction. */
export interface Filter {
  readonly search: string;
  readonly status: "pending" | "decided" | null;
  readonly suggestion: Suggestion | null;
}

/** The newest first. */
export const DEFAULT_SORT: Sort = { key: "age", descending: true };

export const NO_FILTER: Filter = {
  search: "",
  status: null,
  suggestion: null,
};

/** The direction that is wanted first when a column is chosen. */
export const firstDirection: Record<SortKey, boolean> = {
  symbol: false,
  trust: true,
  scores: true,
  suggestion: false,
  status: false,
  age: true,
};

const SUGGESTION_ORDER: Record<Suggestion, number> = {
  BUY: 0,
  NEUTRAL: 1,
  RISK: 2,
};

const STATUS_ORDER: Record<Signal["status"], number> = {
  PENDING_REVIEW: 0,
  APPROVED_BUY: 1,
  APPROVED_NEUTRAL: 2,
  APPROVED_RISK: 3,
  SUPERSEDED: 4,
};

function compare(key: SortKey, a: Signal, b: Signal): number {
  switch (key) {
    case "symbol":
      return 0;
    case "trust":
      return a.combined_trust - b.combined_trust;
    case "scores":
      return a.unslug_score - b.unslug_score || a.fear_score - b.fear_score;
    case "suggestion":
      return (
        SUGGESTION_ORDER[a.recommendation.suggested] - SUGGESTION_ORDER[b.recommendation.suggested]
      );
    case "status":
      return STATUS_ORDER[a.status] - STATUS_ORDER[b.status];
    case "age":
      // RFC 3339 in UTC with milliseconds sorts as text.
      return a.computed_at < b.computed_at ? -1 : a.computed_at > b.computed_at ? 1 : 0;
  }
}

const bySymbol = (a: Signal, b: Signal) => (a.symbol < b.symbol ? -1 : a.symbol > b.symbol ? 1 : 0);

/** Whether a filter lets a signal through. */
export function passes(signal: Signal, filter: Filter) {
  if (filter.search !== "" && !signal.symbol.includes(filter.search)) return false;
  if (filter.suggestion !== null && signal.recommendation.suggested !== filter.suggestion)
    return false;
  if (filter.status === "pending") return signal.awaiting_approval;
  if (filter.status === "decided") return signal.approval !== null;
  return true;
}

/** The symbols of the signals that pass, in order; equals by symbol. */
export function arrange(signals: Iterable<Signal>, sort: Sort, filter: Filter): string[] {
  const kept: Signal[] = [];
  for (const signal of signals) if (passes(signal, filter)) kept.push(signal);
  const sign = sort.descending ? -1 : 1;
  kept.sort((a, b) => {
    const order = compare(sort.key, a, b);
    if (order !== 0) return order * sign;
    const names = bySymbol(a, b);
    return sort.key === "symbol" ? names * sign : names;
  });
  return kept.map((signal) => signal.symbol);
}

/** The clean form of what was typed into the search field. */
export const searchTerm = (typed: string) => typed.trim().toUpperCase();
