// A note as it was written, cut to a few lines until the reader asks for all of it.

import { useSignal } from "@preact/signals";

import { UserText } from "./text";

/** Longer notes, or those of more lines, are cut. */
const LONG = 440;
const LINES = 4;

/** Text of at most 2,000 characters, in its own lines. */
export function Note({ text }: { text: string }) {
  const open = useSignal(false);
  const long = text.length > LONG || text.split("\n").length > LINES;
  return (
    <div class="note">
      <p class={long && !open.value ? "cut" : ""}>
        <UserText text={text} />
      </p>
      {long && (
        <button
          type="button"
          class="link small"
          aria-expanded={open.value}
          onClick={() => {
            open.value = !open.value;
          }}
        >
          {open.value ? "Show less" : "Show all"}
        </button>
      )}
    </div>
  );
}
