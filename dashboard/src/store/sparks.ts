// The closes behind the list's sparklines: asked for when a row has stayed in view for a moment, a
// few at a time, kept until the symbol has a newer session.

import { signal, type Signal as Reactive } from "@preact/signals";

import { client } from "../client";
import type { Signal } from "../types";
import { failureOf } from "./failure";
import { Lru } from "./lru";

/** Sessions in a sparkline. */
export const SESSIONS = 30;
/** Calendar days that hold as many sessions, holidays included. */
const DAYS = 47;
/** Requests at once: the list must not crowd out what the reader waits for. */
const AT_ONCE = 4;
/** How long a row must be in view before its bars are asked for, milliseconds. */
const DWELL_MS = 120;
/** How long after a failure a symbol is asked for again, milliseconds. */
const RETRY_MS = 30_000;

/** Closes, oldest first; null while they are not known. */
export type Closes = readonly number[] | null;

interface Entry {
  /** The session up to which the closes were asked for. */
  ts: string;
  closes: Reactive<Closes>;
}

const entries = new Lru<string, Entry>(1_500);
const wanted = new Map<string, string>();
let running = 0;

function daysBefore(ts: string, days: number) {
  return new Date(Date.parse(ts) - days * 86_400_000).toISOString().slice(0, 10);
}

async function load(symbol: string, ts: string) {
  const entry = entries.get(symbol);
  if (entry === undefined) return;
  entry.ts = ts;
  try {
    const { bars } = await client.rest.bars(symbol, {
      from: daysBefore(ts, DAYS),
      to: ts.slice(0, 10),
      limit: 100,
    });
    entry.closes.value = bars.slice(-SESSIONS).map((bar) => bar.close);
  } catch (error) {
    // A line less is no reason for a message; the row asks again when it is next in view.
    failureOf(error);
    setTimeout(() => {
      entry.ts = "";
    }, RETRY_MS);
  }
}

function pump() {
  for (const [symbol, ts] of wanted) {
    if (running >= AT_ONCE) return;
    wanted.delete(symbol);
    running += 1;
    void load(symbol, ts).finally(() => {
      running -= 1;
      pump();
    });
  }
}

/** The closes of a symbol, as a signal that fills later. */
export function closesOf(symbol: string): Reactive<Closes> {
  let entry = entries.get(symbol);
  if (entry === undefined) {
    entry = { ts: "", closes: signal<Closes>(null) };
    entries.set(symbol, entry);
  }
  return entry.closes;
}

/** A row came into view. @returns its undo, for when it leaves */
export function want({ symbol, ts }: Signal): () => void {
  closesOf(symbol);
  if (entries.get(symbol)?.ts === ts) return () => undefined;
  const timer = setTimeout(() => {
    wanted.set(symbol, ts);
    pump();
  }, DWELL_MS);
  return () => {
    clearTimeout(timer);
    wanted.delete(symbol);
  };
}

/** Forgets everything, at sign-out. */
export function clearSparks() {
  entries.clear();
  wanted.clear();
}
