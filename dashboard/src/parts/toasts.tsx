// Messages in the corner. The region is there from the start, so that a screen reader hears what
// enters it, politely and once.

import { selected, select } from "../store/list";
import { dismiss, toasts } from "../store/toasts";
import { UserText } from "./text";

const GLYPHS = { news: "●", good: "✓", bad: "!" };

export function Toasts() {
  return (
    <section class="toasts" aria-label="Messages">
      <div role="status" aria-live="polite" aria-relevant="additions" data-testid="toasts">
        {toasts.value.map(({ id, tone, text, note, symbol }) => (
          <div key={id} class={`toast ${tone}`}>
            <span class="glyph" aria-hidden="true">
              {GLYPHS[tone]}
            </span>
            <div class="toast-text">
              <p>
                <bdi>{text}</bdi>
              </p>
              {note !== null && (
                <p class="toast-note">
                  <UserText text={note} />
                </p>
              )}
            </div>
            {symbol !== null && symbol !== selected.value && (
              <button
                type="button"
                class="link"
                onClick={() => {
                  select(symbol, { step: true });
                  dismiss(id);
                }}
              >
                Show<span class="sr"> {symbol}</span>
              </button>
            )}
            <button type="button" class="icon" aria-label="Dismiss" onClick={() => dismiss(id)}>
              ×
            </button>
          </div>
        ))}
      </div>
    </section>
  );
}
