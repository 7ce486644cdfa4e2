/** The REST routes that a page needs, typed, with two kinds of errors. */

import type { components, paths } from "./openapi.js";
import type { Clock, Decision, ExplainedSignal } from "./types.js";

/** How long a request may take, milliseconds. */
const TIMEOUT = 15_000;

/** A refusal of the server, RFC 9457. */
export class Problem extends Error {
  override name = "Problem";
  /** The kind, such as `already-decided`; empty for an answer that is no problem document. */
  readonly slug: string;

  constructor(
    /** HTTP status. */
    readonly status: number,
    /** The problem document's members. */
    readonly body: Omit<components["schemas"]["Problem"], "type" | "status"> & { type: string },
  ) {
    super(body.detail || body.title);
    this.slug = /^\/problems\/([\w-]+)$/.exec(body.type)?.[1] ?? "";
  }
}

/** No answer: no network, no server, no token provider, or not in time. Its `cause` says which. */
export class Unreachable extends Error {
  override name = "Unreachable";
}

/** What a route answers, as the server describes it. */
type Answer<
  P extends keyof paths,
  M extends "get" | "post" | "put" | "delete" = "get",
> = paths[P] extends {
  [K in M]: { responses: { 200: { content: { "application/json": infer Body } } } };
}
  ? Body
  : never;

/** What a route may be asked. */
type Query<P extends keyof paths> = paths[P] extends { get: { parameters: { query?: infer Q } } }
  ? NonNullable<Q>
  : never;

/** Which part of a list: `limit` 1 to 500, by default 50, and the `next_cursor` of the page before. */
export type Page = Query<"/api/v1/signals/{symbol}/history">;

/** Which decisions. Times are RFC 3339 or dates. */
export type ApprovalFilter = Query<"/api/v1/approvals">;

/** A call's own options. */
export interface Call {
  signal?: AbortSignal;
}

/**
 * Every request that a page needs. Rejects with {@link Problem} or {@link Unreachable}, or with the
 * reason of its aborted `signal`.
 */
export interface Rest {
  /** Latest signal per symbol, the newest event first. */
  signals(query?: Query<"/api/v1/signals">, call?: Call): Promise<Answer<"/api/v1/signals">>;
  /** The latest signal of a symbol with its reasons. */
  signal(symbol: string, call?: Call): Promise<ExplainedSignal>;
  /** All revisions with their reasons, newest first. */
  history(
    symbol: string,
    query?: Page,
    call?: Call,
  ): Promise<{ signals: ExplainedSignal[]; next_cursor: string | null }>;
  /** The `n` most trusted signals, 1 to 100, by default 10. */
  top(n?: number, call?: Call): Promise<Answer<"/api/v1/scan/top">>;
  /** Decides at once, without the client's queue. */
  approve(
    symbol: string,
    decision: Decision,
    call?: Call,
  ): Promise<Answer<"/api/v1/signals/{symbol}/approve", "post">>;
  /** Everybody's decisions, newest first. */
  approvals(query?: ApprovalFilter, call?: Call): Promise<Answer<"/api/v1/approvals">>;
  /** The decisions on a symbol, newest first. */
  symbolApprovals(
    symbol: string,
    query?: Query<"/api/v1/signals/{symbol}/approvals">,
    call?: Call,
  ): Promise<Answer<"/api/v1/signals/{symbol}/approvals">>;
  /** The daily bars held, ascending. */
  bars(
    symbol: string,
    query?: Query<"/api/v1/symbols/{symbol}/bars">,
    call?: Call,
  ): Promise<Answer<"/api/v1/symbols/{symbol}/bars">>;
  city(call?: Call): Promise<Answer<"/api/v1/city">>;
  /** The market's mood. */
  market(call?: Call): Promise<Answer<"/api/v1/market/fear-greed">>;
  /** What is known of the data of symbols, by name: those of the watchlist and all others. */
  symbols(query?: Query<"/api/v1/symbols">, call?: Call): Promise<Answer<"/api/v1/symbols">>;
  /** Makes these the watchlist; for admins, as the next three. */
  setSymbols(symbols: string[], call?: Call): Promise<Answer<"/api/v1/symbols", "put">>;
  /** Adds a symbol to the watchlist. */
  addSymbol(symbol: string, call?: Call): Promise<Answer<"/api/v1/symbols/{symbol}", "put">>;
  /** Takes a symbol off the watchlist; its data stay. */
  removeSymbol(symbol: string, call?: Call): Promise<Answer<"/api/v1/symbols/{symbol}", "delete">>;
  /** Goes back to the configured watchlist. */
  resetSymbols(call?: Call): Promise<Answer<"/api/v1/symbols", "delete">>;
  /** Runs, newest first. */
  runs(query?: Query<"/api/v1/runs">, call?: Call): Promise<Answer<"/api/v1/runs">>;
  /** A scheduled run now; for the roles `service` and `admin`. */
  run(cron?: string, call?: Call): Promise<Answer<"/api/v1/runs", "post">>;
  health(call?: Call): Promise<Answer<"/api/v1/healthz">>;
}

