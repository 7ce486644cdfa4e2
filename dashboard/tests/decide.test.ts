// Deciding: with the keyboard alone, at the same time as somebody else, without the right to.

import { expect } from "vitest";

import { approve, current, fresh, signal } from "./support/desk.ts";
import { test } from "./support/fixtures.ts";

test("a first signal is approved by j, b and Enter within ten seconds", async ({
  open,
  server,
}) => {
  await signal(server, "KEYS", "BUY");
  const started = Date.now();
  const tab = await open({ as: ["kim", "approver"] }, server);
  const { keyboard } = tab.page;
  await tab.row("KEYS").waitFor();
  await keyboard.press("j");
  await keyboard.press("b");
  await tab.page.getByRole("dialog", { name: "Decide on KEYS" }).waitFor();
  await keyboard.type("keys alone");
  await keyboard.press("Enter");
  await tab.toasts.getByText("You decided BUY on KEYS.").waitFor();
  expect(Date.now() - started).toBeLessThan(10_000);
  await tab.decision("KEYS", "Decided Buy");
  expect(await tab.page.getByRole("dialog").count()).toBe(0);
});

test("everything is reached by keyboard", async ({ open, place }) => {
  const symbol = fresh("REACH");
  await signal(place, symbol, "RISK");
  const tab = await open({ as: ["kim", "approver"] });
  const { keyboard } = tab.page;
  await tab.row(symbol).waitFor();

  await keyboard.press("?");
  await tab.page.getByRole("dialog").getByText("Next, previous signal").waitFor();
  await keyboard.press("Escape");
  await tab.page.getByRole("dialog").waitFor({ state: "detached" });

  await keyboard.press("/");
  await keyboard.type(symbol.toLowerCase());
  await keyboard.press("Enter");
  await tab.detail.getByRole("heading", { name: symbol }).waitFor();
  await keyboard.press("n");
  const dialog = tab.page.getByRole("dialog", { name: `Decide on ${symbol}` });
  await dialog.getByRole("radio", { name: "NEUTRAL" }).and(tab.page.locator(":checked")).waitFor();
  await keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  expect((await current(place, symbol)).status).toBe("PENDING_REVIEW");

  for (const [key, view] of [
    ["h", "History"],
    ["c", "City"],
  ] as const) {
    await keyboard.press("g");
    await keyboard.press(key);
    await tab.page.getByRole("main", { name: view }).waitFor();
  }
  await keyboard.press("g");
  await keyboard.press("s");
  await tab.page.getByRole("grid", { name: "Signals" }).waitFor();
});

test("of two who decide at once, one hears who decided", async ({ open, proxy }) => {
  const symbol = fresh("RACE");
  await signal(proxy, symbol, "BUY");
  // Alice's socket is slow: she has not heard of Carol's decision when she sends hers.
  const alice = await open(
    { as: ["alice", "approver"], at: `#/signals/${symbol}`, expects: [/409/] },
    proxy,
  );
  await alice.detail.getByRole("button", { name: "BUY" }).click();
  proxy.hold();
  await approve(proxy, "carol", symbol, "RISK", "no");
  await alice.page.getByRole("button", { name: "Decide BUY" }).click();

  const told = alice.toasts.getByText(/carol decided RISK .*Your decision was not recorded\./);
  await told.waitFor();
  await alice.decision(symbol, "Decided Risk");
  await alice.detail.getByText("carol").first().waitFor();
  proxy.release();
  expect(await current(proxy, symbol)).toMatchObject({
    status: "APPROVED_RISK",
    approval: { approved_by: "carol" },
  });
});

test("a decision that comes while the dialog is open blocks it", async ({ open, place }) => {
  const symbol = fresh("TAKEN");
  await signal(place, symbol, "BUY");
  const alice = await open({ as: ["alice", "approver"], at: `#/signals/${symbol}` });
  await alice.detail.getByRole("button", { name: "BUY" }).click();
  await approve(place, "carol", symbol, "NEUTRAL");
  const dialog = alice.page.getByRole("dialog");
  await dialog
    .getByRole("alert")
    .getByText(/carol decided NEUTRAL/)
    .waitFor();
  expect(await dialog.getByRole("button", { name: "Decide BUY" }).isDisabled()).toBe(true);
});

test("a viewer may look but not decide", async ({ open, place }) => {
  const symbol = fresh("VIEW");
  await signal(place, symbol, "BUY");
  const tab = await open({
    as: ["victor", "viewer"],
    at: `#/signals/${symbol}`,
    expects: [/403/],
  });
  const buttons = tab.detail.getByRole("group", { name: "Decide" }).getByRole("button");
  await buttons.first().waitFor();
  for (const button of await buttons.all()) expect(await button.isDisabled()).toBe(true);
  await tab.detail.getByText("Your role, viewer, may look but not decide.").waitFor();
  await tab.page.keyboard.press("b");
  expect(await tab.page.getByRole("dialog").count()).toBe(0);

  // Whoever takes the page apart is refused by the server, and told so.
  await buttons.first().evaluate((button) => button.removeAttribute("disabled"));
  await buttons.first().click();
  await tab.page.getByRole("button", { name: "Decide BUY" }).click();
  await tab.toasts.getByText("Your role may not decide. Your decision was not recorded.").waitFor();
  await tab.decision(symbol, "Pending");
  expect((await current(place, symbol)).status).toBe("PENDING_REVIEW");
});
