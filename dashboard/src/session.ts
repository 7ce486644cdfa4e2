// Who is signed in. The token lives in this tab's sessionStorage and nowhere else: never in the
// address bar, never in a log. What its claims say is for display; the server decides.

import { computed, signal } from "@preact/signals";

const KEY = "signalroom.token";

/** A token and what its claims say. */
export interface Session {
  readonly token: string;
  readonly sub: string;
  readonly role: string;
  /** Milliseconds since 1970; null where the token does not say. */
  readonly expiresAt: number | null;
}

/** The claims of a token, unchecked; null where it is no JWT with a subject. */
export function read(token: string): Session | null {
  const payload = token.split(".")[1];
  if (token.split(".").length !== 3 || payload === undefined) return null;
  try {
    const binary = atob(payload.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (byte) => byte.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof claims !== "object" || claims === null) return null;
    const { sub, role, exp } = claims as Record<string, unknown>;
    if (typeof sub !== "string") return null;
    return {
      token,
      sub,
      role: typeof role === "string" ? role : "viewer",
      expiresAt: typeof exp === "number" ? exp * 1000 : null,
    };
  } catch {
    // Not base64, not UTF-8 or not JSON: no token.
    return null;
  }
}

/** Takes `token=` out of a fragment such as `#token=JWT`. */
export function tokenIn(hash: string): string | null {
  const token = new URLSearchParams(hash.replace(/^#/, "")).get("token");
  return token === null || token === "" ? null : token;
}

function stored(): Session | null {
  try {
    const token = sessionStorage.getItem(KEY);
    return token === null ? null : read(token);
  } catch {
    // Storage is forbidden: the token lives as long as the page.
    return null;
  }
}

/** The present session; null when nobody is signed in. */
export const session = signal<Session | null>(stored());

/** Why sign-in is needed although there was a session, or why a token was refused. */
export const signInReason = signal<string | null>(null);

/** Whether the signed-in person may decide, as far as the token says. */
export const mayDecide = computed(
  () => session.value?.role === "approver" || session.value?.role === "admin",
);

/** Whether the signed-in person may change the watchlist, as far as the token says. */
export const mayWatch = computed(() => session.value?.role === "admin");

/** Keeps a token that the server has accepted, or is about to be asked about. */
export function keep(next: Session) {
  try {
    sessionStorage.setItem(KEY, next.token);
  } catch {
    // As above: it lives as long as the page.
  }
  session.value = next;
  signInReason.value = null;
}

/** Forgets the token. */
export function forget(reason: string | null) {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Nothing was kept.
  }
  session.value = null;
  signInReason.value = reason;
}

/**
 * A sign-in link carries its token in the fragment: takes it, and removes it from the address bar
 * and the history at once.
 * @returns whether there was one
 */
export function takeFromAddress(): boolean {
  const token = tokenIn(location.hash);
  if (token === null) return false;
  history.replaceState(null, "", `${location.pathname}#/signals`);
  const next = read(token);
  if (next === null) forget("The link carries no valid token. Ask for a new one, or paste one.");
  else keep(next);
  return true;
}
