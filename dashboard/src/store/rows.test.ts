import { expect, test } from "vitest";

import type { Approval, Signal } from "../types";
import { isNewer, putApproval, putSignal, replaceRows, type Rows } from "./rows";
import { signal } from "./sample";

const approval = (of: Signal, part: Partial<Approval> = {}): Approval => ({
  symbol: of.symbol,
  approved_status: "RISK",
  approved_by: "carol",
  approved_at: "2026-11-20T22:05:00.000Z",
  note: null,
  signal_id: of.id,
  ...part,
});

test("old news changes nothing, whatever order it comes in", () => {
  const rows: Rows = new Map();
  const first = signal("AAPL");
  const second = signal("AAPL", { revision: 2 });
  const next = signal("AAPL", { ts: "2026-11-21T00:00:00Z" });
  expect(putSignal(rows, second, 1)).toBe(true);
  expect(putSignal(rows, first, 2)).toBe(false);
  expect(putSignal(rows, second, 3)).toBe(false);
  expect(putSignal(rows, next, 4)).toBe(true);
  expect(rows.get("AAPL")?.signal).toBe(next);
});

test("a decided signal is newer than the same one pending, never the other way round", () => {
  const pending = signal("AAPL");
  const decided = signal("AAPL", { status: "APPROVED_BUY", awaiting_approval: false });
  expect(isNewer(decided, pending)).toBe(true);
  expect(isNewer(pending, decided)).toBe(false);
});

test("a decision marks its own signal alone", () => {
  const rows: Rows = new Map();
  const old = signal("AAPL");
  putSignal(rows, signal("AAPL", { revision: 2 }), 1);
  expect(putApproval(rows, approval(old), 2)).toBe(false);
  expect(rows.get("AAPL")?.signal.status).toBe("PENDING_REVIEW");
  expect(putApproval(rows, approval(signal("AAPL", { revision: 2 })), 3)).toBe(true);
  expect(rows.get("AAPL")?.signal).toMatchObject({
    status: "APPROVED_RISK",
    awaiting_approval: false,
    approval: { approved_by: "carol" },
  });
});

test("the first decision stands", () => {
  const rows: Rows = new Map();
  const of = signal("AAPL");
  putSignal(rows, of, 1);
  putApproval(rows, approval(of), 2);
  expect(putApproval(rows, approval(of, { approved_by: "dave" }), 3)).toBe(false);
  expect(rows.get("AAPL")?.signal.approval?.approved_by).toBe("carol");
});

test("only the cells that changed flash", () => {
  const rows: Rows = new Map();
  putSignal(rows, signal("AAPL"), 1, true);
  expect(rows.get("AAPL")?.flashed).toEqual({});
  putSignal(rows, signal("AAPL", { revision: 2, combined_trust: 0.7 }), 5);
  expect(rows.get("AAPL")?.flashed).toEqual({ trust: 5, status: 5 });
});

test("a list replaces all but what came since it was asked for", () => {
  const rows: Rows = new Map();
  for (const symbol of ["GONE", "NEW", "AAPL"]) putSignal(rows, signal(symbol), 1);
  const newer = signal("AAPL", { revision: 2 });
  putSignal(rows, newer, 2);
  replaceRows(rows, [signal("AAPL"), signal("SPY")], new Set(["NEW", "AAPL"]));
  expect([...rows.keys()].sort()).toEqual(["AAPL", "NEW", "SPY"]);
  expect(rows.get("AAPL")?.signal).toBe(newer);
});

test("a list after a lost log goes back where the server does", () => {
  const rows: Rows = new Map();
  putSignal(rows, signal("AAPL", { revision: 3 }), 1);
  const restored = signal("AAPL", { revision: 2 });
  replaceRows(rows, [restored], new Set());
  expect(rows.get("AAPL")?.signal).toBe(restored);
});
