// The state of the connection in words: a badge with the age of the data, and a band across the
// page whenever what is shown may be old.

import { client, connection, queued } from "../client";
import { clock, length, until } from "../format/time";
import { plural } from "../format/number";
import { mustSignInAgain } from "../store/desk";
import { now } from "../store/clock";

/** How long a first connection may take before the page says so, milliseconds. */
const PATIENCE_MS = 2_500;
const opened = Date.now();

/** One word and its tone, and what the age is of. */
function words(): { tone: string; word: string } {
  const state = connection.value;
  switch (state.phase) {
    case "open":
      return { tone: "live", word: "Connected" };
    case "idle":
      return { tone: "off", word: "Not connected" };
    case "connecting":
      return {
        tone: "trying",
        word: client.heardAt === null && state.attempt === 0 ? "Connecting" : "Reconnecting",
      };
    case "waiting":
      return { tone: "trying", word: `Reconnecting in ${until(state.until, now.value)}` };
    case "polling":
      return { tone: "polling", word: "Polling" };
    case "offline":
      return { tone: "off", word: "Offline" };
    case "stopped":
      return {
        tone: "off",
        word:
          state.reason === "sign-in"
            ? "Sign-in needed"
            : state.reason === "refused"
              ? "Disconnected by the server"
              : "Signed out",
      };
  }
}

/** What a screen reader hears: each change once, no countdown. */
const SPOKEN: Record<string, string> = {
  open: "Connected",
  waiting: "Connection lost, reconnecting",
  polling: "Polling for updates",
  offline: "Offline",
};

/** In the top bar. */
export function ConnectionBadge() {
  const { tone, word } = words();
  // Read in any case: the ticks are what brings this up to date.
  const present = now.value;
  const heard = client.heardAt;
  const age = heard === null ? null : length(Math.max(0, present - heard));
  return (
    <span
      class={`connection ${tone}`}
      data-testid="connection"
      data-phase={connection.value.phase}
      title={heard === null ? undefined : `Last heard from the server at ${clock(heard)}`}
    >
      <span class="dot" aria-hidden="true" />
      <span>{word}</span>
      {age !== null && (
        <span class="quiet age">
          <span class="sr">, data are </span>
          {age}
          <span class="sr"> old</span>
        </span>
      )}
    </span>
  );
}

/** Beside the badge, unseen. */
export function ConnectionSpoken() {
  return (
    <p class="sr" role="status">
      {SPOKEN[connection.value.phase]}
    </p>
  );
}

/** The band's sentence; null while all is well. */
function sentence(): string | null {
  const state = connection.value;
  void now.value;
  const heard = client.heardAt;
  const shown = heard === null ? "" : ` Showing data from ${clock(heard)}.`;
  const waits =
    queued.value === 0
      ? ""
      : ` ${plural(queued.value, "decision is", "decisions are")} queued and will be sent when the connection is back.`;
  switch (state.phase) {
    case "open":
    case "idle":
      return null;
    case "connecting":
      if (heard === null && now.value - opened < PATIENCE_MS) return null;
      return heard === null ? "Connecting." : `Reconnecting.${shown}${waits}`;
    case "waiting":
      return `Reconnecting in ${until(state.until, now.value)}.${shown}${waits}`;
    case "polling":
      return `Live updates cannot be had here; asking every few seconds instead.${shown}${waits}`;
    case "offline":
      return `You are offline.${shown}${waits}`;
    case "stopped":
      if (mustSignInAgain()) return `Sign in again to go on.${shown}`;
      return state.reason === "refused" ? `${whyRefused(state.code)}${shown}` : null;
  }
}

/** Why the server does not want this connection back. */
function whyRefused(code: number | undefined): string {
  if (code === 4501) return "Your access was revoked.";
  if (code === 4503) return "You have too many connections open: close another window first.";
  return `The server closed this connection for good${code === undefined ? "" : ` (code ${code})`}.`;
}

/** Below the top bar. */
export function ConnectionBand() {
  const text = sentence();
  const { phase } = connection.value;
  if (text === null) return null;
  const retry = phase === "waiting" || phase === "polling" || phase === "stopped";
  return (
    <section class={`band ${phase}`} aria-label="Connection" data-testid="connection-band">
      <span>{text}</span>
      {retry && !mustSignInAgain() && (
        <button type="button" class="link" onClick={() => client.connect()}>
          Reconnect now
        </button>
      )}
    </section>
  );
}
