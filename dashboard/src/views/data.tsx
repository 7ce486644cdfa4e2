// The desk's data: what is held of each symbol, how old it is and how it comes; the watchlist; and
// past runs. The roles of the table are named, because on a narrow screen its rows are laid out as a
// grid, which takes them from it.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { plural } from "../format/number";
import { ago, ahead, length, parse, session as date, stamp } from "../format/time";
import { Failed, Notice, Outdated } from "../parts/states";
import { href } from "../route";
import { mayWatch } from "../session";
import { now } from "../store/clock";
import { due, loadData, source, symbols, watchData } from "../store/data";
import { narrowed, needsAttention, type SupplyFilter } from "../store/runs";
import type { SymbolSupply } from "../types";
import { Runs } from "./runs";
import { AddForm, ChangeDialog, type Change } from "./watchlist";

/** Rows shown at first, and how many more each time. */
const STEP = 200;

function Next({ it }: { it: SymbolSupply }) {
  const at = parse(it.next_fetch_at);
  if (at === null) return <span class="quiet">none</span>;
  return (
    <span title={stamp(at)}>{at <= now.value ? "due now" : `in ${ahead(at - now.value)}`}</span>
  );
}

function Line({ it, remove }: { it: SymbolSupply; remove: (() => void) | null }) {
  const fetched = parse(it.fetched_at);
  return (
    <tr role="row" data-testid={`data-${it.symbol}`}>
      <th role="rowheader" scope="row" class="of-symbol">
        <a href={href({ view: "signals", symbol: it.symbol })}>{it.symbol}</a>
        {!it.watched && <span class="fresh">not watched</span>}
      </th>
      <td role="cell" class="of-bar">
        {it.last_bar === null ? <span class="quiet">no bars</span> : date(it.last_bar)}
        {it.stale ? (
          <span class="fresh stale" title={`The bar of ${date(it.due)} is due and missing`}>
            stale
          </span>
        ) : (
          it.provisional && (
            <span class="fresh" title="Its session has not ended">
              provisional
            </span>
          )
        )}
      </td>
      <td role="cell" class="of-age num" title="Since the newest bar was final">
        {it.data_age === null ? "" : it.provisional ? "now" : length(it.data_age * 1_000)}
      </td>
      <td role="cell" class="of-provider" title={fetched === null ? "" : stamp(fetched)}>
        {it.provider !== null && (
          <>
            {it.provider} <span class="quiet">{ago(fetched, now.value)}</span>
          </>
        )}
      </td>
      <td role="cell" class="of-next">
        <Next it={it} />
      </td>
      <td role="cell" class="of-missing">
        {it.missing_from === null ? (
          ""
        ) : (
          <span title="The earliest session that is not held">{date(it.missing_from)}</span>
        )}
      </td>
      <td role="cell" class="of-error">
        {it.error !== null && (
          <>
            {it.failures > 1 && `${plural(it.failures, "try", "tries")} in a row. `}
            <bdi>{it.error}</bdi>
          </>
        )}
      </td>
      <td role="cell" class="of-remove">
        {remove !== null && it.watched && (
          <button
            type="button"
            class="icon"
            aria-label={`Remove ${it.symbol} from the watchlist`}
            title="Remove from the watchlist"
            onClick={remove}
          >
            ×
          </button>
        )}
      </td>
    </tr>
  );
}

const COLUMNS = [
  ["Symbol", ""],
  ["Last bar", ""],
  ["Age", "num"],
  ["Provider", ""],
  ["Next fetch", ""],
  ["Missing from", ""],
  ["Last error", ""],
] as const;

function Table({ shown, ask }: { shown: readonly SymbolSupply[]; ask: (it: Change) => void }) {
  const most = useSignal(STEP);
  return (
    <>
      <table role="table" class="supply">
        <thead role="rowgroup">
          <tr role="row">
            {COLUMNS.map(([label, tone]) => (
              <th key={label} role="columnheader" scope="col" class={tone}>
                {label}
              </th>
            ))}
            <th role="columnheader" scope="col">
              <span class="sr">Remove</span>
            </th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          {shown.slice(0, most.value).map((it) => (
            <Line
              key={it.symbol}
              it={it}
              remove={mayWatch.value ? () => ask({ do: "remove", symbol: it.symbol }) : null}
            />
          ))}
        </tbody>
      </table>
      {shown.length > most.value && (
        <button
          type="button"
          class="plain older"
          onClick={() => {
            most.value += STEP;
          }}
        >
          {plural(shown.length - most.value, "more symbol")}
        </button>
      )}
    </>
  );
}

