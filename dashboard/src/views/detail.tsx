// The chosen symbol: decide, chart, reasons, components, history.

import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";

import { scoreExact } from "../format/number";
import { parse, session as date, stamp } from "../format/time";
import { CHOICES, SUGGESTIONS } from "../format/words";
import { PriceChart } from "../parts/price-chart";
import { Failed, Lines, Notice } from "../parts/states";
import { FreshTag, StatusTag, SuggestionTag } from "../parts/tags";
import { go } from "../route";
import { mayDecide, session } from "../session";
import { mine, waiting } from "../store/decisions";
import { detail, openDetail, waitToOpen, type Detail } from "../store/detail";
import { listState } from "../store/desk";
import { due } from "../store/data";
import { anchorOf } from "../store/explain";
import { freshness } from "../store/fresh";
import { row, selected, total, version } from "../store/list";
import { needs, needsSentence } from "../store/needs";
import { narrow } from "../store/ui";
import type { Signal } from "../types";
import { Components } from "./components";
import { openDecision } from "./list";
import { Reasons } from "./reasons";
import { DecisionLine, Revisions } from "./revisions";

/** Why the buttons are disabled; null if they are not. */
function whyNot(signal: Signal): string | null {
  if (!mayDecide.value)
    return `Your role, ${session.value?.role ?? "none"}, may look but not decide.`;
  if (mine.value.has(signal.symbol)) return "Your decision is on its way.";
  return null;
}

function Decide({ signal }: { signal: Signal }) {
  if (signal.approval !== null) return <DecisionLine approval={signal.approval} />;
  if (!signal.awaiting_approval) return <p class="quiet">A newer signal took its place.</p>;
  const reason = whyNot(signal);
  return (
    <div class="decide-bar" role="group" aria-label="Decide">
      {SUGGESTIONS.map((choice) => {
        const { glyph, word, key, tone } = CHOICES[choice];
        return (
          <button
            key={choice}
            type="button"
            class={`act ${tone}`}
            disabled={reason !== null}
            aria-keyshortcuts={key}
            aria-describedby={reason === null ? undefined : "why-not"}
            onClick={() => openDecision(signal.symbol, choice)}
          >
            <span class="glyph" aria-hidden="true">
              {glyph}
            </span>
            {word}
            <kbd aria-hidden="true">{key}</kbd>
          </button>
        );
      })}
      {reason !== null && (
        <p id="why-not" class="quiet small">
          {reason}
        </p>
      )}
    </div>
  );
}

function Head({ signal }: { signal: Signal }) {
  const told = freshness(signal, due.value);
  return (
    <header class="detail-head">
      <div class="title">
        <h2>{signal.symbol}</h2>
        <StatusTag signal={signal} mine={mine.value.get(signal.symbol)} queued={waiting.value} />
      </div>
      <dl class="facts">
        <div>
          <dt>Trust</dt>
          <dd class="num">{scoreExact(signal.combined_trust)}</dd>
        </div>
        <div>
          <dt>Suggests</dt>
          <dd>
            <SuggestionTag value={signal.recommendation.suggested} />
          </dd>
        </div>
        <div>
          <dt>Session</dt>
          <dd>
            <span title={`Computed ${stamp(parse(signal.computed_at))}`}>{date(signal.ts)}</span>
            {signal.revision > 1 && <span class="quiet"> r{signal.revision}</span>}
          </dd>
        </div>
      </dl>
      <Decide signal={signal} />
      {told !== null && (
        <p class="freshness small">
          <FreshTag signal={signal} /> {told}
        </p>
      )}
    </header>
  );
}

const TABS = ["Reasons", "Components", "History"] as const;

function Columns({ known }: { known: Detail }) {
  const tab = useSignal<(typeof TABS)[number]>("Reasons");
  const tabs = useSignal(false);
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = ref.current;
    if (element === null) return;
    const measure = new ResizeObserver(() => {
      tabs.value = element.clientWidth < 660;
    });
    measure.observe(element);
    return () => measure.disconnect();
  }, []);
  const { signal, history, approvals } = known;
  // What is neither there nor on its way is not promised by a skeleton.
  const none = known.failure === null ? null : <p class="quiet">Not loaded.</p>;
  const content = {
    Reasons:
      signal === null ? (
        (none ?? <Lines widths={[50, 95, 80, 60, 90]} />)
      ) : (
        <Reasons signal={signal} />
      ),
    Components:
      signal === null ? (
        (none ?? <Lines widths={[90, 90, 90, 90, 90]} />)
      ) : (
        <Components signal={signal} />
      ),
    History:
      history === null ? (
        (none ?? <Lines widths={[70, 90, 50, 80, 60]} />)
      ) : (
        <Revisions symbol={known.symbol} history={history} approvals={approvals ?? []} />
      ),
  };
  if (!tabs.value)
    return (
      <div class="columns" ref={ref}>
        {TABS.map((name) => (
          <section key={name} aria-label={name}>
            <h3>{name}</h3>
            {content[name]}
          </section>
        ))}
      </div>
    );
  const step = (by: number) => {
    const at = (TABS.indexOf(tab.value) + by + TABS.length) % TABS.length;
    tab.value = TABS[at] ?? "Reasons";
    document.getElementById(`tab-${tab.value}`)?.focus();
  };
  return (
    <div class="columns tabbed" ref={ref}>
      <div
        role="tablist"
        aria-label="About this signal"
        class="tabs"
        onKeyDown={(event) => {
          if (event.key === "ArrowRight") step(1);
          else if (event.key === "ArrowLeft") step(-1);
          else return;
          event.preventDefault();
        }}
      >
        {TABS.map((name) => (
          <button
            key={name}
            id={`tab-${name}`}
            type="button"
            role="tab"
            aria-selected={tab.value === name}
            aria-controls="tab-panel"
            tabIndex={tab.value === name ? 0 : -1}
            onClick={() => {
              tab.value = name;
            }}
          >
            {name}
          </button>
        ))}
      </div>
      <div id="tab-panel" role="tabpanel" aria-labelledby={`tab-${tab.value}`}>
        <h3 class="sr">{tab.value}</h3>
        {content[tab.value]}
      </div>
    </div>
  );
}

