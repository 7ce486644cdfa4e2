// What somebody else does shows by itself, without a reload.

import { expect } from "vitest";

import { approve, bars, current, fresh, run, signal } from "./support/desk.ts";
import { test } from "./support/fixtures.ts";

test("approved in one tab, the other updates without a reload", async ({ open, place }) => {
  const symbol = fresh("TWO");
  await signal(place, symbol, "BUY");
  const alice = await open({ as: ["alice", "approver"], at: `#/signals/${symbol}` });
  const bob = await open({ as: ["bob", "approver"], at: `#/signals/${symbol}` });
  await bob.decision(symbol, "Pending");
  await alice.mark();
  await bob.mark();

  await alice.detail.getByRole("button", { name: "BUY" }).click();
  const dialog = alice.page.getByRole("dialog", { name: `Decide on ${symbol}` });
  await dialog.getByLabel("Note").fill("momentum and breadth agree");
  await dialog.getByRole("button", { name: "Decide BUY" }).click();

  await bob.decision(symbol, "Decided Buy");
  await bob.toasts.getByText(`alice decided BUY on ${symbol}.`).waitFor();
  await bob.detail.getByText("momentum and breadth agree").first().waitFor();
  await bob.neverReloaded();
  await alice.decision(symbol, "Decided Buy");
  await alice.toasts.getByText(`You decided BUY on ${symbol}.`).waitFor();
  await alice.neverReloaded();
  expect(await current(place, symbol)).toMatchObject({
    status: "APPROVED_BUY",
    approval: { approved_by: "alice", note: "momentum and breadth agree" },
  });
});

test("a new signal appears by itself", async ({ open, place }) => {
  const symbol = fresh("NEW");
  const viewer = await open({ as: ["victor", "viewer"] });
  await viewer.mark();
  await bars(place, symbol, "RISK");
  await run(place);
  await viewer.row(symbol).getByText("RISK").waitFor();

  // A newer session takes the place of a signal that nobody decided.
  await viewer.page.evaluate((hash) => (location.hash = hash), `#/signals/${symbol}`);
  const session = viewer.detail.locator("dt", { hasText: "Session" }).locator("+ dd");
  const before = await session.innerText();
  await bars(place, symbol, "RISK", 401);
  await run(place);
  await session.filter({ hasNotText: before }).waitFor();
  await viewer.neverReloaded();
});

test("a decision shows in the history and on the city", async ({ open, place }) => {
  const symbol = fresh("HIS");
  await signal(place, symbol, "NEUTRAL");
  const viewer = await open({ as: ["victor", "viewer"], at: "#/history" });
  await viewer.page.getByRole("region", { name: "Decisions" }).waitFor();
  await approve(place, "carol", symbol, "NEUTRAL", "sideways");
  await viewer.page.getByRole("button", { name: /new decision/ }).click();
  const line = viewer.page.getByRole("row").filter({ hasText: symbol });
  await line.getByText("carol").waitFor();
  await line.getByText("sideways").waitFor();
  await viewer.page.keyboard.press("g");
  await viewer.page.keyboard.press("c");
  await viewer.page.getByRole("main", { name: "City" }).waitFor();
  await viewer.page.getByRole("img", { name: /Skyline/ }).waitFor();
});
