import { expect, test } from "vitest";

import { freshness, isStale } from "./fresh";
import { signal } from "./sample";

test("a signal is stale once a newer session is due", () => {
  const held = signal("AAPL", { ts: "2026-11-20T00:00:00Z" });
  expect(isStale(held, "2026-11-19")).toBe(false);
  expect(isStale(held, "2026-11-20")).toBe(false);
  expect(isStale(held, "2026-11-23")).toBe(true);
});

test("what is due counts for more than what the signal said when it was sent", () => {
  expect(isStale(signal("AAPL", { stale: true }), "2026-11-20")).toBe(false);
  expect(isStale(signal("AAPL", { stale: true }), null)).toBe(true);
  expect(isStale(signal("AAPL"), null)).toBe(false);
});

test("it is said since when data are missing", () => {
  expect(freshness(signal("AAPL"), "2026-11-20")).toBeNull();
  const words = freshness(signal("AAPL", { ts: "2026-11-13T00:00:00Z" }), "2026-11-20");
  expect(words).toMatch(/missing since the session of .*13.*that of .*20.* is due/);
  expect(freshness(signal("AAPL", { stale: true }), null)).toMatch(/a newer one is due/);
  expect(freshness(signal("AAPL", { provisional: true }), null)).toMatch(/has not ended/);
});
