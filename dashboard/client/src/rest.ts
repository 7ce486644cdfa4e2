/** The REST routes that a page needs, typed, with two kinds of errors. */

import type {
  Approval,
  ApproveResult,
  Bar,
  City,
  Clock,
  Decision,
  ExplainedSignal,
  RunReport,
  Signal,
  Status,
} from "./types.js";

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
    readonly body: {
      type: string;
      title: string;
      detail: string;
      /** JSON pointer to the wrong field. */
      pointer?: string;
      /** On 409: the current signal, with who decided what. */
      signal?: Signal;
      /** What a score lacks. */
      missing?: { what: string; reason: string }[];
      /** Of an internal error: its id in the log. */
      id?: string;
    },
  ) {
    super(body.detail || body.title);
    this.slug = /^\/problems\/([\w-]+)$/.exec(body.type)?.[1] ?? "";
  }
}

/** No answer: no network, no server, or not in time. */
export class Unreachable extends Error {
  override name = "Unreachable";
}

/** Which part of a list. */
export interface Page {
  /** 1 to 500, by default 50. */
  limit?: number;
  /** `next_cursor` of the page before. */
  cursor?: string;
}

/** Which decisions. Times are RFC 3339 or dates. */
export interface ApprovalFilter extends Page {
  by?: string;
  from?: string;
  to?: string;
}

/** A call's own options. */
export interface Call {
  signal?: AbortSignal;
}

/** Every request that a page needs. Rejects with {@link Problem} or {@link Unreachable}. */
export interface Rest {
  /** Latest signal per symbol, the newest event first. */
  signals(
    query?: Page & { status?: Status },
    call?: Call,
  ): Promise<{ signals: Signal[]; next_cursor: string | null }>;
  /** The latest signal of a symbol with its reasons. */
  signal(symbol: string, call?: Call): Promise<ExplainedSignal>;
  /** All revisions with their reasons, newest first. */
  history(
    symbol: string,
    query?: Page,
    call?: Call,
  ): Promise<{ signals: ExplainedSignal[]; next_cursor: string | null }>;
  /** The `n` most trusted signals, by default 10. */
  top(n?: number, call?: Call): Promise<{ signals: Signal[] }>;
  /** Decides at once, without the client's queue. */
  approve(symbol: string, decision: Decision, call?: Call): Promise<ApproveResult>;
  /** Everybody's decisions, newest first. */
  approvals(
    query?: ApprovalFilter & { symbol?: string },
    call?: Call,
  ): Promise<{ approvals: Approval[]; next_cursor: string | null }>;
  /** The decisions on a symbol, newest first. */
  symbolApprovals(
    symbol: string,
    query?: ApprovalFilter,
    call?: Call,
  ): Promise<{ approvals: Approval[]; next_cursor: string | null }>;
  /** The daily bars held, ascending. */
  bars(
    symbol: string,
    query?: Page & { from?: string; to?: string },
    call?: Call,
  ): Promise<{ bars: Bar[]; next_cursor: string | null }>;
  city(call?: Call): Promise<City>;
  /** A scheduled run now; for the roles `service` and `admin`. */
  run(cron?: string, call?: Call): Promise<RunReport>;
  health(call?: Call): Promise<{ status: string; version: string }>;
}

/** One request: the decoded answer, whatever it is. */
export type Ask = (
  method: "GET" | "POST",
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
    const url = new URL(`/api/v1/${path}`, origin);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const bearer = await token();
    const abort = new AbortController();
    const giveUp = () => abort.abort();
    const timer = clock.setTimeout(giveUp, TIMEOUT);
    signal?.addEventListener("abort", giveUp);
    let status = 0;
    let answer: unknown;
    try {
      signal?.throwIfAborted();
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
  // The types are the server's own description's; see `npm run check`.
  const get = (path: string, query?: object, call?: Call) =>
    ask("GET", path, { query: query ?? {}, ...call }) as Promise<never>;
  const post = (path: string, body: unknown, call?: Call) =>
    ask("POST", path, { body, ...call }) as Promise<never>;
  const of = (symbol: string) => encodeURIComponent(symbol);
  return {
    signals: (query, call) => get("signals", query, call),
    signal: (symbol, call) => get(`signals/${of(symbol)}`, {}, call),
    history: (symbol, query, call) => get(`signals/${of(symbol)}/history`, query, call),
    top: (n, call) => get("scan/top", { n }, call),
    approve: (symbol, decision, call) => post(`signals/${of(symbol)}/approve`, decision, call),
    approvals: (query, call) => get("approvals", query, call),
    symbolApprovals: (symbol, query, call) => get(`signals/${of(symbol)}/approvals`, query, call),
    bars: (symbol, query, call) => get(`symbols/${of(symbol)}/bars`, query, call),
    city: (call) => get("city", {}, call),
    run: (cron, call) => post("runs", { cron }, call),
    health: (call) => get("healthz", {}, call),
  };
}
