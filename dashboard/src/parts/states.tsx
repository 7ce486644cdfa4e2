// What a view shows when it has nothing to show: empty, failed. Loading is a skeleton of the real
// layout, at its place.

import type { ComponentChildren } from "preact";

import { failureWords, type Failure } from "../store/failure";

/** A sentence of what is so, and what to do. */
export function Notice({
  title,
  children,
  action,
}: {
  title: string;
  children?: ComponentChildren;
  action?: { label: string; run: () => void };
}) {
  return (
    <div class="notice">
      <p class="notice-title">{title}</p>
      {children !== undefined && <div class="notice-text">{children}</div>}
      {action !== undefined && (
        <button type="button" class="plain" onClick={action.run}>
          {action.label}
        </button>
      )}
    </div>
  );
}

/** A view that could not be loaded. */
export function Failed({
  what,
  failure,
  retry,
}: {
  what: string;
  failure: Failure;
  retry: () => void;
}) {
  return (
    <div role="alert">
      <Notice title={`${what} could not be loaded.`} action={{ label: "Try again", run: retry }}>
        {failureWords(failure)}
      </Notice>
    </div>
  );
}

/** What is shown could not be loaded anew: a line above it. */
export function Outdated({ failure, retry }: { failure: Failure; retry: () => void }) {
  return (
    <p class="warn outdated" role="alert">
      {failureWords(failure)}
      <button type="button" class="link" onClick={retry}>
        Try again
      </button>
    </p>
  );
}

/** Grey lines in the place of text that is on its way. */
export function Lines({ widths }: { widths: readonly number[] }) {
  return (
    <div class="lines" aria-hidden="true">
      {widths.map((width, at) => (
        <span key={at} class="bone" style={{ width: `${width}%` }} />
      ))}
    </div>
  );
}
