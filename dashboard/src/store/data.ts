// The desk's data: what is held of each symbol and how it comes, past runs, and the watchlist.

import { signal } from "@preact/signals";

import { client } from "../client";
import type { RunReport, SymbolSupply } from "../types";
import { failureOf, type Failure } from "./failure";
import { isIdle, mergeRuns } from "./runs";

/** What a part of the view shows. */
export interface Loaded<T> {
  /** Null until it has come. */
  readonly items: readonly T[] | null;
  /** Why the newest request failed; null if it did not. */
  readonly failure: Failure | null;
}

/** The newest session whose bar is due, `YYYY-MM-DD`; null until the server has said so. */
export const due = signal<string | null>(null);

/** All symbols, by name. */
export const symbols = signal<Loaded<SymbolSupply>>({ items: null, failure: null });

/** Whose watchlist it is: the configured one, or the desk's own. */
export const source = signal<"config" | "desk">("config");

/** Runs, newest first. */
export const runs = signal<Loaded<RunReport>>({ items: null, failure: null });

/** Whether older runs can be had, and whether they are on their way. */
export const olderRuns = signal<"none" | "some" | "loading">("none");

/** Symbols per page of the list, and pages at most: the longest watchlist there can be. */
const PAGE = 500;
const PAGES = 20;
/** Runs per page; pages are asked for until there are {@link ENOUGH} that did something. */
const RUNS = 30;
const ENOUGH = 10;
const MOST_RUN_PAGES = 4;
/** How often it is all loaded anew while somebody looks at it, milliseconds. */
const EVERY_MS = 60_000;
/** And at most, however much happens. */
const AT_MOST_MS = 4_000;
/** How often the newest due session is asked for, milliseconds: it changes once a day. */
const DUE_MS = 10 * 60_000;

let cursor: string | null = null;
/** Answers to what was asked before a sign-out are not for who is signed in now. */
let turn = 0;

async function loadSymbols(mine: number) {
  try {
    const all: SymbolSupply[] = [];
    let at: string | null = null;
    for (let page = 0; page < PAGES; page += 1) {
      const answer: Awaited<ReturnType<typeof client.rest.symbols>> = await client.rest.symbols({
        limit: PAGE,
        ...(at === null ? {} : { cursor: at }),
      });
      if (mine !== turn) return;
      all.push(...answer.symbols);
      source.value = answer.source;
      at = answer.next_cursor;
      if (at === null) break;
    }
    symbols.value = { items: all, failure: null };
    due.value = all[0]?.due ?? due.peek();
  } catch (error) {
    const failure = failureOf(error);
    if (mine === turn) symbols.value = { ...symbols.peek(), failure };
  }
}

async function loadRuns(mine: number) {
  try {
    const all: RunReport[] = [];
    let at: string | null = null;
    for (let page = 0; page < MOST_RUN_PAGES; page += 1) {
      const answer: Awaited<ReturnType<typeof client.rest.runs>> = await client.rest.runs({
        limit: RUNS,
        ...(at === null ? {} : { cursor: at }),
      });
      if (mine !== turn) return;
      all.push(...answer.runs);
      at = answer.next_cursor;
      if (at === null || all.filter((run) => !isIdle(run)).length >= ENOUGH) break;
    }
    const before = runs.peek().items ?? [];
    const items = mergeRuns(all, before, at !== null);
    // Older ones that were asked for stay, and go on where they ended.
    if (items.length === all.length) {
      cursor = at;
      if (olderRuns.peek() !== "loading") olderRuns.value = at === null ? "none" : "some";
    }
    runs.value = { items, failure: null };
  } catch (error) {
    const failure = failureOf(error);
    if (mine === turn) runs.value = { ...runs.peek(), failure };
  }
}

/** Loads the next page of runs, if there is one. */
export async function moreRuns() {
  if (cursor === null || olderRuns.peek() !== "some") return;
  const mine = turn;
  olderRuns.value = "loading";
  try {
    const answer = await client.rest.runs({ limit: RUNS, cursor });
    if (mine !== turn) return;
    cursor = answer.next_cursor;
    runs.value = { items: [...(runs.peek().items ?? []), ...answer.runs], failure: null };
  } catch (error) {
    const failure = failureOf(error);
    if (mine === turn) runs.value = { ...runs.peek(), failure };
  }
  if (mine === turn) olderRuns.value = cursor === null ? "none" : "some";
}

let loading = false;
let asked = 0;
let late: ReturnType<typeof setTimeout> | null = null;

/** Loads all of it anew; while that is under way, once more after it. */
export async function loadData() {
  if (late !== null) clearTimeout(late);
  late = null;
  if (loading) return news();
  asked = Date.now();
  loading = true;
  try {
    await Promise.all([loadSymbols(turn), loadRuns(turn)]);
  } finally {
    loading = false;
  }
}

/** Something happened: loads it anew soon. */
function news() {
  late ??= setTimeout(
    () => {
      late = null;
      void loadData();
    },
    Math.max(AT_MOST_MS - (Date.now() - asked), 250),
  );
}

/** Keeps it fresh while somebody looks at it; returns the end of that. */
export function watchData() {
  void loadData();
  const look = () => {
    if (!document.hidden && Date.now() - asked >= EVERY_MS) void loadData();
  };
  const timer = setInterval(look, EVERY_MS);
  document.addEventListener("visibilitychange", look);
  const undo = (["new_signal", "market_update", "snapshot"] as const).map((type) =>
    client.onMessage(type, news),
  );
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", look);
    for (const leave of undo) leave();
    if (late !== null) clearTimeout(late);
    late = null;
  };
}

let dueAsked = 0;

/** Asks which session's bar is due, if that was long ago. */
export async function loadDue() {
  if (Date.now() - dueAsked < DUE_MS) return;
  dueAsked = Date.now();
  const mine = turn;
  try {
    const answer = await client.rest.symbols({ limit: 1 });
    if (mine === turn) due.value = answer.symbols[0]?.due ?? null;
  } catch (error) {
    // What signals said of themselves when they were sent stands until then.
    failureOf(error);
    dueAsked = 0;
  }
}

/** Asks again for the due session every now and then: once, when the page opens. */
export function followDue(signedIn: () => boolean) {
  setInterval(() => {
    if (signedIn() && !document.hidden) void loadDue();
  }, 60_000);
}

/** Adds symbols to the watchlist, one after the other. Rejects as the library does. */
export async function addSymbols(names: readonly string[]) {
  try {
    for (const name of names) await client.rest.addSymbol(name);
  } finally {
    void loadData();
  }
}

/** Takes a symbol off the watchlist. Rejects as the library does. */
export async function removeSymbol(name: string) {
  await client.rest.removeSymbol(name);
  void loadData();
}

/** Goes back to the configured watchlist. Rejects as the library does. */
export async function resetSymbols() {
  await client.rest.resetSymbols();
  void loadData();
}

/** Forgets everything, at sign-out. */
export function clearData() {
  turn += 1;
  cursor = null;
  dueAsked = 0;
  due.value = null;
  symbols.value = { items: null, failure: null };
  runs.value = { items: null, failure: null };
  olderRuns.value = "none";
}
