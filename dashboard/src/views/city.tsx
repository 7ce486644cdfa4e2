// The city: the desk's mood, what it rests on, and the symbols as a skyline, tallest first.

import { score, scoreExact } from "../format/number";
import { MOODS } from "../format/words";
import { Bar } from "../parts/bars";
import { Failed, Lines, Notice } from "../parts/states";
import { StatusTag, SuggestionTag } from "../parts/tags";
import { href } from "../route";
import { mine, waiting } from "../store/decisions";
import { city, listState, loadList } from "../store/desk";
import { arrange, NO_FILTER } from "../store/arrange";
import { row, rows, select, version } from "../store/list";
import type { City } from "../types";

/** Buildings in the skyline, rows in the table. */
const BUILDINGS = 80;
const TOP = 15;

const MOOD_TEXT = {
  thriving: "Trust is high across the desk.",
  stable: "Trust is moderate across the desk.",
  dim: "Trust is low across the desk.",
};

function byTrust(): string[] {
  void version.value;
  const all = Array.from(rows(), ({ signal }) => signal);
  return arrange(all, { key: "trust", descending: true }, NO_FILTER);
}

function Skyline({ symbols }: { symbols: readonly string[] }) {
  const shown = symbols.slice(0, BUILDINGS);
  const width = 1000;
  const step = width / Math.max(shown.length, 12);
  const gap = Math.min(6, step * 0.18);
  return (
    <svg
      class="city-skyline"
      viewBox={`0 0 ${width} 200`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`Skyline: the ${shown.length} most trusted symbols, a building each, as tall as its trust; those that wait for a decision are lit`}
    >
      {shown.map((symbol, at) => {
        const signal = row(symbol)?.signal;
        if (signal === undefined) return null;
        const height = Math.max(2, signal.combined_trust * 190);
        return (
          <rect
            key={symbol}
            class={signal.awaiting_approval ? "lit" : "dark"}
            x={at * step + gap / 2}
            y={199 - height}
            width={step - gap}
            height={height}
            onClick={() => select(symbol, { step: true })}
          >
            <title>
              {symbol} {scoreExact(signal.combined_trust)}
            </title>
          </rect>
        );
      })}
    </svg>
  );
}

function Trusts({ value }: { value: City }) {
  const trusts: readonly [string, string, number | null | undefined][] = [
    ["Unslug", "Mean nearness to the crisis low", value.unslug_trust],
    ["Fear & Greed", "Mean fear and greed, 1 is greed", value.fear_trust],
    ["Market flow", "Mean trust of the market's flow", value.flow_trust],
  ];
  return (
    <dl class="trusts">
      {trusts.map(([label, what, trust]) => (
        <div key={label} title={what}>
          <dt>{label}</dt>
          <dd>
            <span class="num">{scoreExact(trust)}</span>
            <Bar value={trust ?? null} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

export function CityView() {
  const value = city.value;
  const symbols = byTrust();
  const state = listState.value;
  const mood = value?.city_state ?? null;
  return (
    <main class="view city-view" aria-label="City">
      <div class="city-page">
        <section class="mood-panel" aria-label="Desk mood">
          <h1>{value === undefined ? "…" : mood === null ? "No data yet" : MOODS[mood]}</h1>
          {value === undefined ? (
            <Lines widths={[60, 80, 70]} />
          ) : (
            <>
              <p class="mood-text">
                {mood === null ? "" : `${MOOD_TEXT[mood]} `}
                <bdi>{value.notes}</bdi>
              </p>
              <Trusts value={value} />
            </>
          )}
        </section>
        {symbols.length > 0 ? (
          <>
            <Skyline symbols={symbols} />
            <p class="legend quiet">
              One building per symbol, as tall as its trust. <span class="key lit" /> waits for a
              decision, <span class="key dark" /> decided.
            </p>
            <section aria-label="Top by trust">
              <h2>Top by trust</h2>
              <div class="table-scroller" tabIndex={0} role="region" aria-label="Top by trust">
                <table class="top-table">
                  <thead>
                    <tr>
                      <th scope="col">Symbol</th>
                      <th scope="col">Trust</th>
                      <th scope="col" class="num">
                        Unslug
                      </th>
                      <th scope="col" class="num">
                        F&amp;G
                      </th>
                      <th scope="col">Suggests</th>
                      <th scope="col">Decision</th>
                    </tr>
                  </thead>
                  <tbody>
                    {symbols.slice(0, TOP).map((symbol) => {
                      const signal = row(symbol)?.signal;
                      if (signal === undefined) return null;
                      return (
                        <tr key={symbol}>
                          <td>
                            <a href={href({ view: "signals", symbol })}>{symbol}</a>
                          </td>
                          <td>
                            <span class="trust-cell">
                              <span class="num">{scoreExact(signal.combined_trust)}</span>
                              <Bar value={signal.combined_trust} />
                            </span>
                          </td>
                          <td class="num">{score(signal.unslug_score)}</td>
                          <td class="num">{score(signal.fear_score)}</td>
                          <td>
                            <SuggestionTag value={signal.recommendation.suggested} />
                          </td>
                          <td>
                            <StatusTag
                              signal={signal}
                              mine={mine.value.get(symbol)}
                              queued={waiting.value}
                            />
                          </td>
                        </tr>
                      );
                    })}
                  </tbody>
                </table>
              </div>
            </section>
          </>
        ) : state.state === "failed" ? (
          <Failed what="The signals" failure={state.failure} retry={() => void loadList()} />
        ) : state.state === "ready" ? (
          <Notice title="An empty town.">
            <p>It grows with the first signals: send bars, then run the computation.</p>
          </Notice>
        ) : (
          <div class="bone city-bone" aria-hidden="true" />
        )}
      </div>
    </main>
  );
}
