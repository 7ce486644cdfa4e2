// Light or dark: the system's, unless the reader chose; remembered on this machine.

import { signal } from "@preact/signals";

const KEY = "signalroom.theme";

/** The two themes. */
export type Theme = "light" | "dark";

const system = matchMedia("(prefers-color-scheme: dark)");

function current(): Theme {
  const chosen = document.documentElement.dataset["theme"];
  if (chosen === "light" || chosen === "dark") return chosen;
  return system.matches ? "dark" : "light";
}

/** What is shown now. */
export const theme = signal<Theme>(current());

system.addEventListener("change", () => {
  theme.value = current();
});

/** The other one, remembered. */
export function toggleTheme() {
  const next: Theme = theme.value === "dark" ? "light" : "dark";
  document.documentElement.dataset["theme"] = next;
  theme.value = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Storage is forbidden: it holds until the page is left.
  }
}