/** One request: the decoded answer, whatever it is. */
export type Ask = (
  method: "GET" | "POST" | "PUT" | "DELETE",
  path: string,
  extra?: { query?: object; body?: unknown; headers?: Record<string, string> } & Call,
) => Promise<unknown>;

/** What requests are made with. */
export interface Surroundings {
  origin: string;
  token: () => string | null | Promise<string | null>;
  fetch: typeof fetch;
  clock: Clock;
}

/** Makes requests. */
export function asker({ origin, token, fetch, clock }: Surroundings): Ask {
  return async (method, path, { query = {}, body, headers, signal } = {}) => {
    const url = new URL(path, origin);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const abort = new AbortController();
    const giveUp = () => abort.abort();
    const timer = clock.setTimeout(giveUp, TIMEOUT);
    signal?.addEventListener("abort", giveUp);
    let status = 0;
    let answer: unknown;
    try {
      signal?.throwIfAborted();
      const bearer = await token();
      const response = await fetch(url, {
        method,
        headers: {
          ...headers,
          ...(bearer ? { authorization: `Bearer ${bearer}` } : {}),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        cache: "no-store",
        credentials: "omit",
        signal: abort.signal,
      });
      status = response.status;
      const text = await response.text();
      try {
        answer = JSON.parse(text);
      } catch (cause) {
        if (response.ok) throw cause;
      }
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      throw new Unreachable("The server cannot be reached.", { cause });
    } finally {
      clock.clearTimeout(timer);
      signal?.removeEventListener("abort", giveUp);
    }
    if (status < 400) return answer;
    throw problem(status, answer);
  };
}

function problem(status: number, answer: unknown): Problem {
  const said = typeof answer === "object" && answer !== null ? answer : {};
  const text = (name: string) => {
    const value: unknown = Reflect.get(said, name);
    return typeof value === "string" ? value : "";
  };
  return new Problem(status, {
    ...said,
    type: text("type") || "about:blank",
    title: text("title") || `HTTP ${status}`,
    detail: text("detail"),
  });
}

/** The typed routes over `ask`. */
export function rest(ask: Ask): Rest {
  const at = (path: keyof paths, symbol: string) =>
    path.replace("{symbol}", encodeURIComponent(symbol));
  // What each answers is what the server's description says of it; see `npm run check`.
  const get = (path: keyof paths, query?: object, call?: Call, symbol = "") =>
    ask("GET", at(path, symbol), { query: query ?? {}, ...call }) as Promise<never>;
  const tell = (
    method: "POST" | "PUT" | "DELETE",
    path: keyof paths,
    body: unknown,
    call?: Call,
    symbol = "",
  ) => ask(method, at(path, symbol), { body, ...call }) as Promise<never>;
  const one = "/api/v1/symbols/{symbol}";
  return {
    signals: (query, call) => get("/api/v1/signals", query, call),
    signal: (symbol, call) => get("/api/v1/signals/{symbol}", {}, call, symbol),
    history: (symbol, query, call) => get("/api/v1/signals/{symbol}/history", query, call, symbol),
    top: (n, call) => get("/api/v1/scan/top", { n }, call),
    approve: (symbol, decision, call) =>
      tell("POST", "/api/v1/signals/{symbol}/approve", decision, call, symbol),
    approvals: (query, call) => get("/api/v1/approvals", query, call),
    symbolApprovals: (symbol, query, call) =>
      get("/api/v1/signals/{symbol}/approvals", query, call, symbol),
    bars: (symbol, query, call) => get("/api/v1/symbols/{symbol}/bars", query, call, symbol),
    city: (call) => get("/api/v1/city", {}, call),
    market: (call) => get("/api/v1/market/fear-greed", {}, call),
    symbols: (query, call) => get("/api/v1/symbols", query, call),
    setSymbols: (symbols, call) => tell("PUT", "/api/v1/symbols", { symbols }, call),
    addSymbol: (symbol, call) => tell("PUT", one, undefined, call, symbol),
    removeSymbol: (symbol, call) => tell("DELETE", one, undefined, call, symbol),
    resetSymbols: (call) => tell("DELETE", "/api/v1/symbols", undefined, call),
    runs: (query, call) => get("/api/v1/runs", query, call),
    run: (cron, call) => tell("POST", "/api/v1/runs", { cron }, call),
    health: (call) => get("/api/v1/healthz", {}, call),
  };
}