function Loading({ label }: { label: string }) {
  return (
    <div class="detail-loading" role="status" aria-label={`${label} loading`}>
      <Lines widths={[26, 48]} />
      <div class="bone chart-bone" aria-hidden="true" />
      <div class="columns" aria-hidden="true">
        <Lines widths={[60, 85, 75, 80, 50]} />
        <Lines widths={[85, 85, 85, 85, 85]} />
        <Lines widths={[60, 85, 50, 75]} />
      </div>
    </div>
  );
}

function Unknown({ known, symbol }: { known: Detail; symbol: string }) {
  const { failure } = known;
  const retry = () => void openDetail(symbol);
  if (failure === null) return <Loading label={`${symbol} is`} />;
  if (failure.kind === "problem" && failure.slug === "insufficient-history") {
    const lack = needs(failure.missing);
    const bars = lack.have !== null && lack.need !== null;
    return (
      <div class="no-score">
        <h2>{symbol}</h2>
        <Notice title={needsSentence(lack)} action={{ label: "Look again", run: retry }}>
          {bars && (
            <progress
              aria-label="Bars held of bars needed"
              max={lack.need ?? 1}
              value={lack.have ?? 0}
            />
          )}
          {lack.reasons.map((reason) => (
            <p key={reason}>{reason}</p>
          ))}
          <pre>signalroom import {symbol} bars.csv</pre>
        </Notice>
      </div>
    );
  }
  if (failure.kind === "problem" && ["not-found", "no-signal"].includes(failure.slug))
    return (
      <div class="no-score">
        <h2>{symbol}</h2>
        <Notice title={failure.detail} action={{ label: "Look again", run: retry }}>
          <p>Send daily bars of it, then run the computation:</p>
          <pre>
            signalroom import {symbol} bars.csv{"\n"}signalroom cron
          </pre>
        </Notice>
      </div>
    );
  return <Failed what={symbol} failure={failure} retry={retry} />;
}

/** The pane with the chosen symbol; below 720 px a sheet over the list. */
export function DetailPane() {
  const symbol = selected.value;
  // Only this row's news draw the pane anew, not every frame in which some row changed.
  const current = useComputed(() => {
    void version.value;
    const chosen = selected.value;
    return chosen === null ? undefined : row(chosen)?.signal;
  }).value;
  const key = current === undefined ? "" : `${current.id} ${current.status}`;
  useEffect(() => {
    const timer = setTimeout(() => void openDetail(symbol), waitToOpen(symbol));
    return () => clearTimeout(timer);
  }, [symbol, key]);
  const pane = useRef<HTMLElement>(null);
  const sheet = narrow.value && symbol !== null;
  useEffect(() => {
    // A sheet that opens over the list takes the focus from it.
    if (sheet) pane.current?.focus();
  }, [sheet]);
  const known = detail.value;
  const explained = known?.symbol === symbol ? known.signal : null;
  const anchor = useMemo(
    () => (explained === null ? null : anchorOf(explained.explain)),
    [explained],
  );
  if (symbol === null) {
    if (narrow.value) return null;
    if (listState.value.state === "loading") return <Loading label="The signals are" />;
    return (
      <section class="detail-pane empty" aria-label="Signal">
        {total.value > 0 && (
          <Notice title="Choose a signal.">
            <p>
              <kbd>j</kbd> and <kbd>k</kbd> move through the list.
            </p>
          </Notice>
        )}
      </section>
    );
  }
  // The list is the newest there is; what was loaded for the detail may be a moment older.
  const signal = current ?? explained ?? undefined;
  return (
    <section
      ref={pane}
      class="detail-pane"
      aria-label={`Signal ${symbol}`}
      data-testid="detail"
      tabIndex={-1}
    >
      {narrow.value && (
        <button
          type="button"
          class="back link"
          onClick={() => go({ view: "signals" }, { replace: true })}
        >
          ← All signals
        </button>
      )}
      {signal === undefined || known === null || known.symbol !== symbol ? (
        known !== null && known.symbol === symbol && <Unknown known={known} symbol={symbol} />
      ) : (
        <>
          <Head signal={signal} />
          {known.failure !== null && (
            <p class="warn" role="alert">
              {explained === null
                ? "The details could not be loaded."
                : "The details could not be loaded again; they may be old."}
              <button type="button" class="link" onClick={() => void openDetail(symbol)}>
                Try again
              </button>
            </p>
          )}
          <PriceChart symbol={symbol} ts={signal.ts} anchor={anchor} />
          <Columns known={known} />
        </>
      )}
    </section>
  );
}
