// What `explain` says, by name. A factor that is not there or has no value is null.

import type { Explain, Factor } from "../types";

/** The crisis low, the high since, and the lines between that the dip score rests on. */
export interface Anchor {
  low: number | null;
  lowDate: string | null;
  high: number | null;
  highDate: string | null;
  fib23: number | null;
  fib38: number | null;
  price: number | null;
  band: string | null;
  base: number | null;
  hits: number | null;
  hitsShare: number | null;
  firstHit: string | null;
}

/** Volume of the last session against the nine before. */
export interface Flow {
  ratio: number | null;
  signal: string | null;
  trust: number | null;
}

const find = (factors: readonly Factor[], name: string) =>
  factors.find((factor) => factor.name === name);

function number(factors: readonly Factor[], name: string) {
  const value = find(factors, name)?.value;
  return typeof value === "number" ? value : null;
}

function text(factors: readonly Factor[], name: string) {
  const value = find(factors, name)?.value;
  return typeof value === "string" ? value : null;
}

export function anchorOf({ unslug }: Explain): Anchor {
  return {
    low: number(unslug, "anchor_low"),
    lowDate: text(unslug, "anchor_low_date"),
    high: number(unslug, "anchor_high"),
    highDate: text(unslug, "anchor_high_date"),
    fib23: number(unslug, "fib_23_6"),
    fib38: number(unslug, "fib_38_2"),
    price: number(unslug, "current_price"),
    band: text(unslug, "band"),
    base: number(unslug, "base"),
    hits: number(unslug, "hits"),
    hitsShare: find(unslug, "hits")?.contribution ?? null,
    firstHit: text(unslug, "first_hit"),
  };
}

export function flowOf({ market_flow }: Explain): Flow {
  return {
    ratio: number(market_flow, "volume_ratio"),
    signal: text(market_flow, "signal"),
    trust: number(market_flow, "trust"),
  };
}

/** A fear component: 0 to 100, or null where it is missing. */
export interface Component {
  name: string;
  value: number | null;
}

export function componentsOf({ fear }: Explain): Component[] {
  return fear.map(({ name, value }) => ({
    name,
    value: typeof value === "number" ? value : null,
  }));
}
