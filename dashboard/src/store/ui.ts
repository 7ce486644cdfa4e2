// Which dialog is open, and how much room there is.

import { signal } from "@preact/signals";

import type { Suggestion } from "../types";

/** The open dialog. */
export type Open =
  | { dialog: "help" }
  | { dialog: "sign-in" }
  | { dialog: "decide"; symbol: string; choice: Suggestion };

export const open = signal<Open | null>(null);

/** Below this width, pixels, the detail is a sheet over the list. */
const NARROW = "(max-width: 719.9px)";

const narrowQuery = matchMedia(NARROW);

/** Whether there is no room for two panes. */
export const narrow = signal(narrowQuery.matches);
narrowQuery.addEventListener("change", (event) => {
  narrow.value = event.matches;
});
