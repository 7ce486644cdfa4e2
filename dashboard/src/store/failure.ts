// What went wrong with a request, as something a view can show.

import { Problem, Unreachable } from "@signalroom/client";

import type { Missing, Signal } from "../types";

/** A refusal by the server, or no answer. */
export type Failure =
  | {
      kind: "problem";
      slug: string;
      status: number;
      detail: string;
      signal: Signal | null;
      missing: Missing[];
      id: string | null;
    }
  | { kind: "unreachable" };

/** An error of the library as a failure; anything else is a fault of the page and goes on. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Problem)
    return {
      kind: "problem",
      slug: error.slug,
      status: error.status,
      detail: error.body.detail || error.body.title,
      signal: error.body.signal ?? null,
      missing: error.body.missing ?? [],
      id: error.body.id ?? null,
    };
  if (error instanceof Unreachable) return { kind: "unreachable" };
  throw error;
}

/** What happened and what to do, in a sentence or two. */
export function failureWords(failure: Failure): string {
  if (failure.kind === "unreachable")
    return "The server does not answer. What is shown may be old.";
  if (failure.slug === "internal" && failure.id !== null)
    return `The server failed. Its log has more under ${failure.id}.`;
  return failure.detail;
}
