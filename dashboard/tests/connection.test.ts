// Bad networks: the page says what it knows, and misses nothing.

import { expect } from "vitest";

import { approve, fresh, signal } from "./support/desk.ts";
import { test } from "./support/fixtures.ts";
import { settled } from "./support/views.ts";

/** Waits are random between zero and a limit: here they take no longer than they must. */
const noJitter = () => {
  Math.random = () => 0;
};

test("a server that was killed is resumed, and nothing is missing", async ({ open, server }) => {
  await signal(server, "BEFORE", "BUY");
  const tab = await open(
    { as: ["alice", "approver"], before: noJitter, expects: [/WebSocket|ERR_/] },
    server,
  );
  await tab.decision("BEFORE", "Pending");
  await settled(tab);
  await tab.mark();
  const resumed: string[] = [];
  tab.page.on("websocket", (socket) => {
    socket.on("framereceived", ({ payload }) => resumed.push(String(payload)));
  });

  await server.kill();
  await tab.is("waiting");
  const band = tab.page.getByTestId("connection-band");
  await band.getByText(/Reconnecting in .*Showing data from/).waitFor();
  await server.start();
  await Promise.all([
    approve(server, "bob", "BEFORE", "BUY", "while you were away"),
    signal(server, "MISSED", "RISK"),
  ]);

  await tab.is("open", 30_000);
  await tab.decision("BEFORE", "Decided Buy");
  await tab.row("MISSED").getByText("RISK").waitFor();
  await band.waitFor({ state: "detached" });
  await tab.neverReloaded();
  expect(resumed.join("\n")).toMatch(/"resumed","data":\{"recovered":true/);
});

test("where WebSockets are blocked it polls, and goes live again", async ({ open, proxy }) => {
  const symbol = fresh("POLL");
  await signal(proxy, symbol, "BUY");
  const tab = await open(
    { as: ["alice", "approver"], before: noJitter, expects: [/WebSocket/] },
    proxy,
  );
  await tab.decision(symbol, "Pending");
  await tab.mark();

  proxy.refuse();
  await tab.is("polling", 45_000);
  await tab.page.getByTestId("connection-band").getByText("Live updates cannot be had").waitFor();
  const polled = fresh("POLL");
  await approve(proxy, "bob", symbol, "NEUTRAL");
  await signal(proxy, polled, "RISK");
  await tab.decision(symbol, "Decided Neutral");
  await tab.row(polled).getByText("RISK").waitFor();
  await tab.is("polling");

  // Deciding goes over REST.
  await tab.page.evaluate((hash) => (location.hash = hash), `#/signals/${polled}`);
  await tab.detail.getByRole("button", { name: "RISK" }).click();
  await tab.page.getByRole("button", { name: "Decide RISK" }).click();
  await tab.toasts.getByText(`You decided RISK on ${polled}.`).waitFor();

  proxy.allow();
  await tab.page.getByRole("button", { name: "Reconnect now" }).click();
  await tab.is("open");
  const live = fresh("POLL");
  await signal(proxy, live, "BUY");
  await tab.row(live).getByText("BUY").waitFor();
  await tab.neverReloaded();
});

test("a decision taken offline is sent on return", async ({ open, place }) => {
  const symbol = fresh("QUEUE");
  await signal(place, symbol, "BUY");
  const tab = await open({
    as: ["alice", "approver"],
    at: `#/signals/${symbol}`,
    before: noJitter,
    expects: [/WebSocket|ERR_/],
  });
  await tab.detail.getByRole("button", { name: "BUY" }).waitFor();
  await tab.page.context().setOffline(true);
  await tab.detail.getByRole("button", { name: "BUY" }).click();
  await tab.page.getByRole("button", { name: "Decide BUY" }).click();
  await tab.row(symbol).getByText("queued").waitFor();
  await tab.page.context().setOffline(false);
  await tab.toasts.getByText(`You decided BUY on ${symbol}.`).waitFor({ timeout: 60_000 });
  await tab.decision(symbol, "Decided Buy");
});

test("a chart that could not be loaded is said, and asked for again", async ({ open, place }) => {
  const symbol = fresh("CHART");
  await signal(place, symbol, "BUY");
  // Narrow: no symbol is open, and no chart wanted, before one is chosen.
  const context = { viewport: { width: 390, height: 800 } };
  const tab = await open({ as: ["alice", "approver"], expects: [/chart/], context });
  await tab.row(symbol).waitFor();
  const chart = "**/assets/chart-*";
  await tab.page.route(chart, (route) => route.abort());
  await tab.row(symbol).click();
  await tab.detail.getByText("The chart could not be loaded.").waitFor();
  await tab.detail.getByRole("tab", { name: "Reasons" }).waitFor();
  await tab.page.unroute(chart);
  await tab.detail.getByRole("button", { name: "Try again" }).click();
  await tab.detail.locator("canvas").first().waitFor();
});
