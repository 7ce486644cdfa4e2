// The list: one row per symbol, only those in view in the document, and still while it is read.

import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import { count } from "../format/number";
import { SUGGESTIONS, CHOICES } from "../format/words";
import { go, isSymbol } from "../route";
import { Failed, Notice } from "../parts/states";
import { ROW_HEIGHT, SignalRow } from "../parts/row";
import { searchTerm, type SortKey } from "../store/arrange";
import { mine, waiting } from "../store/decisions";
import { listState, loadList } from "../store/desk";
import { announcement } from "../store/hold";
import {
  filter,
  filterBy,
  held,
  pending,
  reading,
  row,
  select,
  selected,
  showNew,
  sort,
  sortBy,
  total,
  version,
} from "../store/list";
import { narrow, open } from "../store/ui";

const COLUMNS: readonly { key: SortKey | null; name: string; label: string; title: string }[] = [
  { key: "symbol", name: "symbol", label: "Symbol", title: "" },
  { key: "trust", name: "trust", label: "Trust", title: "Geometric mean of both scores, 0 to 1" },
  {
    key: "scores",
    name: "scores",
    label: "Unslug, F&G",
    title: "Unslug: nearness to the crisis low. F&G: 0 is fear, 1 is greed",
  },
  { key: "suggestion", name: "suggestion", label: "Suggests", title: "What the scores suggest" },
  { key: "status", name: "status", label: "Decision", title: "What the desk decided" },
  { key: null, name: "spark", label: "30 days", title: "Closes of 30 sessions" },
  { key: "age", name: "age", label: "Age", title: "Since it was computed" },
];

/** Rows beyond the edges of the window, so that scrolling meets no blank. */
const SPARE = 8;
/** More than rows can be in view: a row that leaves gives its elements to the one that enters. */
const SLOTS = 128;

function Head() {
  const { key: by, descending } = sort.value;
  return (
    <div role="row" class="head cols" aria-rowindex={1}>
      {COLUMNS.map(({ key, name, label, title }) => (
        <div
          key={name}
          role="columnheader"
          class={`c-${name}`}
          aria-sort={key === by ? (descending ? "descending" : "ascending") : undefined}
          title={title === "" ? undefined : title}
        >
          {key === null ? (
            label
          ) : (
            <button type="button" onClick={() => sortBy(key)}>
              {label}
              <span class="arrow" aria-hidden="true">
                {key === by ? (descending ? "↓" : "↑") : ""}
              </span>
            </button>
          )}
        </div>
      ))}
    </div>
  );
}

function Tools() {
  const { status, suggestion, search: term } = filter.value;
  return (
    <div class="tools">
      <div class="search">
        <input
          id="search"
          type="search"
          placeholder="Search"
          aria-label="Search symbols"
          aria-keyshortcuts="/"
          autocomplete="off"
          spellcheck={false}
          maxLength={15}
          value={term}
          onInput={(event) => filterBy({ search: searchTerm(event.currentTarget.value) })}
          onKeyDown={(event) => {
            if (event.key === "Escape") {
              if (term === "") event.currentTarget.blur();
              else filterBy({ search: "" });
              event.stopPropagation();
            } else if (event.key === "Enter") {
              const first = held.peek().shown[0];
              if (first !== undefined) select(first, { step: narrow.peek() });
              else if (isSymbol(term)) go({ view: "signals", symbol: term });
              event.stopPropagation();
              document.getElementById("signals")?.focus();
            }
          }}
        />
        <kbd aria-hidden="true">/</kbd>
      </div>
      <label>
        <span class="sr">Filter by decision</span>
        <select
          value={status ?? ""}
          onChange={(event) => {
            const { value } = event.currentTarget;
            filterBy({ status: value === "pending" || value === "decided" ? value : null });
          }}
        >
          <option value="">Decision</option>
          <option value="pending">◌ Pending</option>
          <option value="decided">✓ Decided</option>
        </select>
      </label>
      <label>
        <span class="sr">Filter by suggestion</span>
        <select
          value={suggestion ?? ""}
          onChange={(event) => {
            const { value } = event.currentTarget;
            filterBy({ suggestion: SUGGESTIONS.find((known) => known === value) ?? null });
          }}
        >
          <option value="">Suggestion</option>
          {SUGGESTIONS.map((value) => (
            <option key={value} value={value}>
              {CHOICES[value].glyph} {CHOICES[value].word}
            </option>
          ))}
        </select>
      </label>
      <span class="count" data-testid="count">
        {total.value > 0 && (
          <>
            {count(pending.value)} pending<span class="of"> of {count(total.value)}</span>
          </>
        )}
      </span>
    </div>
  );
}

