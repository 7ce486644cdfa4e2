// Short messages about what others did and what became of what one did. Each is said once.

import { signal } from "@preact/signals";

/** A message. */
export interface Toast {
  readonly id: number;
  readonly tone: "news" | "good" | "bad";
  /** What happened. */
  readonly text: string;
  /** Text that a person wrote, shown apart from ours. */
  readonly note: string | null;
  /** The symbol it is about, to go to. */
  readonly symbol: string | null;
}

/** How many are shown at once; older ones leave. */
const MOST = 4;
const SHOWN_MS = 6_000;
/** Bad news stay longer: they ask for something. */
const BAD_MS = 12_000;

let last = 0;

export const toasts = signal<readonly Toast[]>([]);

/** Shows a message for a few seconds. */
export function say(
  tone: Toast["tone"],
  text: string,
  { note = null, symbol = null }: { note?: string | null; symbol?: string | null } = {},
) {
  last += 1;
  const id = last;
  toasts.value = [...toasts.peek(), { id, tone, text, note, symbol }].slice(-MOST);
  setTimeout(() => dismiss(id), tone === "bad" ? BAD_MS : SHOWN_MS);
}

/** Takes a message away. */
export function dismiss(id: number) {
  if (toasts.peek().some((toast) => toast.id === id))
    toasts.value = toasts.peek().filter((toast) => toast.id !== id);
}
