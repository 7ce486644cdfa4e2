// Pictures of the page with generated data: `npm run screens -w @signalroom/dashboard`.
//
// Without an argument, those that the documents show, into `docs/screens`; with a folder, every
// view in every size and colour, to be looked at.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Browser } from "playwright-core";

import { launch, Tab } from "./support/browser.ts";
import { approve, ask, bars, run, type Signal } from "./support/desk.ts";
import { Market } from "./support/market.ts";
import { ROOT, Server, type Place } from "./support/server.ts";
import { settled, views, type Example, type View } from "./support/views.ts";

const WATCHLIST =
  "SPY,QQQ,IWM,DIA,AAPL,MSFT,NVDA,AMZN,GOOGL,META,TSLA,AVGO,JPM,V,XOM,UNH,JNJ,PG,MA,HD,COST,ABBV,CRM,NFLX,AMD,KO,PEP,ORCL";

const SIZES = { wide: { width: 1440, height: 860 }, narrow: { width: 390, height: 800 } };
type Size = keyof typeof SIZES;
type Colours = "light" | "dark";

/** What the documents show. */
const SHOWN: readonly (readonly [string, Size, Colours])[] = [
  ["pending symbol", "wide", "light"],
  ["pending symbol", "wide", "dark"],
  ["dialog to decide", "wide", "dark"],
  ["history", "wide", "light"],
  ["city", "wide", "dark"],
  ["data", "wide", "light"],
  ["signals", "narrow", "light"],
  ["pending symbol", "narrow", "dark"],
  ["sign-in", "narrow", "dark"],
];

/** A picture in a document is a download: bytes. */
const MOST = 150_000;

/** Lets the desk work for a while, so that there is something to see. */
async function work(place: Place): Promise<Example> {
  const { signals } = await ask<{ signals: (Signal & { combined_trust: number })[] }>(
    place,
    ["alice", "viewer"],
    "GET",
    "/signals?limit=100",
  );
  const ranked = signals.toSorted((a, b) => b.combined_trust - a.combined_trust);
  const [pending, decided, ...others] = ranked.map(({ symbol }) => symbol);
  if (pending === undefined || decided === undefined) throw new Error("there are no signals");
  const note = "Above its crisis low on rising volume, but breadth is thin: half a position.";
  const why = [
    "Sideways since May.",
    "Agreed in the morning call.",
    "",
    "Wait for the next session.",
  ];
  for (const [at, symbol] of others.entries()) {
    const { suggested } = await current(place, symbol);
    if (at % 3 === 0)
      await approve(place, ["bob", "carol"][at % 2] ?? "bob", symbol, suggested, why[at % 4]);
  }
  await approve(place, "carol", decided, "BUY", note);
  await bars(place, "NEWCO", "BUY", 12);
  return { pending, decided, short: "NEWCO", note: "breadth is thin" };
}

async function current(place: Place, symbol: string) {
  const path = `/signals/${symbol}`;
  type Found = { recommendation: { suggested: "BUY" | "NEUTRAL" | "RISK" } };
  const { recommendation } = await ask<Found>(place, ["alice", "viewer"], "GET", path);
  return recommendation;
}

async function take(
  browser: Browser,
  place: Place,
  { visit, show }: View,
  [size, colorScheme]: readonly [Size, Colours],
): Promise<Buffer> {
  const context = {
    viewport: SIZES[size],
    colorScheme,
    deviceScaleFactor: size === "wide" ? 1.5 : 2,
    reducedMotion: "reduce" as const,
    locale: "en-GB",
    timezoneId: "America/New_York",
  };
  const tab = await Tab.open(browser, place, { ...visit, context });
  await show(tab);
  await settled(tab);
  await tab.page.evaluate(() => document.fonts.ready);
  const protocol = await tab.page.context().newCDPSession(tab.page);
  const { data } = await protocol.send("Page.captureScreenshot", { format: "webp", quality: 82 });
  await tab.close();
  return Buffer.from(data, "base64");
}

const everything = process.argv[2];
const folder = everything ?? join(ROOT, "docs/screens");
mkdirSync(folder, { recursive: true });
const market = await Market.start();
const server = await Server.start("harness", { arguments: ["--demo"], vars: { WATCHLIST } });
// A desk with generated data fetches nothing; this one fetches what the provider generates.
const vars = { WATCHLIST, PROVIDER_URL: market.url };
const fetching = await Server.start("harness", { vars });
const browser = await launch();
try {
  const symbols = WATCHLIST.split(",").length;
  const loaded = async () => {
    const path = "/signals?limit=100";
    const list = await ask<{ signals: unknown[] }>(server, ["alice", "viewer"], "GET", path);
    return list.signals.length >= symbols;
  };
  while (!(await loaded())) await new Promise((resolve) => setTimeout(resolve, 200));
  const complete = async () => {
    const path = "/market/fear-greed";
    const market = await ask<{ score: number | null }>(fetching, ["alice", "viewer"], "GET", path);
    return market.score !== null;
  };
  while (!(await complete())) await run(fetching);
  const all = views(await work(server));
  const wanted = everything
    ? all.flatMap(({ name }) =>
        (["wide", "narrow"] as const).flatMap((size) =>
          (["light", "dark"] as const).map((colours) => [name, size, colours] as const),
        ),
      )
    : SHOWN;
  for (const [name, size, colours] of wanted) {
    const view = all.find((known) => known.name === name);
    if (view === undefined) throw new Error(`no view is called ${name}`);
    const place = ["city", "data"].includes(name) ? fetching : server;
    const picture = await take(browser, place, view, [size, colours]);
    const file = `${name.replaceAll(" ", "-")}-${size}-${colours}.webp`;
    writeFileSync(join(folder, file), picture);
    console.log(`${file}: ${picture.length} bytes`);
    if (picture.length > MOST && !everything) throw new Error(`${file} is over ${MOST} bytes`);
  }
} finally {
  await browser.close();
  await server.dispose();
  await fetching.dispose();
  await market.stop();
}