function Nothing() {
  const { search } = filter.value;
  const state = listState.value;
  if (state.state === "failed" && total.value === 0)
    return <Failed what="The signals" failure={state.failure} retry={() => void loadList()} />;
  if (total.value === 0)
    return (
      <Notice title="No signals yet.">
        <p>Send daily bars of a symbol, then run the computation:</p>
        <pre>signalroom import AAPL aapl.csv{"\n"}signalroom cron</pre>
        <p>The signal appears here by itself.</p>
      </Notice>
    );
  return (
    <Notice
      title={search === "" ? "No signal passes the filter." : `No signal of ${search}.`}
      action={{
        label: "Clear the filter",
        run: () => filterBy({ search: "", status: null, suggestion: null }),
      }}
    >
      {isSymbol(search) && (
        <button type="button" class="link" onClick={() => go({ view: "signals", symbol: search })}>
          Ask what the desk knows of {search}
        </button>
      )}
    </Notice>
  );
}

function Skeleton() {
  return (
    <div class="skeleton" aria-hidden="true">
      {Array.from({ length: 24 }, (_, at) => (
        <div key={at} class="row cols">
          {COLUMNS.map(({ name }) => (
            <div key={name} class={`c-${name}`}>
              <span class="bone" />
            </div>
          ))}
        </div>
      ))}
    </div>
  );
}

/** The pane with the list of signals. */
export function ListPane() {
  const scroller = useRef<HTMLDivElement>(null);
  const grid = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(800);
  const pointer = useRef(false);
  const focus = useRef(false);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const measure = new ResizeObserver(() => {
      height.value = element.clientHeight;
    });
    measure.observe(element);
    return () => measure.disconnect();
  }, []);

  const chosen = selected.value;
  const { shown } = held.value;
  // Keys move the selection: it stays in view. A row picked by hand is there already.
  useEffect(() => {
    const element = scroller.current;
    const at = chosen === null ? -1 : held.peek().shown.indexOf(chosen);
    if (element === null || at === -1) return;
    const above = at * ROW_HEIGHT;
    const head = ROW_HEIGHT;
    if (above < element.scrollTop) element.scrollTop = above;
    else if (above + ROW_HEIGHT + head > element.scrollTop + element.clientHeight)
      element.scrollTop = above + ROW_HEIGHT + head - element.clientHeight;
  }, [chosen]);

  const look = () => {
    reading.value = pointer.current || focus.current;
  };
  useEffect(
    () => () => {
      reading.value = false;
    },
    [],
  );

  void version.value;
  const first = Math.max(0, Math.floor(top.value / ROW_HEIGHT) - SPARE);
  const last = Math.min(shown.length, Math.ceil((top.value + height.value) / ROW_HEIGHT) + SPARE);
  const news = announcement(held.value);
  const loading = listState.value.state === "loading" && total.value === 0;
  const inView = chosen !== null && shown.slice(first, last).includes(chosen);
  return (
    <section class="list-pane" aria-label="Signals">
      <Tools />
      <div
        class="list"
        onPointerEnter={(event) => {
          // A finger does not hover: it reads only while the list has the focus.
          pointer.current = event.pointerType !== "touch";
          look();
        }}
        onPointerLeave={() => {
          pointer.current = false;
          look();
        }}
      >
        <p class="sr" role="status">
          {news !== null && "New signals wait at the top of the list."}
        </p>
        <div class="arrivals">
          {news !== null && (
            <button type="button" onClick={showNew} aria-keyshortcuts=".">
              {news} <span aria-hidden="true">—</span> show
            </button>
          )}
        </div>
        <div
          class="scroller"
          ref={scroller}
          onScroll={(event) => {
            top.value = event.currentTarget.scrollTop;
          }}
        >
          <div
            ref={grid}
            id="signals"
            role="grid"
            aria-label="Signals"
            aria-rowcount={shown.length + 1}
            aria-colcount={COLUMNS.length}
            aria-busy={loading}
            aria-activedescendant={inView ? `row-${chosen}` : undefined}
            tabIndex={0}
            onFocus={() => {
              focus.current = true;
              look();
            }}
            onBlur={() => {
              focus.current = false;
              look();
            }}
          >
            <Head />
            {shown.length > 0 && (
              <div
                role="rowgroup"
                class="rows"
                style={{ height: `${shown.length * ROW_HEIGHT}px` }}
              >
                {shown.slice(first, last).map((symbol, at) => {
                  const found = row(symbol);
                  return (
                    found !== undefined && (
                      <SignalRow
                        key={(first + at) % SLOTS}
                        row={found}
                        index={first + at}
                        selected={symbol === chosen}
                        mine={mine.value.get(symbol)}
                        queued={waiting.value}
                        onPick={(picked) => select(picked, { step: narrow.peek() })}
                      />
                    )
                  );
                })}
              </div>
            )}
          </div>
          {loading && <Skeleton />}
          {!loading && shown.length === 0 && <Nothing />}
        </div>
      </div>
    </section>
  );
}

/** Opens the dialog that decides on a symbol, if its signal waits for that. */
export function openDecision(symbol: string, choice: "BUY" | "NEUTRAL" | "RISK") {
  if (row(symbol)?.signal.awaiting_approval === true && !mine.peek().has(symbol))
    open.value = { dialog: "decide", symbol, choice };
}
