// A change flashes its cell once.

import type { ComponentChildren } from "preact";

/** As long as the style's animation, milliseconds. */
export const FLASH_MS = 600;

/** `at`: when the content last changed; only a change that has just happened flashes. */
export function Flash({
  at,
  class: name = "",
  children,
}: {
  at: number | undefined;
  class?: string;
  children: ComponentChildren;
}) {
  const fresh = at !== undefined && Date.now() - at < FLASH_MS;
  // A new key is a new element, whose animation runs once from its start.
  return (
    <span key={at ?? 0} class={`${name} ${fresh ? "flash" : ""}`}>
      {children}
    </span>
  );
}
