// Who is at the page: by link, by a pasted token, no longer.

import { expect } from "vitest";

import { fresh, signal } from "./support/desk.ts";
import { test } from "./support/fixtures.ts";
import { token } from "./support/server.ts";

test("the sign-in link signs in and leaves no token behind", async ({ open, place }) => {
  const symbol = fresh("LINK");
  await signal(place, symbol, "BUY");
  const sockets: string[] = [];
  const tab = await open({ as: ["alice", "approver"] });
  tab.page.on("websocket", (socket) => sockets.push(socket.url()));
  await tab.row(symbol).waitFor();
  expect(tab.page.url()).not.toContain("token");
  const kept = await tab.page.evaluate(() => ({
    session: Object.values(sessionStorage).some((value) => value.includes("ey")),
    local: Object.values(localStorage).some((value) => value.includes("ey")),
    cookie: document.cookie,
  }));
  expect(kept).toEqual({ session: true, local: false, cookie: "" });

  // A reload of this tab stays signed in; another tab does not.
  await tab.page.reload();
  await tab.is("open");
  expect(sockets.join(" ")).not.toMatch(/token|ey/);
  const other = await tab.page.context().newPage();
  await other.goto(place.url);
  await other.getByLabel("Access token").waitFor();
});

test("signing out forgets everything shown", async ({ open, place }) => {
  const symbol = fresh("OUT");
  await signal(place, symbol, "BUY");
  const tab = await open({ as: ["alice", "approver"] });
  await tab.row(symbol).waitFor();
  await tab.page.getByRole("button", { name: "Sign out" }).click();
  await tab.page.getByLabel("Access token").waitFor();
  expect(await tab.page.content()).not.toContain(symbol);
  expect(await tab.page.evaluate(() => sessionStorage.length)).toBe(0);
});

test("a pasted token signs in, a wrong one is told apart", async ({ open, place }) => {
  const tab = await open({ expects: [/401/] });
  const field = tab.page.getByLabel("Access token");
  const submit = tab.page.getByRole("button", { name: "Sign in" });
  const wrong = tab.page.getByRole("alert");
  for (const [text, said] of [
    ["", "Paste a token first."],
    ["nonsense", "This is no token."],
    [token(place, "alice", "approver", -60), "This token has expired."],
    [token({ ...place, secret: "another" }, "alice", "approver"), "does not accept this token"],
  ] as const) {
    await field.fill(text);
    await submit.click();
    await wrong.getByText(said).waitFor();
  }
  await field.fill(`${place.url}/signals#token=${token(place, "alice", "approver")}`);
  await submit.click();
  await tab.is("open");
});

test("an expired token asks for sign-in and goes on after it", async ({ open, place }) => {
  const symbol = fresh("EXP");
  await signal(place, symbol, "BUY");
  const tab = await open({
    as: ["alice", "approver"],
    ttl: 12,
    at: `#/signals/${symbol}`,
    expects: [/401|WebSocket/],
  });
  await tab.row(symbol).waitFor();
  await tab.mark();
  const dialog = tab.page.getByRole("dialog", { name: "Sign in again" });
  await dialog.getByText(/expired at/).waitFor({ timeout: 60_000 });
  await tab.is("stopped");
  // What was shown stays, and cannot be acted on.
  expect(await tab.row(symbol).count()).toBe(1);
  await tab.page.keyboard.press("Escape");
  expect(await dialog.count()).toBe(1);

  await dialog.getByLabel("Access token").fill(token(place, "alice", "approver"));
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await tab.is("open");
  await dialog.waitFor({ state: "detached" });
  await tab.detail.getByRole("heading", { name: symbol }).waitFor();
  await tab.neverReloaded();
});
