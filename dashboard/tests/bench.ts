// What the page promises about speed, measured on the native server over the loopback:
// `cargo xtask bench page`. Figures, not tests: they are of the machine, and of a quiet one.

import type { Browser, CDPSession } from "playwright-core";

import { series } from "./support/bars.ts";
import { launch, Tab } from "./support/browser.ts";
import { approve, ask } from "./support/desk.ts";
import { Server, token, type Place } from "./support/server.ts";

/** Symbols on the desk. */
const SYMBOLS = 500;
/** Those that change. */
const BUSY = 100;
/** Events of an hour's traffic. */
const EVENTS = 10_000;
/** Events a second, and for how long, seconds. */
const RATE = 100;
const SECONDS = 60;
/** How long of it is traced on top, seconds. */
const TRACED = 15;
/** Events before memory is first looked at: code is compiled, caches are full. */
const WARM = 2_000;
/** Requests at the same time. */
const LANES = 8;
/** How often the page is opened. */
const VISITS = 7;

const FEEDER = ["feeder", "service"] as const;
const symbol = (at: number) => `B${String(at).padStart(3, "0")}`;

function report(what: string, value: string, promise = "") {
  console.log(`${what.padEnd(58)} ${value.padStart(14)}  ${promise}`);
}

function median(values: number[]) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/** Runs `work` for 0 to `count` - 1, a few at a time. */
async function each(count: number, work: (at: number) => Promise<unknown>) {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** Fills the desk. */
async function fill(place: Place) {
  const shapes = ["BUY", "NEUTRAL", "RISK"] as const;
  await each(SYMBOLS, (at) => {
    const text = series(shapes[at % 3] ?? "BUY", at);
    const path = `/symbols/${symbol(at)}/bars?compute=now`;
    return ask(place, FEEDER, "PUT", path, { type: "text/csv", text });
  });
}

let events = 0;

/** One event: another close, and with it a new revision of a signal; each tenth a decision. */
async function event(place: Place) {
  events += 1;
  const name = symbol(events % BUSY);
  if (events % 10 === 0) {
    const fresh = symbol(BUSY + ((events / 10) % (SYMBOLS - BUSY)));
    // Each can be decided once; later ones are refused and are no event.
    await approve(place, "bob", fresh, "BUY").catch(() => change(place, name));
    return;
  }
  await change(place, name);
}

function change(place: Place, name: string) {
  const close = 100 + (events % 997) / 100;
  const bar = { date: "2021-07-14", open: 100, high: 120, low: 80, close, volume: 1e6 + events };
  const body = { type: "application/json", text: JSON.stringify([bar]) };
  return ask(place, FEEDER, "PUT", `/symbols/${name}/bars?compute=now`, body);
}

async function heap(protocol: CDPSession) {
  for (let round = 0; round < 3; round += 1) await protocol.send("HeapProfiler.collectGarbage");
  return (await protocol.send("Runtime.getHeapUsage")).usedSize;
}

/** Opens the page with an empty cache; what it loaded, and when it could be used. */
async function visit(browser: Browser, place: Place) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const protocol = await context.newCDPSession(page);
  await protocol.send("Network.enable");
  const paths = new Map<string, string>();
  const bytes = new Map<string, number>();
  protocol.on("Network.responseReceived", ({ requestId, response }) =>
    paths.set(requestId, new URL(response.url).pathname),
  );
  protocol.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    const path = paths.get(requestId);
    if (path !== undefined && !path.startsWith("/api")) bytes.set(path, encodedDataLength);
  });
  await page.addInitScript(() => {
    const seen = new MutationObserver(() => {
      if (!document.querySelector("[data-testid^=row-]")) return;
      seen.disconnect();
      // Usable once that frame is drawn and the main thread is free again.
      requestAnimationFrame(() =>
        setTimeout(() => Object.assign(window, { usable: performance.now() })),
      );
    });
    seen.observe(document, { childList: true, subtree: true });
  });
  await page.goto(`${place.url}/signals#token=${token(place, "alice", "approver")}`);
  const usable = await page.waitForFunction(() => (window as { usable?: number }).usable);
  await page.locator("canvas").first().waitFor();
  const found = { usable: Number(await usable.jsonValue()), bytes };
  await context.close();
  return found;
}

