import { expect, test } from "vitest";

import type { RunReport, SymbolOutcome, SymbolSupply } from "../types";
import { didWords, failedFirst, hasFailed, isIdle, mergeRuns, named, narrowed } from "./runs";

const run = (id: string, part: Partial<RunReport> = {}): RunReport => ({
  id,
  cron: "* * * * *",
  started_at: `2026-11-20T22:00:${id.padStart(2, "0")}.000Z`,
  ended_at: "2026-11-20T22:01:00.000Z",
  duration_ms: 12,
  planned: 0,
  new: 0,
  unchanged: 0,
  insufficient_history: 0,
  fetched: 0,
  unfetched: 0,
  deferred: 0,
  failed: [],
  overdue: [],
  stale: [],
  outcomes: [],
  series: [],
  city: null,
  ...part,
});

const outcome = (symbol: string, of: SymbolOutcome["outcome"]): SymbolOutcome => ({
  symbol,
  outcome: of,
  provider: null,
  bars: null,
  rejected: 0,
  duration_ms: 1,
  error: null,
});

const supply = (symbol: string, part: Partial<SymbolSupply> = {}): SymbolSupply => ({
  symbol,
  watched: true,
  first_bar: null,
  last_bar: null,
  provisional: false,
  due: "2026-11-20",
  stale: false,
  data_age: null,
  provider: null,
  fetched_at: null,
  next_fetch_at: null,
  failures: 0,
  error: null,
  missing_from: null,
  ...part,
});

test("a run under way is not idle, nor one that leaves work for the next", () => {
  expect(isIdle(run("1"))).toBe(true);
  expect(isIdle(run("1", { ended_at: null }))).toBe(false);
  expect(isIdle(run("1", { deferred: 3 }))).toBe(false);
  expect(isIdle(run("1", { outcomes: [outcome("AAPL", "unchanged")] }))).toBe(false);
});

test("what a run did is told without what it did not", () => {
  expect(didWords(run("1"))).toBe("nothing to do");
  const busy = run("1", { fetched: 5, new: 2, unchanged: 3, unfetched: 1, failed: ["SPY"] });
  expect(didWords(busy)).toBe("5 fetched, 2 new, 3 unchanged, 2 failed");
  expect(hasFailed(busy)).toBe(true);
  expect(hasFailed(run("1", { new: 1 }))).toBe(false);
});

test("older runs stay behind newly loaded ones, each once", () => {
  const ids = (runs: readonly RunReport[]) => runs.map(({ id }) => id);
  const before = [run("5"), run("4"), run("3"), run("2")];
  expect(ids(mergeRuns([run("6"), run("5"), run("4")], before, true))).toEqual([
    "6",
    "5",
    "4",
    "3",
    "2",
  ]);
  // All there is has come: what is not in it is no more.
  expect(ids(mergeRuns([run("6")], before, false))).toEqual(["6"]);
  expect(ids(mergeRuns([], before, false))).toEqual([]);
});

test("what failed comes first", () => {
  const lines = [outcome("A", "new"), outcome("B", "failed"), outcome("C", "unchanged")];
  expect(failedFirst(lines).map(({ symbol }) => symbol)).toEqual(["B", "A", "C"]);
});

test("symbols are narrowed by name and by what is wrong with them", () => {
  const all = [
    supply("AAPL"),
    supply("SPY", { stale: true }),
    supply("QQQ", { error: "yahoo: it answered 500" }),
    supply("OLD", { watched: false, stale: true }),
  ];
  const names = (part: Parameters<typeof narrowed>[1]) =>
    narrowed(all, part).map(({ symbol }) => symbol);
  expect(names({ search: " p", only: "" })).toEqual(["AAPL", "SPY"]);
  expect(names({ search: "", only: "watched" })).toEqual(["AAPL", "SPY", "QQQ"]);
  expect(names({ search: "", only: "attention" })).toEqual(["SPY", "QQQ"]);
});

test("symbols to add are named as people write them", () => {
  expect(named(" aapl, BRK-B;spy\nAAPL ")).toEqual(["AAPL", "BRK-B", "SPY"]);
  expect(named(" , ")).toEqual([]);
});
