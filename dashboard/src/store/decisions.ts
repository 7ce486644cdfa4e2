// Deciding: shown at once, taken back when the server refuses, and told to the reader either way.

import { QueueFull } from "@signalroom/client";
import { computed, signal } from "@preact/signals";

import { client, queued } from "../client";
import { ago, parse } from "../format/time";
import { excerpt } from "../format/text";
import { session } from "../session";
import type { Approval, Signal, Suggestion } from "../types";
import { failureOf, failureWords, type Failure } from "./failure";
import { gatherer } from "./gather";
import { takeApproval, takeSignal } from "./list";
import { say } from "./toasts";

/** A decision of the reader's that the server has not answered yet. */
export interface Pending {
  readonly signalId: string;
  readonly status: Suggestion;
  readonly note: string;
}

/** By symbol. */
export const mine = signal<ReadonlyMap<string, Pending>>(new Map());

/** Whether unanswered decisions wait for the connection rather than for an answer. */
export const waiting = computed(() => queued.value > 0);

/** How often something was decided, by symbol and in all: histories load anew when it changes. */
export const decided = signal<{ count: number; symbol: string | null }>({ count: 0, symbol: null });

/** How many own decisions are remembered so as not to be told twice. */
const REMEMBERED = 200;
const told = new Set<string>();

function remember(approval: Approval) {
  told.add(`${approval.signal_id} ${approval.approved_at}`);
  if (told.size > REMEMBERED) {
    const [oldest] = told;
    if (oldest !== undefined) told.delete(oldest);
  }
}

function setMine(symbol: string, pending: Pending | null) {
  const next = new Map(mine.peek());
  if (pending === null) next.delete(symbol);
  else next.set(symbol, pending);
  mine.value = next;
}

function took(approval: Approval) {
  takeApproval(approval);
  decided.value = { count: decided.peek().count + 1, symbol: approval.symbol };
}

/** "Carol decided BUY 12 s ago." of a signal that is decided; null of one that is not. */
export function whoDecided(signal: Signal, now: number): string | null {
  const { approval } = signal;
  if (approval === null) return null;
  const who = approval.approved_by === session.peek()?.sub ? "You" : name(approval.approved_by);
  return `${who} decided ${approval.approved_status} ${ago(parse(approval.approved_at), now)}.`;
}

const name = (sub: string) => excerpt(sub, 40);

function refused(symbol: string, failure: Failure): string {
  const nothing = "Your decision was not recorded.";
  if (failure.kind === "unreachable") return `The server did not answer. ${nothing}`;
  if (failure.slug === "already-decided" && failure.signal !== null)
    return `${whoDecided(failure.signal, Date.now()) ?? "Somebody else decided."} ${nothing}`;
  if (failure.slug === "stale-signal")
    return `A newer signal of ${symbol} came meanwhile; it is shown now. ${nothing}`;
  if (failure.slug === "forbidden") return `Your role may not decide. ${nothing}`;
  return `${failureWords(failure)} ${nothing}`;
}

let before = 0;
client.onQueueChange((count) => {
  if (count > before)
    say("news", "Your decision is queued. It will be sent when the connection is back.");
  before = count;
});

/** Decides on the signal the reader looked at. Never rejects: what came of it is said in a toast. */
export async function decide(signal: Signal, status: Suggestion, note: string) {
  const { symbol, id } = signal;
  setMine(symbol, { signalId: id, status, note });
  try {
    const { approval } = await client.approve(symbol, {
      status,
      signal_id: id,
      ...(note === "" ? {} : { note }),
    });
    remember(approval);
    took(approval);
    say("good", `You decided ${status} on ${symbol}.`, { symbol });
  } catch (error) {
    if (error instanceof QueueFull) {
      say("bad", `Too many decisions wait already. ${status} on ${symbol} was not kept.`);
      return;
    }
    const failure = failureOf(error);
    if (failure.kind === "problem" && failure.signal !== null) {
      takeSignal(failure.signal);
      if (failure.signal.approval !== null) took(failure.signal.approval);
    }
    say("bad", refused(symbol, failure), { symbol });
  } finally {
    setMine(symbol, null);
  }
}

const tell = gatherer<Approval>(400, 2, (approvals, count) => {
  if (count > approvals.length) {
    say("news", `${count.toLocaleString()} signals were decided.`);
    return;
  }
  for (const approval of approvals) {
    const { symbol, approved_by, approved_status, note } = approval;
    if (told.has(`${approval.signal_id} ${approval.approved_at}`)) continue;
    const own = approved_by === session.peek()?.sub;
    say(
      "news",
      own
        ? `You decided ${approved_status} on ${symbol} in another window.`
        : `${name(approved_by)} decided ${approved_status} on ${symbol}.`,
      { symbol, note: note === null || note === "" ? null : excerpt(note, 90) },
    );
  }
});

/** A decision came over the socket: anybody's, one's own included. */
export function heardApproval(approval: Approval) {
  took(approval);
  // One's own is told when its request is answered; a burst is told in one sentence.
  if (mine.peek().get(approval.symbol)?.signalId !== approval.signal_id) tell(approval);
  else if (approval.approved_by !== session.peek()?.sub) tell(approval);
}
