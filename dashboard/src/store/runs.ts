// Runs and supplies as people look at them. Pure.

import { plural } from "../format/number";
import type { RunReport, SymbolOutcome, SymbolSupply } from "../types";

/** Whether a run had nothing to do. */
export function isIdle(run: RunReport) {
  return (
    run.ended_at !== null &&
    run.outcomes.length === 0 &&
    run.series.length === 0 &&
    run.deferred === 0 &&
    run.failed.length === 0 &&
    run.overdue.length === 0
  );
}

/**
 * The newest runs, and behind them those known before that are older.
 * @param more whether there are older ones than `newest`
 */
export function mergeRuns(
  newest: readonly RunReport[],
  before: readonly RunReport[],
  more: boolean,
): readonly RunReport[] {
  const last = newest.at(-1);
  if (last === undefined || !more) return newest;
  const known = new Set(newest.map(({ id }) => id));
  const older = before.filter((run) => run.started_at <= last.started_at && !known.has(run.id));
  return [...newest, ...older];
}

/** What a run did, in few words: "5 fetched, 2 new, 3 unchanged". */
export function didWords(run: RunReport): string {
  const failed = run.failed.length + run.unfetched;
  const series = run.series.filter(({ outcome }) => outcome === "new").length;
  const parts: readonly [number, string][] = [
    [run.fetched, "fetched"],
    [run.new, "new"],
    [run.unchanged, "unchanged"],
    [run.insufficient_history, "without a score"],
    [run.deferred, "left for the next"],
    [failed, "failed"],
  ];
  const words = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  if (series > 0) words.push(`${plural(series, "series", "series")} new`);
  return words.length === 0 ? "nothing to do" : words.join(", ");
}

/** Whether anything of a run went wrong. */
export const hasFailed = (run: RunReport) =>
  run.failed.length > 0 || run.unfetched > 0 || run.series.some((it) => it.outcome === "failed");

/** Lines of a run, what failed first. */
export const failedFirst = (outcomes: readonly SymbolOutcome[]) => {
  const failed = (it: SymbolOutcome) => it.outcome === "failed";
  return [...outcomes.filter(failed), ...outcomes.filter((it) => !failed(it))];
};

/** Whether somebody should look at a symbol's data: they are late, or the last try failed. */
export const needsAttention = (it: SymbolSupply) => it.watched && (it.stale || it.error !== null);

/** What a list of symbols is narrowed to. */
export interface SupplyFilter {
  readonly search: string;
  readonly only: "" | "watched" | "attention";
}

/** The symbols that pass, in their order. */
export function narrowed(all: readonly SymbolSupply[], { search, only }: SupplyFilter) {
  const part = search.trim().toUpperCase();
  return all.filter(
    (it) =>
      it.symbol.includes(part) &&
      (only === "" || (only === "watched" ? it.watched : needsAttention(it))),
  );
}

/** The symbols that a text names, separated by spaces or commas, each once. */
export function named(text: string): string[] {
  const parts = text.toUpperCase().split(/[\s,;]+/);
  return [...new Set(parts.filter((part) => part !== ""))];
}
