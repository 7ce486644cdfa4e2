// Ties the connection to what is shown: who is signed in connects; what comes goes to the list.

import { signal } from "@preact/signals";

import { client, connection, tryToken } from "../client";
import { clock } from "../format/time";
import { forget, keep, read, session, signInReason } from "../session";
import type { City, Signal } from "../types";
import { heardApproval } from "./decisions";
import { clearDetails } from "./detail";
import { clearData, followDue, loadDue } from "./data";
import { failureOf, type Failure } from "./failure";
import { clearHistory } from "./history";
import { clearList, takeList, takeSignal } from "./list";
import { market, takeMarket } from "./market";
import { clearSparks } from "./sparks";

/** The desk's mood; undefined until it is known. */
export const city = signal<City | undefined>(undefined);

/** Whether the list has been loaded, and if not, why. */
export const listState = signal<
  { state: "loading" } | { state: "ready" } | { state: "failed"; failure: Failure }
>({ state: "loading" });

/** Signals per page of the list, and pages at most: what a desk can hold on a screen at all. */
const PAGE = 500;
const PAGES = 20;

/** How long a list counts as just loaded, milliseconds. */
const FRESH_MS = 5_000;

const touched = new Set<string>();
let load = 0;
let asked = 0;

/** Loads the whole list; what the socket brings meanwhile wins. */
export async function loadList() {
  load += 1;
  const turn = load;
  asked = Date.now();
  touched.clear();
  if (listState.peek().state === "failed") listState.value = { state: "loading" };
  try {
    const all: Signal[] = [];
    let cursor: string | null = null;
    for (let page = 0; page < PAGES; page += 1) {
      const answer: { signals: Signal[]; next_cursor: string | null } = await client.rest.signals({
        limit: PAGE,
        ...(cursor === null ? {} : { cursor }),
      });
      // A newer load, or a sign-out, has taken over.
      if (turn !== load) return;
      all.push(...answer.signals);
      cursor = answer.next_cursor;
      if (cursor === null) break;
    }
    takeList(all, touched);
    listState.value = { state: "ready" };
  } catch (error) {
    if (turn !== load) return;
    const failure = failureOf(error);
    if (listState.peek().state !== "ready") listState.value = { state: "failed", failure };
  }
}

function listen() {
  client.onMessage("snapshot", (snapshot) => {
    // A snapshot replaces what is known but is cut at a limit: it shows at once, and the whole
    // list is loaded behind it.
    for (const next of snapshot.signals) takeSignal(next, { quiet: true });
    if (snapshot.city !== null) city.value = snapshot.city;
    takeMarket(snapshot.market);
    void loadDue();
    // The one that follows the first connection meets a list that is just being loaded.
    if (Date.now() - asked > FRESH_MS) void loadList();
  });
  client.onMessage("new_signal", (next) => {
    touched.add(next.symbol);
    takeSignal(next);
  });
  client.onMessage("approval_notification", (approval) => {
    touched.add(approval.symbol);
    heardApproval(approval);
  });
  client.onMessage("city_state_update", (next) => {
    city.value = next;
  });
  client.onMessage("market_update", takeMarket);
  client.onStateChange((state) => {
    if (state.phase !== "stopped" || state.reason !== "sign-in") return;
    const expiresAt = session.peek()?.expiresAt ?? null;
    signInReason.value =
      expiresAt !== null && expiresAt <= Date.now()
        ? `Your sign-in expired at ${clock(expiresAt)}. Sign in again to go on where you were.`
        : "The server no longer accepts your token. Sign in again to go on where you were.";
  });
}

/** Signs in with a token that somebody pasted. @returns what is wrong with it, or null */
export async function signIn(text: string): Promise<string | null> {
  const token = tokenOf(text);
  const next = read(token);
  if (next === null)
    return "This is no token. A token has three parts with dots between, and begins with ey.";
  if (next.expiresAt !== null && next.expiresAt <= Date.now())
    return "This token has expired. Ask for a new one.";
  try {
    await tryToken(token);
  } catch (error) {
    const failure = failureOf(error);
    if (failure.kind === "unreachable")
      return "The server does not answer. Check that it runs, and try again.";
    return failure.slug === "unauthorized"
      ? "The server does not accept this token. Was it made with another secret?"
      : failure.detail;
  }
  const before = session.peek();
  keep(next);
  // Another person must not see what the one before had in view.
  if (before !== null && before.sub !== next.sub) clearList();
  begin();
  return null;
}

// People paste the whole sign-in link as often as the token.
function tokenOf(text: string) {
  const found = /token=([^&\s]+)/.exec(text);
  return (found?.[1] ?? text).trim().replace(/^Bearer\s+/i, "");
}

/** Signs out: forgets the token and everything shown. */
export function signOut() {
  load += 1;
  client.disconnect();
  forget(null);
  clearList();
  clearDetails();
  clearSparks();
  clearHistory();
  clearData();
  city.value = undefined;
  market.value = undefined;
  listState.value = { state: "loading" };
}

/** Starts the desk: once, when the page opens. */
export function start() {
  listen();
  followDue(() => session.peek() !== null);
  if (session.peek() !== null) begin();
}

/** Connects as who is signed in now, and asks for the list without waiting for the socket. */
export function begin() {
  client.connect();
  void loadList();
  void loadDue();
}

/** Whether sign-in is asked for although somebody was signed in. */
export const mustSignInAgain = () => {
  const state = connection.value;
  return session.value !== null && state.phase === "stopped" && state.reason === "sign-in";
};
