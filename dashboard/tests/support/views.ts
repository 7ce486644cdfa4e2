// Every view of the page, in the states worth looking at.

import type { Tab, Visit } from "./browser.ts";
import { approve, ask, bars, signal } from "./desk.ts";
import type { Place } from "./server.ts";

/** A view and how it is reached. */
export interface View {
  name: string;
  visit: Visit;
  /** Opens what the address alone does not, and waits until all of it is there. */
  show: (tab: Tab) => Promise<unknown>;
}

const AS = ["alice", "approver"] as const;

/** The chart is drawn, and the list is there, in view or behind. */
const chart = async (tab: Tab) => {
  await tab.page.locator("[data-testid^=row-]").first().waitFor({ state: "attached" });
  await tab.detail.locator("canvas").first().waitFor();
};

/** Waits for what loads after a view itself: nothing grey is left. */
export const settled = (tab: Tab) =>
  tab.page.waitForFunction(() => document.querySelector(".bone, .spark.none") === null);

/** Symbols in the states that views need. */
export interface Example {
  pending: string;
  decided: string;
  /** Has too few bars for a score. */
  short: string;
  /** A part of the note on the decided one. */
  note: string;
}

/** The page's views of a desk with these symbols. */
export const views = ({ pending, decided, short, note }: Example): readonly View[] => [
  {
    name: "sign-in",
    visit: {},
    show: (tab) => tab.page.getByLabel("Access token").waitFor(),
  },
  {
    name: "signals",
    visit: { as: AS },
    show: (tab) => tab.row(pending).waitFor(),
  },
  {
    name: "pending symbol",
    visit: { as: AS, at: `#/signals/${pending}` },
    show: (tab) => chart(tab),
  },
  {
    name: "decided symbol",
    visit: { as: AS, at: `#/signals/${decided}` },
    show: async (tab) => {
      await tab.detail.getByText(note).first().waitFor();
      await chart(tab);
    },
  },
  {
    name: "symbol as a viewer sees it",
    visit: { as: ["victor", "viewer"], at: `#/signals/${pending}` },
    show: (tab) => chart(tab),
  },
  {
    name: "symbol without a score",
    visit: { as: AS, at: `#/signals/${short}`, expects: [/404/] },
    show: (tab) => tab.detail.getByText(/No score yet/).waitFor(),
  },
  {
    name: "dialog to decide",
    visit: { as: AS, at: `#/signals/${pending}` },
    show: async (tab) => {
      await tab.detail.getByRole("button", { name: "BUY" }).click();
      await tab.page.getByRole("dialog").waitFor();
    },
  },
  {
    name: "help",
    visit: { as: AS },
    show: async (tab) => {
      await tab.row(pending).waitFor();
      await tab.page.keyboard.press("?");
      await tab.page.getByRole("dialog").waitFor();
    },
  },
  {
    name: "history",
    visit: { as: AS, at: "#/history" },
    show: (tab) => tab.page.getByText(note).first().waitFor(),
  },
  {
    name: "city",
    visit: { as: AS, at: "#/city" },
    show: (tab) => tab.page.getByRole("img", { name: /Skyline/ }).waitFor(),
  },
  {
    name: "data",
    visit: { as: ["ada", "admin"], at: "#/data" },
    show: async (tab) => {
      await tab.page.getByTestId(`data-${pending}`).waitFor();
      await tab.page.getByLabel("with nothing to do").check();
      await tab.page.locator(".runs summary").last().click();
      await tab.page.locator(".runs details[open] > :not(summary)").first().waitFor();
      await tab.page.getByTestId("data-summary").scrollIntoViewIfNeeded();
    },
  },
  {
    name: "offline",
    visit: { as: AS, expects: [/WebSocket|ERR_/] },
    show: async (tab) => {
      await tab.row(pending).waitFor({ state: "attached" });
      await settled(tab);
      await tab.page.context().setOffline(true);
      await tab.page.getByTestId("connection-band").getByText("You are offline").waitFor();
    },
  },
];

/** Makes what the views show; a second time changes nothing. */
export async function prepare(place: Place): Promise<Example> {
  await signal(place, "VIEWA", "BUY");
  const decided = await signal(place, "VIEWB", "NEUTRAL");
  if (decided.approval === null)
    await approve(place, "carol", "VIEWB", "NEUTRAL", "Sideways for now, breadth is thin.");
  await signal(place, "VIEWC", "RISK");
  await bars(place, "VIEWS", "BUY", 12);
  await ask(place, ["feeder", "service"], "POST", "/runs", {
    type: "application/json",
    text: "{}",
  });
  return { pending: "VIEWA", decided: "VIEWB", short: "VIEWS", note: "breadth is thin" };
}
