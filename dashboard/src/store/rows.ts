// The table of signals: the newest signal per symbol, whatever order the news of it comes in.
// Pure; what changed is told, so that a view can flash the cells.

import { decidedStatus } from "../format/words";
import type { Approval, Signal } from "../types";

/** The cells of a row whose change is worth a flash. */
export type Cell = "symbol" | "trust" | "scores" | "suggestion" | "status";

/** One symbol. Replaced as a whole when anything of it changes. */
export interface Row {
  readonly signal: Signal;
  /** When each cell last changed before the reader's eyes, milliseconds since 1970. */
  readonly flashed: Readonly<Partial<Record<Cell, number>>>;
}

/** Rows by symbol. */
export type Rows = Map<string, Row>;

/** Whether `a` is news to somebody who knows `b`: later date, later revision, or decided since. */
export function isNewer(a: Signal, b: Signal) {
  if (a.ts !== b.ts) return a.ts > b.ts;
  if (a.revision !== b.revision) return a.revision > b.revision;
  return a.status !== b.status && b.status === "PENDING_REVIEW";
}

function changedCells(a: Signal, b: Signal): Cell[] {
  const cells: Cell[] = [];
  if (a.combined_trust !== b.combined_trust) cells.push("trust");
  if (a.unslug_score !== b.unslug_score || a.fear_score !== b.fear_score) cells.push("scores");
  if (a.recommendation.suggested !== b.recommendation.suggested) cells.push("suggestion");
  if (a.status !== b.status || a.id !== b.id) cells.push("status");
  return cells;
}

/**
 * Takes a signal into the table, unless it is old news.
 * @param quiet nothing flashes: the table is being filled, or so much changes that all would flash
 * @returns whether the row changed
 */
export function putSignal(rows: Rows, signal: Signal, now: number, quiet = false) {
  const held = rows.get(signal.symbol);
  if (held === undefined) {
    rows.set(signal.symbol, { signal, flashed: quiet ? {} : { symbol: now } });
    return true;
  }
  if (!isNewer(signal, held.signal)) return false;
  const flashed = { ...held.flashed };
  if (!quiet) for (const cell of changedCells(held.signal, signal)) flashed[cell] = now;
  rows.set(signal.symbol, { signal, flashed });
  return true;
}

/**
 * Takes a decision into the table. One on a signal that is not the symbol's newest changes nothing.
 * @returns whether the row changed
 */
export function putApproval(rows: Rows, approval: Approval, now: number) {
  const held = rows.get(approval.symbol);
  if (held === undefined || held.signal.id !== approval.signal_id) return false;
  if (held.signal.approval !== null) return false;
  rows.set(approval.symbol, {
    signal: {
      ...held.signal,
      status: decidedStatus(approval.approved_status),
      awaiting_approval: false,
      approval,
    },
    flashed: { ...held.flashed, status: now },
  });
  return true;
}

/**
 * Replaces the table by a complete list from the server, but keeps what came over the socket since
 * the list was asked for.
 * @param since the symbols that events touched meanwhile
 */
export function replaceRows(rows: Rows, signals: readonly Signal[], since: ReadonlySet<string>) {
  const listed = new Map(signals.map((signal) => [signal.symbol, signal]));
  for (const symbol of [...rows.keys()])
    if (!listed.has(symbol) && !since.has(symbol)) rows.delete(symbol);
  for (const signal of signals) {
    const held = rows.get(signal.symbol);
    if (held !== undefined && since.has(signal.symbol)) {
      if (!isNewer(signal, held.signal)) continue;
    } else if (
      held?.signal.id === signal.id &&
      held.signal.status === signal.status &&
      held.signal.stale === signal.stale
    ) {
      continue;
    }
    rows.set(signal.symbol, { signal, flashed: held?.flashed ?? {} });
  }
}