/** Events at an even pace. @returns how long it took, seconds */
async function pace(place: Place, rate: number, seconds: number) {
  const started = performance.now();
  const all: Promise<unknown>[] = [];
  for (let at = 0; at < rate * seconds; at += 1) {
    const early = started + (at * 1_000) / rate - performance.now();
    if (early > 1) await new Promise((resolve) => setTimeout(resolve, early));
    all.push(event(place));
  }
  await Promise.all(all);
  return (performance.now() - started) / 1_000;
}

/** The longest task of the page's main thread in CPU time, milliseconds: a busy machine, which
 * stretches tasks, does not count in it. */
function longestTask(trace: Buffer): number {
  type Entry = {
    name: string;
    ph: string;
    pid: number;
    tid: number;
    tdur?: number;
    args: { name?: string };
  };
  const { traceEvents: all } = JSON.parse(trace.toString()) as { traceEvents: Entry[] };
  const thread = ({ pid, tid }: Entry) => `${pid} ${tid}`;
  const main = new Set(
    all
      .filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain")
      .map(thread),
  );
  const tasks = all.filter((entry) => entry.name.endsWith("RunTask") && main.has(thread(entry)));
  return Math.max(...tasks.map(({ tdur = 0 }) => tdur)) / 1_000;
}

const server = await Server.start("harness");
const browser = await launch();
try {
  await fill(server);

  const visits = [];
  for (let at = 0; at < VISITS; at += 1) visits.push(await visit(browser, server));
  const sizes = [...(visits[0]?.bytes ?? [])];
  const sum = (of: typeof sizes) => of.reduce((total, [, size]) => total + size, 0);
  const isChart = ([path]: [string, number]) => path.includes("/chart-");
  report(
    "first load without the chart, with headers",
    `${sum(sizes.filter((of) => !isChart(of)))} B`,
    "≤ 120000 B",
  );
  report("the chart, when one is looked at", `${sum(sizes.filter(isChart))} B`);
  report(
    "until the first row can be used",
    `${median(visits.map(({ usable }) => usable)).toFixed(0)} ms`,
    "≤ 1000 ms",
  );

  const tab = await Tab.open(browser, server, {
    as: ["alice", "approver"],
    before: () => {
      const long: number[] = [];
      Object.assign(window, { long });
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) long.push(duration);
      }).observe({ type: "longtask" });
    },
  });
  const page = tab.page;
  await page.locator("canvas").first().waitFor();
  const protocol = await page.context().newCDPSession(page);
  let frames = 0;
  await protocol.send("Network.enable");
  protocol.on("Network.webSocketFrameReceived", ({ response }) => {
    frames += response.payloadData.split('"new_signal"').length - 1;
    frames += response.payloadData.split('"approval_notification"').length - 1;
  });

  await each(WARM, () => event(server));
  const before = await heap(protocol);

  await page.evaluate(() => ((window as unknown as { long: number[] }).long.length = 0));
  frames = 0;
  const took = await pace(server, RATE, SECONDS);
  const long = await page.evaluate(() => (window as unknown as { long: number[] }).long);
  report(`events heard in ${took.toFixed(0)} s`, `${frames}`, `${RATE}/s`);
  const most = Math.max(0, ...long).toFixed(0);
  report("long tasks over 50 ms meanwhile", `${long.length}`, `0; longest ${most} ms`);

  await browser.startTracing(page, { categories: ["toplevel"] });
  await pace(server, RATE, TRACED);
  const longest = longestTask(await browser.stopTracing());
  report("longest task in CPU time", `${longest.toFixed(1)} ms`, "≤ 50 ms");

  await each(EVENTS - RATE * (SECONDS + TRACED), () => event(server));
  const grown = (await heap(protocol)) - before;
  report("heap in use before", `${(before / 1e6).toFixed(1)} MB`);
  report(`heap grown over ${EVENTS} events`, `${(grown / 1e6).toFixed(2)} MB`, "≤ 5 MB");
  await tab.close();
} finally {
  await browser.close();
  await server.dispose();
}
