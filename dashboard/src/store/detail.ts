// Everything about the chosen symbol: reasons, history, decisions, bars. What was seen before is
// shown while the new is on its way.

import { signal } from "@preact/signals";

import { client } from "../client";
import type { Approval, Bar, ExplainedSignal } from "../types";
import { failureOf, type Failure } from "./failure";
import { Lru } from "./lru";

/** What is known of a symbol. Parts are null until they have come. */
export interface Detail {
  readonly symbol: string;
  readonly signal: ExplainedSignal | null;
  readonly history: readonly ExplainedSignal[] | null;
  readonly approvals: readonly Approval[] | null;
  /** Why the newest request for the signal failed; null if it did not. */
  readonly failure: Failure | null;
  readonly loading: boolean;
}

/** Revisions and decisions shown at first, and when more are asked for. */
export const HISTORY = 20;
const WHOLE = 500;
/** How often the details of one symbol are loaded anew at most, milliseconds. */
const AGAIN_MS = 1_500;

const seen = new Lru<string, Detail>(24);

/** The chosen symbol's; null when none is chosen. */
export const detail = signal<Detail | null>(null);

let abort: AbortController | null = null;
let depth = HISTORY;
let opened = { symbol: "", at: 0 };

const blank = (symbol: string): Detail => ({
  symbol,
  signal: null,
  history: null,
  approvals: null,
  failure: null,
  loading: true,
});

function put(symbol: string, part: Partial<Detail>) {
  const before = seen.get(symbol) ?? blank(symbol);
  const next = { ...before, ...part };
  seen.set(symbol, next);
  if (detail.peek()?.symbol === symbol) detail.value = next;
}

/** Shows a symbol and loads what is new of it; null shows none. */
export async function openDetail(symbol: string | null) {
  abort?.abort();
  if (symbol === null) {
    detail.value = null;
    return;
  }
  if (opened.symbol !== symbol) depth = HISTORY;
  opened = { symbol, at: Date.now() };
  const turn = new AbortController();
  abort = turn;
  const call = { signal: turn.signal };
  detail.value = { ...(seen.get(symbol) ?? blank(symbol)), loading: true };
  try {
    const newest = await client.rest.signal(symbol, call);
    put(symbol, { signal: newest, failure: null, loading: false });
    const [history, approvals] = await Promise.all([
      client.rest.history(symbol, { limit: depth }, call),
      client.rest.symbolApprovals(symbol, { limit: depth }, call),
    ]);
    put(symbol, { history: history.signals, approvals: approvals.approvals });
  } catch (error) {
    if (turn.signal.aborted) return;
    put(symbol, { failure: failureOf(error), loading: false });
  }
}

/**
 * How long to wait before a symbol is opened: another one at once; the same again, because there is
 * news of it, not more often than anybody can read.
 * @returns milliseconds
 */
export function waitToOpen(symbol: string | null) {
  return symbol === opened.symbol ? Math.max(0, opened.at + AGAIN_MS - Date.now()) : 0;
}

/** Loads the chosen symbol's older revisions too. */
export function openWhole(symbol: string) {
  depth = WHOLE;
  void openDetail(symbol);
}

/** How far back a chart reaches. */
export type Span = "6M" | "1Y" | "crisis";

const SPAN_DAYS: Record<"6M" | "1Y", number> = { "6M": 184, "1Y": 366 };
/** The anchor's window begins in March 2020; a month before shows where it fell from. */
const CRISIS_FROM = "2020-02-01";
const PAGE = 500;

/** All bars of a span up to a session, oldest first. Rejects as the library does. */
export async function loadBars(
  symbol: string,
  ts: string,
  span: Span,
  abortSignal: AbortSignal,
): Promise<Bar[]> {
  const from =
    span === "crisis"
      ? CRISIS_FROM
      : new Date(Date.parse(ts) - SPAN_DAYS[span] * 86_400_000).toISOString().slice(0, 10);
  const bars: Bar[] = [];
  let cursor: string | null = null;
  do {
    const page: { bars: Bar[]; next_cursor: string | null } = await client.rest.bars(
      symbol,
      { from, limit: PAGE, ...(cursor === null ? {} : { cursor }) },
      { signal: abortSignal },
    );
    bars.push(...page.bars);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return bars;
}

/** Forgets everything, at sign-out. */
export function clearDetails() {
  abort?.abort();
  seen.clear();
  detail.value = null;
}
