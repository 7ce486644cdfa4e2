import { expect, test } from "vitest";

import { arrange, NO_FILTER, searchTerm, type Sort } from "./arrange";
import { announcement, EMPTY, offer, release } from "./hold";
import { signal } from "./sample";

const signals = [
  signal("SPY", { combined_trust: 0.4, computed_at: "2026-11-20T22:00:03.000Z" }),
  signal("AAPL", { combined_trust: 0.8, computed_at: "2026-11-20T22:00:01.000Z" }),
  signal("QQQ", {
    combined_trust: 0.4,
    computed_at: "2026-11-20T22:00:02.000Z",
    status: "APPROVED_RISK",
    awaiting_approval: false,
    approval: {
      symbol: "QQQ",
      approved_status: "RISK",
      approved_by: "bob",
      approved_at: "2026-11-20T22:01:00.000Z",
      note: null,
      signal_id: "QQQ:2026-11-20:1",
    },
    recommendation: { suggested: "RISK", unslug: 0.8, fear: 0.2, logic: "" },
  }),
];

const by = (key: Sort["key"], descending: boolean) =>
  arrange(signals, { key, descending }, NO_FILTER);

test("each column sorts both ways, equals by symbol", () => {
  expect(by("age", true)).toEqual(["SPY", "QQQ", "AAPL"]);
  expect(by("age", false)).toEqual(["AAPL", "QQQ", "SPY"]);
  expect(by("symbol", false)).toEqual(["AAPL", "QQQ", "SPY"]);
  expect(by("symbol", true)).toEqual(["SPY", "QQQ", "AAPL"]);
  expect(by("trust", true)).toEqual(["AAPL", "QQQ", "SPY"]);
  expect(by("trust", false)).toEqual(["QQQ", "SPY", "AAPL"]);
  expect(by("suggestion", false)).toEqual(["AAPL", "SPY", "QQQ"]);
  expect(by("status", true)).toEqual(["QQQ", "AAPL", "SPY"]);
});

test("filters work together", () => {
  const sort: Sort = { key: "symbol", descending: false };
  const pass = (part: Partial<typeof NO_FILTER>) =>
    arrange(signals, sort, { ...NO_FILTER, ...part });
  expect(pass({ status: "pending" })).toEqual(["AAPL", "SPY"]);
  expect(pass({ status: "decided" })).toEqual(["QQQ"]);
  expect(pass({ suggestion: "RISK" })).toEqual(["QQQ"]);
  expect(pass({ suggestion: "RISK", status: "pending" })).toEqual([]);
  expect(pass({ search: searchTerm(" p") })).toEqual(["AAPL", "SPY"]);
});

test("the first order is shown even to somebody who reads", () => {
  expect(offer(EMPTY, ["A", "B"], true, ["A", "B"]).shown).toEqual(["A", "B"]);
});

test("what comes while reading waits, is counted once, and enters on request", () => {
  let held = offer(EMPTY, ["A", "B"], false, []);
  held = offer(held, ["C", "A", "B"], true, ["C"]);
  held = offer(held, ["B", "C", "A"], true, ["B", "C"]);
  expect(held.shown).toEqual(["A", "B"]);
  expect(announcement(held)).toBe("2 new");
  held = release(held);
  expect(held.shown).toEqual(["B", "C", "A"]);
  expect(announcement(held)).toBeNull();
});

test("an order that comes back to what is shown waits for nothing", () => {
  let held = offer(EMPTY, ["A", "B"], false, []);
  held = offer(held, ["B", "A"], true, []);
  expect(announcement(held)).toBe("Order changed");
  held = offer(held, ["A", "B"], true, []);
  expect(announcement(held)).toBeNull();
});

test("what a filter hides is not counted as new", () => {
  let held = offer(EMPTY, ["A"], false, []);
  held = offer(held, ["B", "A"], true, ["B", "HIDDEN"]);
  expect(announcement(held)).toBe("1 new");
});

test("nobody reading: the order enters at once", () => {
  const held = offer(offer(EMPTY, ["A"], false, []), ["B", "A"], false, ["B"]);
  expect(held).toEqual({ shown: ["B", "A"], waiting: null, fresh: new Set() });
});
