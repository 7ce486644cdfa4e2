// Past runs: when, how long, what they did; opened, what became of each symbol and series.

import { useSignal } from "@preact/signals";

import { count, fixed, plural } from "../format/number";
import { age, length, parse, stamp } from "../format/time";
import { Failed, Lines, Notice, Outdated } from "../parts/states";
import { now } from "../store/clock";
import { loadData, moreRuns, olderRuns, runs } from "../store/data";
import { didWords, failedFirst, hasFailed, isIdle } from "../store/runs";
import type { RunReport, SeriesOutcome, SymbolOutcome } from "../types";

/** Lines of an opened run shown at first. */
const FIRST = 100;

/** A run without an end after this long has died, milliseconds. */
const DEAD_MS = 15 * 60_000;

const OUTCOMES: Record<SymbolOutcome["outcome"], string> = {
  new: "New",
  unchanged: "Unchanged",
  insufficient_history: "No score yet",
  failed: "Failed",
  deferred: "Left for the next",
};

const SERIES: Record<SeriesOutcome["series"], string> = {
  vix: "VIX",
  high_yield_spread: "High-yield spread",
  yield_curve: "Yield curve",
  ten_year: "10-year yield",
  put_call: "Put/call ratio",
};

/** "840 ms", "1.2 s", then as other lengths. */
export function took(ms: number) {
  if (ms < 1_000) return `${count(ms)} ms`;
  return ms < 60_000 ? `${fixed(ms / 1_000, 1)} s` : length(ms);
}

function stored({ bars, rejected }: SymbolOutcome) {
  if (bars === null) return "";
  const parts = bars.accepted > 0 ? [`+${count(bars.accepted)}`] : [];
  if (bars.replaced > 0) parts.push(`${count(bars.replaced)} corrected`);
  if (rejected > 0) parts.push(`${count(rejected)} refused`);
  return parts.join(", ");
}

function Outcomes({ run }: { run: RunReport }) {
  const all = useSignal(false);
  const sorted = failedFirst(run.outcomes);
  const shown = all.value ? sorted : sorted.slice(0, FIRST);
  if (sorted.length === 0 && run.series.length === 0)
    return <p class="quiet">No symbol and no series was looked at.</p>;
  return (
    <>
      <table class="outcomes">
        <caption class="sr">What became of each symbol and series</caption>
        <thead>
          <tr>
            <th scope="col">Symbol</th>
            <th scope="col">Outcome</th>
            <th scope="col">Provider</th>
            <th scope="col">Bars</th>
            <th scope="col" class="num">
              Took
            </th>
            <th scope="col">Error</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((it) => (
            <tr key={it.symbol} class={it.outcome}>
              <th scope="row">{it.symbol}</th>
              <td>{OUTCOMES[it.outcome]}</td>
              <td>{it.provider}</td>
              <td class="num">{stored(it)}</td>
              <td class="num">{took(it.duration_ms)}</td>
              <td class="error">{it.error}</td>
            </tr>
          ))}
          {run.series.map((it) => (
            <tr key={`series ${it.series}`} class={it.outcome}>
              <th scope="row">{SERIES[it.series] ?? it.series}</th>
              <td>{OUTCOMES[it.outcome]}</td>
              <td>{it.provider}</td>
              <td class="quiet">series</td>
              <td class="num">{took(it.duration_ms)}</td>
              <td class="error">{it.error}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {shown.length < sorted.length && (
        <button
          type="button"
          class="plain"
          onClick={() => {
            all.value = true;
          }}
        >
          All {plural(sorted.length, "symbol")}
        </button>
      )}
    </>
  );
}

function Run({ run }: { run: RunReport }) {
  const open = useSignal(false);
  const started = parse(run.started_at);
  const dead = run.ended_at === null && now.value - (started ?? 0) > DEAD_MS;
  return (
    <li class={isIdle(run) ? "idle" : ""}>
      <details
        onToggle={(event) => {
          open.value = event.currentTarget.open;
        }}
      >
        <summary>
          <time class="num" dateTime={run.started_at} title={stamp(started)}>
            {age(started, now.value)}
          </time>
          <code>{run.cron}</code>
          <span class={hasFailed(run) ? "did failed" : "did"}>
            {run.ended_at === null ? (dead ? "did not end" : "under way") : didWords(run)}
          </span>
          <span class="num quiet">{run.duration_ms !== null && took(run.duration_ms)}</span>
        </summary>
        {open.value && (
          <div class="opened" tabIndex={0} role="region" aria-label="What the run did">
            <Outcomes run={run} />
          </div>
        )}
      </details>
    </li>
  );
}

/** The second part of the data view. */
export function Runs() {
  const idle = useSignal(false);
  const { items, failure } = runs.value;
  const shown = (items ?? []).filter((run) => idle.value || !isIdle(run));
  const hidden = (items?.length ?? 0) - shown.length;
  return (
    <section class="runs" aria-label="Runs">
      <header>
        <h2>Runs</h2>
        <label class="check">
          <input
            type="checkbox"
            checked={idle.value}
            onChange={(event) => {
              idle.value = event.currentTarget.checked;
            }}
          />
          with nothing to do
        </label>
      </header>
      {failure !== null &&
        (items === null ? (
          <Failed what="The runs" failure={failure} retry={() => void loadData()} />
        ) : (
          <Outdated failure={failure} retry={() => void loadData()} />
        ))}
      {items === null ? (
        failure === null && <Lines widths={[90, 85, 95, 80]} />
      ) : shown.length === 0 ? (
        <Notice title={hidden > 0 ? "No run had anything to do." : "No run yet."}>
          <p>
            {hidden > 0
              ? `${plural(hidden, "run")} found nothing due.`
              : "Runs start by themselves, every minute."}
          </p>
        </Notice>
      ) : (
        <ol>
          {shown.map((run) => (
            <Run key={run.id} run={run} />
          ))}
        </ol>
      )}
      {olderRuns.value !== "none" && (
        <button
          type="button"
          class="plain older"
          disabled={olderRuns.value === "loading"}
          onClick={() => void moreRuns()}
        >
          {olderRuns.value === "loading" ? "Loading…" : "Older runs"}
        </button>
      )}
    </section>
  );
}
