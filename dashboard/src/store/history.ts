// Everybody's decisions: a filtered list, page by page, and the whole of it as CSV.

import { signal } from "@preact/signals";

import { client } from "../client";
import { csv } from "../format/csv";
import type { Approval } from "../types";
import { failureOf, type Failure } from "./failure";

/** Restrictions; an empty text is none. `from` and `to` are dates of the reader's calendar. */
export interface HistoryFilter {
  readonly symbol: string;
  readonly by: string;
  readonly from: string;
  readonly to: string;
}

/** What is shown. */
export interface History {
  readonly filter: HistoryFilter;
  readonly approvals: readonly Approval[] | null;
  readonly cursor: string | null;
  readonly loading: boolean;
  readonly failure: Failure | null;
}

const PAGE = 100;
/** Rows at most: beyond them a filter helps more than scrolling. */
export const MOST = 2_000;
/** Rows of an export at most. */
export const MOST_EXPORTED = 20_000;

export const NO_HISTORY_FILTER: HistoryFilter = { symbol: "", by: "", from: "", to: "" };

export const history = signal<History>({
  filter: NO_HISTORY_FILTER,
  approvals: null,
  cursor: null,
  loading: true,
  failure: null,
});

let abort: AbortController | null = null;

/** A filter as the server takes it: a day ends when the reader's does. */
export function queryOf({ symbol, by, from, to }: HistoryFilter) {
  const query: { symbol?: string; by?: string; from?: string; to?: string } = {};
  if (symbol !== "") query.symbol = symbol;
  if (by !== "") query.by = by;
  if (from !== "") query.from = new Date(`${from}T00:00:00`).toISOString();
  if (to !== "") query.to = new Date(`${to}T23:59:59.999`).toISOString();
  return query;
}

async function page(filter: HistoryFilter, before: readonly Approval[], cursor: string | null) {
  abort?.abort();
  const turn = new AbortController();
  abort = turn;
  history.value = {
    filter,
    approvals: cursor === null ? history.peek().approvals : before,
    cursor,
    loading: true,
    failure: null,
  };
  try {
    const answer = await client.rest.approvals(
      { ...queryOf(filter), limit: PAGE, ...(cursor === null ? {} : { cursor }) },
      { signal: turn.signal },
    );
    history.value = {
      filter,
      approvals: [...before, ...answer.approvals],
      cursor: answer.next_cursor,
      loading: false,
      failure: null,
    };
  } catch (error) {
    if (turn.signal.aborted) return;
    history.value = { ...history.peek(), loading: false, failure: failureOf(error) };
  }
}

/** Loads the first page. */
export const loadHistory = (filter: HistoryFilter) => page(filter, [], null);

/** Loads the next page, if there is one. */
export async function moreHistory() {
  const { filter, approvals, cursor, loading } = history.peek();
  if (cursor !== null && !loading && (approvals?.length ?? 0) < MOST)
    await page(filter, approvals ?? [], cursor);
}

/** All decisions that the filter lets through, as CSV. Rejects as the library does. */
export async function exportHistory(filter: HistoryFilter): Promise<string> {
  const all: Approval[] = [];
  let cursor: string | null = null;
  do {
    const answer: { approvals: Approval[]; next_cursor: string | null } =
      await client.rest.approvals({
        ...queryOf(filter),
        limit: 500,
        ...(cursor === null ? {} : { cursor }),
      });
    all.push(...answer.approvals);
    cursor = answer.next_cursor;
  } while (cursor !== null && all.length < MOST_EXPORTED);
  return csv(
    ["approved_at", "symbol", "approved_status", "approved_by", "note", "signal_id"],
    all.map((approval) => [
      approval.approved_at,
      approval.symbol,
      approval.approved_status,
      approval.approved_by,
      approval.note ?? null,
      approval.signal_id,
    ]),
  );
}

/** Forgets everything, at sign-out. */
export function clearHistory() {
  abort?.abort();
  history.value = {
    filter: NO_HISTORY_FILTER,
    approvals: null,
    cursor: null,
    loading: true,
    failure: null,
  };
}
