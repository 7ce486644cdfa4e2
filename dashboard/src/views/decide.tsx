// The dialog that decides: the choice is made, a note can be added, Enter confirms.

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";

import { characters } from "../format/text";
import { count, scoreExact } from "../format/number";
import { session as date } from "../format/time";
import { CHOICES, SUGGESTIONS } from "../format/words";
import { Dialog } from "../parts/dialog";
import { due } from "../store/data";
import { freshness } from "../store/fresh";
import { FreshTag, SuggestionTag } from "../parts/tags";
import { now } from "../store/clock";
import { decide, whoDecided } from "../store/decisions";
import { row, version } from "../store/list";
import { open } from "../store/ui";
import type { Signal, Suggestion } from "../types";

/** Characters that a note may have. */
const NOTE = 2_000;
/** From here on the counter is shown at all times. */
const NEAR = 1_800;

function close() {
  open.value = null;
}

/** Decides on the signal that was looked at when the dialog opened; a newer one is pointed out. */
export function DecideDialog({ symbol, choice }: { symbol: string; choice: Suggestion }) {
  void version.value;
  const current = row(symbol)?.signal;
  const looked = useSignal<Signal | undefined>(current);
  const status = useSignal(choice);
  const note = useSignal("");
  const field = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => field.current?.focus(), []);

  const signal = looked.value;
  if (signal === undefined || current === undefined) return null;
  const used = characters(note.value);
  const over = used > NOTE;
  const newer = current.id !== signal.id;
  const told = freshness(signal, due.value);
  const taken = newer ? null : whoDecided(current, now.value);
  const blocked = over || newer || taken !== null;
  const confirm = () => {
    if (blocked) return;
    close();
    void decide(signal, status.value, note.value.trim());
  };
  return (
    <Dialog label={`Decide on ${symbol}`} class="decide" onClose={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          confirm();
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.repeat) return;
          // A button's own Enter stays its own.
          if (event.target instanceof HTMLButtonElement) return;
          event.preventDefault();
          confirm();
        }}
      >
        <header>
          <h2>{symbol}</h2>
          <p class="quiet">
            {date(signal.ts)}
            {signal.revision > 1 && `, revision ${signal.revision}`}
          </p>
          <p class="suggests">
            <span class="quiet">Trust</span>
            <b class="num">{scoreExact(signal.combined_trust)}</b>
            <span class="quiet">suggests</span>
            <SuggestionTag value={signal.recommendation.suggested} />
          </p>
        </header>
        <p class="logic">{signal.recommendation.logic}</p>
        {told !== null && (
          <p class="freshness small">
            <FreshTag signal={signal} /> {told}
          </p>
        )}
        <div role="radiogroup" aria-label="Decision" class="choices">
          {SUGGESTIONS.map((value) => (
            <label key={value} class={`choice ${CHOICES[value].tone}`}>
              <input
                type="radio"
                name="decision"
                value={value}
                checked={status.value === value}
                onChange={() => {
                  status.value = value;
                }}
              />
              <span class="glyph" aria-hidden="true">
                {CHOICES[value].glyph}
              </span>
              {CHOICES[value].word}
            </label>
          ))}
        </div>
        <label class="field">
          <span>
            Note <span class="quiet">optional, seen by everyone</span>
          </span>
          <textarea
            ref={field}
            rows={3}
            dir="auto"
            value={note.value}
            aria-invalid={over}
            aria-describedby="note-count"
            onInput={(event) => {
              note.value = event.currentTarget.value;
            }}
          />
        </label>
        <p
          id="note-count"
          class={`counter num ${over ? "over" : ""}`}
          aria-live={used >= NEAR ? "polite" : "off"}
        >
          {over
            ? `${count(used - NOTE)} characters too many`
            : `${count(used)} of ${count(NOTE)} characters`}
        </p>
        {newer && (
          <div class="warn" role="alert">
            <p>
              A newer signal of {symbol} came: {date(current.ts)}, revision {current.revision},
              trust {scoreExact(current.combined_trust)}, suggests{" "}
              {current.recommendation.suggested}.
            </p>
            <button
              type="button"
              class="plain"
              onClick={() => {
                looked.value = current;
                field.current?.focus();
              }}
            >
              Decide on the newer one
            </button>
          </div>
        )}
        {taken !== null && (
          <div class="warn" role="alert">
            <p>
              <bdi>{taken}</bdi> Nothing is left to decide on this signal.
            </p>
          </div>
        )}
        <footer>
          <button type="button" class="plain" onClick={close}>
            Cancel <kbd aria-hidden="true">Esc</kbd>
          </button>
          <button type="submit" class="primary" disabled={blocked}>
            Decide {status.value} <kbd aria-hidden="true">↵</kbd>
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
