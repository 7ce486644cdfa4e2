// The market's mood, how old data are, past runs, and the watchlist: with a provider of market data
// that does as it is told.

import { expect } from "vitest";

import { ask } from "./support/desk.ts";
import { test, WATCHED } from "./support/fixtures.ts";
import type { Place } from "./support/server.ts";

/** A run that fetches these, whether or not they are due. */
function fetches(place: Place, symbols: readonly string[] = WATCHED) {
  const body = { type: "application/json", text: JSON.stringify({ symbols, cron: "test" }) };
  return ask(place, ["feeder", "service"], "POST", "/runs", body);
}

/** A scheduled run, which fetches what is due: symbols and series. */
function scheduled(place: Place) {
  const body = { type: "application/json", text: "{}" };
  return ask(place, ["feeder", "service"], "POST", "/runs", body);
}

/** A day that long ago, `YYYY-MM-DD`. */
const daysAgo = (days: number) =>
  new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);

test("the market's mood shows by itself, with what is missing and why", async ({ open, desk }) => {
  const place = await desk();
  const viewer = await open({ as: ["victor", "viewer"], at: "#/city" }, place);
  const panel = viewer.page.getByRole("region", { name: "Market fear and greed" });
  await panel.waitFor();
  await viewer.mark();
  await scheduled(place);

  await panel.getByRole("img", { name: /^Fear and greed of the market \d+: / }).waitFor();
  expect(await panel.getByRole("row").count()).toBe(1 + 7);
  await panel
    .getByRole("row", { name: /^Volatility/ })
    .getByText("FRED VIXCLS / Cboe VIX")
    .waitFor();
  const missing = panel.getByRole("row", { name: /^Put\/call ratio/ });
  await missing.getByText("missing", { exact: true }).waitFor();
  await missing.getByText(/put\/call ratios|too old/).waitFor();
  await panel.getByText(/^Mean of 6 of 7/).waitFor();
  const bar = viewer.page.getByRole("link", { name: /^Market fear and greed: \d+, / });
  expect(await bar.innerText()).toMatch(/\d+/);
  await viewer.neverReloaded();
});

test("late data are marked, and the marks go when the data come", async ({
  open,
  market,
  desk,
}) => {
  await market.tell({ do: "through", date: daysAgo(30) });
  const place = await desk();
  await fetches(place);
  const viewer = await open({ as: ["victor", "viewer"], at: "#/signals/SPY" }, place);
  await viewer.row("SPY").getByText("stale", { exact: true }).waitFor();
  await viewer.detail
    .getByText(/^stale Data are missing since the session of .* is due\.$/)
    .waitFor();
  await viewer.mark();

  await viewer.page.keyboard.press("g");
  await viewer.page.keyboard.press("d");
  const data = viewer.page.getByRole("main", { name: "Data" });
  await data.getByTestId("data-summary").getByText("3 stale, 0 failing.").waitFor();
  const spy = data.getByTestId("data-SPY");
  await spy.getByText("stale", { exact: true }).waitFor();
  await spy.getByText(/^(3\d|29) days$/).waitFor();
  await data.getByLabel("Show").selectOption("attention");
  expect(await data.getByTestId(/^data-[A-Z]+$/).count()).toBe(3);

  await market.tell({ do: "through", date: null });
  await fetches(place);
  await data.getByText("All data are there.").waitFor();
  await data.getByText("No symbol passes the filter.").waitFor();
  await viewer.page.keyboard.press("g");
  await viewer.page.keyboard.press("s");
  await viewer.row("SPY").waitFor();
  await viewer.row("SPY").getByText("stale", { exact: true }).waitFor({ state: "detached" });
  await viewer.neverReloaded();
});

test("a run that could not fetch says of whom and why", async ({ open, market, desk }) => {
  for (const provider of ["yahoo", "stooq"]) {
    const fault = provider === "yahoo" ? { status: 500 } : "web_page";
    await market.tell({ do: "misbehave", rule: { provider, what: "QQQ", fault, times: 99 } });
  }
  const place = await desk();
  await fetches(place);
  const viewer = await open({ as: ["victor", "viewer"], at: "#/data" }, place);
  const data = viewer.page.getByRole("main", { name: "Data" });
  const why = "yahoo: it answered 500; stooq: it sent a web page in place of data";
  await data.getByTestId("data-QQQ").getByText(why).waitFor();

  const runs = data.getByRole("region", { name: "Runs" });
  const run = runs.getByRole("listitem").filter({ hasText: "2 fetched, 2 new, 1 failed" }).first();
  // By keyboard, as any disclosure.
  await run.locator("summary").focus();
  await viewer.page.keyboard.press("Enter");
  const lines = run.getByRole("row");
  await lines.nth(1).getByText("Failed").waitFor();
  expect(await lines.nth(1).innerText()).toContain("QQQ");
  await lines.nth(1).getByText(why).waitFor();
  expect(await lines.filter({ hasText: "AAPL" }).innerText()).toMatch(/New\s+yahoo\s+\+\d/);
});

test("an admin changes the watchlist, asked twice; others only see it", async ({ open, desk }) => {
  const place = await desk();
  await fetches(place);
  const admin = await open({ as: ["ada", "admin"], at: "#/data" }, place);
  const { page } = admin;
  const data = page.getByRole("main", { name: "Data" });
  const field = data.getByLabel("Add to the watchlist");
  await field.fill("brk-b, no/symbol");
  await page.keyboard.press("Enter");
  await data
    .getByRole("alert")
    .getByText(/^NO\/SYMBOL: no symbol\./)
    .waitFor();
  await field.fill("brk-b");
  await page.keyboard.press("Enter");
  const add = page.getByRole("dialog", { name: "Add BRK-B to the watchlist?" });
  await add.getByRole("button", { name: "Cancel" }).click();
  expect(await data.getByTestId("data-BRK-B").count()).toBe(0);

  await field.fill("brk-b");
  await page.keyboard.press("Enter");
  await add.getByRole("button", { name: "Add BRK-B" }).click();
  await admin.toasts.getByText("BRK-B is on the watchlist.").waitFor();
  await data.getByTestId("data-BRK-B").waitFor();
  await fetches(place, ["BRK-B"]);
  await data.getByTestId("data-BRK-B").getByText("yahoo").waitFor();

  await data.getByRole("button", { name: "Remove AAPL from the watchlist" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove AAPL" }).click();
  await data.getByTestId("data-AAPL").getByText("not watched").waitFor();
  const list = () =>
    ask<{ symbols: { symbol: string; watched: boolean }[] }>(
      place,
      ["reader", "viewer"],
      "GET",
      "/symbols",
    );
  const watched = async () =>
    (await list()).symbols.filter((it) => it.watched).map(({ symbol }) => symbol);
  expect(await watched()).toEqual(["BRK-B", "QQQ", "SPY"]);

  const viewer = await open({ as: ["victor", "viewer"], at: "#/data" }, place);
  await viewer.page.getByTestId("data-BRK-B").waitFor();
  expect(await viewer.page.getByRole("button", { name: /^Remove/ }).count()).toBe(0);
  expect(await viewer.page.getByLabel("Add to the watchlist").count()).toBe(0);

  await data.getByRole("button", { name: /^Back to the configured list/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Go back" }).click();
  await data.getByText("(as configured)").waitFor();
  expect(await watched()).toEqual([...WATCHED]);
});
