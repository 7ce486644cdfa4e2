// The API beside the page: what others do on the desk while somebody looks at it.

import { series } from "./bars.ts";
import { token, type Place, type Role } from "./server.ts";

/** What a signal suggests and a person decides. */
export type Suggestion = "BUY" | "NEUTRAL" | "RISK";

/** A signal, as far as the tests look at it. */
export interface Signal {
  id: string;
  symbol: string;
  status: string;
  approval: { approved_by: string; approved_status: Suggestion } | null;
}

/** Asks the API; an answer that is not 2xx is an error. */
export async function ask<Answer>(
  place: Place,
  [sub, role]: readonly [string, Role],
  method: "GET" | "POST" | "PUT",
  path: string,
  body?: { type: string; text: string },
): Promise<Answer> {
  const response = await fetch(`${place.url}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token(place, sub, role)}`,
      ...(body ? { "content-type": body.type } : {}),
    },
    body: body?.text ?? null,
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text) as Answer;
}

const SERVICE = ["feeder", "service"] as const;

/** Sends bars that make the machine suggest `shape`, and computes at once. */
export async function signal(place: Place, symbol: string, shape: Suggestion, seed = 1) {
  const body = { type: "text/csv", text: series(shape, seed) };
  const path = `/symbols/${symbol}/bars?compute=now`;
  const answer = await ask<{ signal: Signal }>(place, SERVICE, "PUT", path, body);
  return answer.signal;
}

/** Sends bars alone; the next run computes. */
export function bars(place: Place, symbol: string, shape: Suggestion, sessions?: number) {
  const body = { type: "text/csv", text: series(shape, 1, sessions) };
  return ask(place, SERVICE, "PUT", `/symbols/${symbol}/bars`, body);
}

/** A scheduled run now. */
export function run(place: Place) {
  const body = { type: "application/json", text: "{}" };
  return ask(place, SERVICE, "POST", "/runs", body);
}

/** A decision of somebody who does not sit at a page of the test. */
export function approve(
  place: Place,
  by: string,
  symbol: string,
  status: Suggestion,
  note?: string,
) {
  const body = { type: "application/json", text: JSON.stringify({ status, note }) };
  const path = `/signals/${symbol}/approve`;
  return ask(place, [by, "approver"], "POST", path, body);
}

/** The current signal of a symbol. */
export function current(place: Place, symbol: string) {
  return ask<Signal>(place, ["reader", "viewer"], "GET", `/signals/${symbol}`);
}

let symbols = 0;

/** A symbol that no other test of this file uses, beginning with `name`. */
export function fresh(name: string) {
  symbols += 1;
  return `${name}${symbols}`;
}
