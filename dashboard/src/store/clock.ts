// The present, for ages and countdowns: ticks once a second, and not while nobody sees the page.

import { signal } from "@preact/signals";

/** Milliseconds since 1970, at most a second old while the page is visible. */
export const now = signal(Date.now());

const tick = () => {
  now.value = Date.now();
};

let timer: ReturnType<typeof setInterval> | null = null;

function follow() {
  if (timer !== null) clearInterval(timer);
  timer = null;
  if (document.hidden) return;
  tick();
  timer = setInterval(tick, 1_000);
}

document.addEventListener("visibilitychange", follow);
follow();
