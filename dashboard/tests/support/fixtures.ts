// What every test is given: a browser, pages that are closed and judged when it ends.

import type { Browser } from "playwright-core";
import { test as base, inject } from "vitest";

import { launch, Tab, type Visit } from "./browser.ts";
import { Market } from "./market.ts";
import { Proxy } from "./proxy.ts";
import { Server, type Place } from "./server.ts";

/** Opens the page at a place, by default the shared server. */
type Open = (visit?: Visit, place?: Place) => Promise<Tab>;

/** What the desk with market data watches, by name. */
export const WATCHED: readonly string[] = ["AAPL", "QQQ", "SPY"];

interface Fixtures {
  browser: Browser;
  /** The server that all tests share. */
  place: Place;
  open: Open;
  /** A bad network before the shared server. */
  proxy: Proxy;
  /** A server of the test's own. */
  server: Server;
  /** A provider of market data that does as it is told. */
  market: Market;
  /**
   * Starts a server of the test's own that fetches from it, with {@link WATCHED} as its watchlist.
   * It may do so at once, by its own clock: what the provider is to do is told before.
   */
  desk: () => Promise<Server>;
}

export const test = base.extend<Fixtures>({
  browser: [
    async ({}, use) => {
      const browser = await launch();
      await use(browser);
      await browser.close();
    },
    { scope: "file" },
  ],
  place: async ({}, use) => use(inject("place")),
  proxy: async ({ place }, use) => {
    const proxy = await Proxy.before(place);
    await use(proxy);
    await proxy.close();
  },
  server: async ({}, use) => {
    const server = await Server.start(inject("target"));
    await use(server);
    await server.dispose();
  },
  market: async ({}, use) => {
    const market = await Market.start();
    await use(market);
    await market.stop();
  },
  desk: async ({ market }, use) => {
    const vars = { PROVIDER_URL: market.url, WATCHLIST: WATCHED.join() };
    const started: Server[] = [];
    await use(async () => {
      const server = await Server.start(inject("target"), { vars });
      started.push(server);
      return server;
    });
    for (const server of started) await server.dispose();
  },
  // Last, so that pages are closed before what they talk to.
  open: async ({ browser, place }, use) => {
    const tabs: Tab[] = [];
    await use(async (visit, at) => {
      const tab = await Tab.open(browser, at ?? place, visit);
      tabs.push(tab);
      return tab;
    });
    for (const tab of tabs) await tab.close();
  },
});
