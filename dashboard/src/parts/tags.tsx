// A suggestion, a decision, a status: glyph, word and colour together.

import { CHOICES, statusWord } from "../format/words";
import { isStale } from "../store/fresh";
import { due } from "../store/data";
import type { Pending } from "../store/decisions";
import type { Signal, Suggestion } from "../types";

/** ▲ BUY */
export function SuggestionTag({ value }: { value: Suggestion }) {
  const { glyph, word, tone } = CHOICES[value];
  return (
    <span class={`tag ${tone}`}>
      <span class="glyph" aria-hidden="true">
        {glyph}
      </span>
      {word}
    </span>
  );
}

/** "provisional", "stale": nothing where neither is so. */
export function FreshTag({ signal }: { signal: Signal }) {
  const stale = isStale(signal, due.value);
  if (stale)
    return (
      <span class="fresh stale" title="A newer session's data are due and missing">
        stale
      </span>
    );
  if (signal.provisional)
    return (
      <span class="fresh" title="Its session has not ended: the daily run confirms it">
        provisional
      </span>
    );
  return null;
}

/** ◌ Pending, ▲ BUY decided, or what the reader has just decided and the server not yet. */
export function StatusTag({
  signal,
  mine,
  queued,
  brief = false,
}: {
  signal: Signal;
  mine: Pending | undefined;
  queued: boolean;
  /** Where there is room for one word. */
  brief?: boolean;
}) {
  if (mine !== undefined && mine.signalId === signal.id && signal.approval === null) {
    return (
      <span class="tag sending">
        <span class="glyph" aria-hidden="true">
          {queued ? "◷" : "◔"}
        </span>
        {brief ? (
          <span title={CHOICES[mine.status].word}>{queued ? "Queued" : "Sending"}</span>
        ) : (
          <>
            {CHOICES[mine.status].word}
            <span class="quiet">{queued ? "queued" : "sending"}</span>
          </>
        )}
      </span>
    );
  }
  const { word, decided } = statusWord(signal.status);
  const { glyph, tone } =
    decided === null
      ? {
          glyph: signal.status === "SUPERSEDED" ? "◇" : "◌",
          tone: signal.status === "SUPERSEDED" ? "past" : "pending",
        }
      : CHOICES[decided];
  return (
    <span class={`tag status ${tone}`}>
      <span class="glyph" aria-hidden="true">
        {glyph}
      </span>
      {decided === null ? (
        word
      ) : (
        <>
          <span class="sr">Decided </span>
          {word}
        </>
      )}
    </span>
  );
}
