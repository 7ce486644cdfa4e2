// The list of signals as it is shown: rows, order, filter, selection. Events are taken in at once
// and shown a few times a second, however many come.

import { batch, computed, effect, signal } from "@preact/signals";

import { go, route } from "../route";
import type { Approval, Signal } from "../types";
import {
  arrange,
  DEFAULT_SORT,
  firstDirection,
  NO_FILTER,
  type Filter,
  type Sort,
  type SortKey,
} from "./arrange";
import { EMPTY, offer, release, type Held } from "./hold";
import { putApproval, putSignal, replaceRows, type Rows } from "./rows";

/** How often the order may change while events come, milliseconds: more often nobody can read. */
const ARRANGE_MS = 1_000;
/** How often rows are drawn while events come, milliseconds. */
const DRAW_MS = 80;

const table: Rows = new Map();
const news = new Set<string>();
let scheduled = false;
let drawn = 0;
let arranged = 0;
let late: ReturnType<typeof setTimeout> | null = null;

/** Counts the frames in which rows changed: reading it subscribes to {@link row}. */
export const version = signal(0);

/** How the list is sorted and filtered. */
export const sort = signal<Sort>(DEFAULT_SORT);
export const filter = signal<Filter>(NO_FILTER);

/** The order shown and what waits to enter it. */
export const held = signal<Held>(EMPTY);

/** Whether somebody reads the list: pointer over it, or focus in it. */
export const reading = signal(false);

/** How many rows there are, filtered or not. */
export const total = computed(() => (version.value, table.size));

/** How many wait for a decision. */
export const pending = computed(() => {
  void version.value;
  let count = 0;
  for (const { signal: held } of table.values()) if (held.awaiting_approval) count += 1;
  return count;
});

/** One row, as it is now. */
export const row = (symbol: string) => table.get(symbol);

/** All rows, in no order. */
export const rows = () => table.values();

function* signals(): Generator<Signal> {
  for (const { signal: held } of table.values()) yield held;
}

function rearrange(still: boolean) {
  arranged = performance.now();
  held.value = offer(held.peek(), arrange(signals(), sort.peek(), filter.peek()), still, news);
  news.clear();
}

function show() {
  scheduled = false;
  drawn = performance.now();
  batch(() => {
    version.value += 1;
    const wait = arranged + ARRANGE_MS - performance.now();
    // An empty list holds nothing still.
    if (wait <= 0 || held.peek().shown.length === 0) rearrange(reading.peek());
    else
      late ??= setTimeout(() => {
        late = null;
        rearrange(reading.peek());
      }, wait);
  });
}

/**
 * Shows in the next frame what changed; in a burst, a few times a second. A hidden page gets it all
 * at once when it is seen again.
 */
function changed() {
  if (scheduled) return;
  scheduled = true;
  const wait = drawn + DRAW_MS - performance.now();
  if (wait <= 0) requestAnimationFrame(show);
  else setTimeout(() => requestAnimationFrame(show), wait);
}

// A second that brings more than this is a storm, in which flashes would tell nothing.
const STORM = 25;
let second = 0;
let within = 0;

function storm() {
  const now = Math.floor(performance.now() / 1_000);
  within = now === second ? within + 1 : 0;
  second = now;
  return within > STORM;
}

/** A signal came; `quiet` if it fills the table rather than being news. */
export function takeSignal(next: Signal, { quiet = false } = {}) {
  if (!putSignal(table, next, Date.now(), quiet || storm())) return;
  news.add(next.symbol);
  changed();
}

/** A decision came. */
export function takeApproval(approval: Approval) {
  if (putApproval(table, approval, Date.now())) changed();
}

/** The whole list came. */
export function takeList(list: readonly Signal[], since: ReadonlySet<string>) {
  replaceRows(table, list, since);
  changed();
}

/** Empties the table, at sign-out. */
export function clearList() {
  table.clear();
  news.clear();
  batch(() => {
    held.value = EMPTY;
    version.value += 1;
  });
}

// What the reader asks for happens at once, reading or not.
effect(() => {
  void sort.value;
  void filter.value;
  rearrange(false);
});
effect(() => {
  if (!reading.value) held.value = release(held.peek());
});

/** Lets in what waits. */
export function showNew() {
  held.value = release(held.peek());
}

/** Sorts by a column; by the same again: the other way round. */
export function sortBy(key: SortKey) {
  const { key: before, descending } = sort.peek();
  sort.value =
    before === key ? { key, descending: !descending } : { key, descending: firstDirection[key] };
}

/** Changes part of the filter. */
export function filterBy(part: Partial<Filter>) {
  filter.value = { ...filter.peek(), ...part };
}

/** The symbol that is selected: the one in the address. */
export const selected = computed<string | null>(() => route.value.symbol);

/** The first that waits for a decision, else the first shown: where a reader begins. */
export function beginning(): string | null {
  const { shown } = held.peek();
  return shown.find((symbol) => table.get(symbol)?.signal.awaiting_approval) ?? shown[0] ?? null;
}

/** Selects a symbol; `step` leaves a step for the browser's Back. */
export function select(symbol: string, { step = false } = {}) {
  go({ view: "signals", symbol }, { replace: !step });
}

/** Moves the selection by so many rows, within the list. */
export function moveSelection(by: number) {
  const { shown } = held.peek();
  const at = shown.indexOf(selected.peek() ?? "");
  const to = Math.min(shown.length - 1, Math.max(0, at === -1 ? 0 : at + by));
  const symbol = shown[to];
  if (symbol !== undefined) select(symbol);
}
