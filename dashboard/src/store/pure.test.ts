import { expect, test } from "vitest";

import type { Bar } from "../types";
import { anchorOf, componentsOf, flowOf } from "./explain";
import { gatherer } from "./gather";
import { Lru } from "./lru";
import { needs, needsSentence } from "./needs";
import { weekly } from "./weekly";

const few = (has: number) => [
  { what: "unslug", reason: "fewer_than_20_bars" },
  { what: "fear", reason: "needs 4 of 7 components, has 0" },
  ...[324, 252, 302, 272, 272, 200, 252].map((need, at) => ({
    what: [
      "momentum",
      "strength",
      "volatility",
      "breadth",
      "safe_haven",
      "credit",
      "short_sentiment",
    ][at] as string,
    reason: `needs ${need} bars, has ${has}`,
  })),
];

test("a first score needs as many bars as the fourth component", () => {
  expect(needsSentence(needs(few(12)))).toBe("No score yet: 12 of 272 bars. Import history.");
});

test("components that are there count towards the four", () => {
  const missing = few(260).filter(({ what }) =>
    ["momentum", "volatility", "breadth", "safe_haven"].includes(what),
  );
  expect(needs(missing)).toMatchObject({ have: 260, need: 272 });
});

test("where bars are not what is missing, the reason is said", () => {
  expect(needsSentence(needs([{ what: "unslug", reason: "anchor_window_not_covered" }]))).toBe(
    "No score yet. Unslug: the history begins after the crisis of March 2020.",
  );
});

test("factors are found by name; what is missing is null, never zero", () => {
  const explain = {
    unslug: [
      { name: "anchor_low", value: 51.97, contribution: null },
      { name: "hits", value: 3, contribution: 0.1 },
      { name: "first_hit", value: null, contribution: null },
    ],
    fear: [
      { name: "momentum", value: null, contribution: null },
      { name: "credit", value: 30, contribution: 0.1 },
    ],
    market_flow: [{ name: "volume_ratio", value: 1.2, contribution: null }],
  };
  expect(anchorOf(explain)).toMatchObject({
    low: 51.97,
    high: null,
    hits: 3,
    hitsShare: 0.1,
    firstHit: null,
  });
  expect(componentsOf(explain)).toEqual([
    { name: "momentum", value: null },
    { name: "credit", value: 30 },
  ]);
  expect(flowOf(explain)).toEqual({ ratio: 1.2, signal: null, trust: null });
});

test("days become weeks from Monday to Sunday", () => {
  const bar = (date: string, open: number, high: number, low: number, close: number): Bar => ({
    date,
    open,
    high,
    low,
    close,
    volume: 10,
  });
  expect(
    weekly([
      bar("2026-11-12", 1, 5, 1, 2),
      bar("2026-11-13", 2, 3, 0.5, 3),
      bar("2026-11-16", 3, 4, 3, 4),
      bar("2026-11-20", 4, 6, 2, 5),
    ]),
  ).toEqual([
    { ...bar("2026-11-12", 1, 5, 0.5, 3), volume: 20 },
    { ...bar("2026-11-16", 3, 6, 2, 5), volume: 20 },
  ]);
});

test("the least recently used is forgotten", () => {
  const lru = new Lru<string, number>(2);
  lru.set("a", 1);
  lru.set("b", 2);
  lru.get("a");
  lru.set("c", 3);
  expect([lru.get("a"), lru.get("b"), lru.get("c"), lru.size]).toEqual([1, undefined, 3, 2]);
});

test("a burst is told once, with its count and its first few", () => {
  const told: [readonly number[], number][] = [];
  let fire = () => {};
  const take = gatherer<number>(
    400,
    2,
    (items, count) => told.push([items, count]),
    (run) => {
      fire = run;
    },
  );
  for (const item of [1, 2, 3]) take(item);
  expect(told).toEqual([]);
  fire();
  take(4);
  fire();
  expect(told).toEqual([
    [[1, 2], 3],
    [[4], 1],
  ]);
});