function Summary({ all }: { all: readonly SymbolSupply[] }) {
  const watched = all.filter((it) => it.watched);
  const stale = watched.filter((it) => it.stale).length;
  const failing = watched.filter((it) => it.error !== null).length;
  return (
    <p class="summary" data-testid="data-summary">
      {plural(watched.length, "symbol")} watched
      {source.value === "config" ? " (as configured)" : ""}.{" "}
      {due.value !== null && `Due: ${date(due.value)}. `}
      {stale === 0 && failing === 0 ? (
        "All data are there."
      ) : (
        <b>
          {stale} stale, {failing} failing.
        </b>
      )}
    </p>
  );
}

function Bones() {
  return (
    <table class="supply" aria-hidden="true">
      <tbody>
        {Array.from({ length: 8 }, (_, at) => (
          <tr key={at}>
            {COLUMNS.map(([label]) => (
              <td key={label}>
                <span class="bone" />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The view. */
export function DataView() {
  const filter = useSignal<SupplyFilter>({ search: "", only: "" });
  const asking = useSignal<Change | null>(null);
  useEffect(watchData, []);
  const { items, failure } = symbols.value;
  const shown = items === null ? [] : narrowed(items, filter.value);
  const ask = (change: Change) => {
    asking.value = change;
  };
  return (
    <main class="view data-view" aria-label="Data">
      <div class="data-page">
        <h1 class="sr">Data</h1>
        <section class="supplies" aria-label="Symbols">
          <header>
            <h2>Symbols</h2>
            {items !== null && <Summary all={items} />}
          </header>
          <div class="tools">
            <label>
              <span class="above">Search</span>
              <input
                id="search"
                type="search"
                size={10}
                maxLength={15}
                autocomplete="off"
                spellcheck={false}
                value={filter.value.search}
                onInput={(event) => {
                  filter.value = { ...filter.value, search: event.currentTarget.value };
                }}
              />
            </label>
            <label>
              <span class="above">Show</span>
              <select
                value={filter.value.only}
                onChange={(event) => {
                  const only = event.currentTarget.value as SupplyFilter["only"];
                  filter.value = { ...filter.value, only };
                }}
              >
                <option value="">All symbols</option>
                <option value="watched">The watchlist</option>
                <option value="attention">
                  Stale or failing{items !== null && ` (${items.filter(needsAttention).length})`}
                </option>
              </select>
            </label>
            <span class="space" />
            {mayWatch.value && (
              <>
                <AddForm ask={ask} />
                {source.value === "desk" && (
                  <button type="button" class="plain" onClick={() => ask({ do: "reset" })}>
                    Back to the configured list…
                  </button>
                )}
              </>
            )}
          </div>
          {failure !== null &&
            (items === null ? (
              <Failed what="The symbols" failure={failure} retry={() => void loadData()} />
            ) : (
              <Outdated failure={failure} retry={() => void loadData()} />
            ))}
          {items === null ? (
            failure === null && (
              <div role="status" aria-label="The symbols are loading">
                <Bones />
              </div>
            )
          ) : shown.length > 0 ? (
            <div class="table-scroller" tabIndex={0} role="region" aria-label="Data of symbols">
              <Table shown={shown} ask={ask} />
            </div>
          ) : items.length === 0 ? (
            <Notice title="No symbol is watched.">
              <p>Name some in WATCHLIST, or, as an admin, add them here.</p>
            </Notice>
          ) : (
            <Notice
              title="No symbol passes the filter."
              action={{
                label: "Show all",
                run: () => {
                  filter.value = { search: "", only: "" };
                },
              }}
            />
          )}
        </section>
        <Runs />
      </div>
      {asking.value !== null && (
        <ChangeDialog
          change={asking.value}
          onClose={() => {
            asking.value = null;
          }}
        />
      )}
    </main>
  );
}
