// The city: the desk's mood, what it rests on, and the symbols as a skyline, tallest first.

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";

import { plural, score, scoreExact } from "../format/number";
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
import { MarketPanel } from "./market";

/** Rows in the table. */
const TOP = 15;

const MOOD_TEXT = {
  thriving: "Trust is high across the desk.",
  stable: "Trust is moderate across the desk.",
  dim: "Trust is low across the desk.",
};

function sorted(key: "trust" | "symbol"): string[] {
  void version.value;
  const all = Array.from(rows(), ({ signal }) => signal);
  return arrange(all, { key, descending: key === "trust" }, NO_FILTER);
}

/** Pixels: the skyline's height with its names, a building's width at most, a window's cell. */
const HEIGHT = 200;
const NAMES = 18;
const WIDEST = 46;
const CELL = 9;
/** Narrower buildings are drawn as two shapes, walls and lamps, however many they are. */
const NARROWEST = 8;
/** The lamp on the roof of one that is too narrow for windows. */
const ROOF = 3;

/** One building; its windows are lit while it waits for a decision. */
function Building({ symbol, x, width }: { symbol: string; x: number; width: number }) {
  const signal = row(symbol)?.signal;
  if (signal === undefined) return null;
  const height = Math.max(2, Math.round(signal.combined_trust * (HEIGHT - 4)));
  const state = signal.awaiting_approval ? "lit" : "unlit";
  const windows = width >= CELL * 2 && height > CELL * 2;
  const columns = Math.floor((width - 3) / CELL);
  return (
    <g class="building" onClick={() => select(symbol, { step: true })}>
      <title>
        {symbol} {scoreExact(signal.combined_trust)}
      </title>
      <rect
        class={windows ? "wall" : state}
        x={x}
        y={HEIGHT - height}
        width={width}
        height={height}
      />
      {windows && (
        <rect
          fill={`url(#windows-${state})`}
          transform={`translate(${x + (width - columns * CELL) / 2} ${HEIGHT - height + 4})`}
          width={columns * CELL}
          height={Math.floor((height - 6) / CELL) * CELL}
        />
      )}
      {width >= 30 && (
        <text x={x + width / 2} y={HEIGHT + 13} text-anchor="middle">
          {symbol}
        </text>
      )}
    </g>
  );
}

function Skyline({ symbols }: { symbols: readonly string[] }) {
  const width = useSignal(0);
  const ref = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = ref.current;
    if (element === null) return;
    const measure = new ResizeObserver(() => {
      width.value = element.clientWidth;
    });
    measure.observe(element);
    return () => measure.disconnect();
  }, []);
  const step = Math.min(WIDEST, width.value / Math.max(1, symbols.length));
  const gap = step > 14 ? 4 : 1;
  return (
    <div class="city-skyline" ref={ref}>
      <svg
        width={width.value}
        height={step < 30 ? HEIGHT + 1 : HEIGHT + NAMES}
        role="img"
        aria-label={`Skyline of ${plural(symbols.length, "symbol")}: a building each, as tall as its trust; lit while it waits for a decision`}
      >
        <defs>
          {["lit", "unlit"].map((state) => (
            <pattern
              key={state}
              id={`windows-${state}`}
              width={CELL}
              height={CELL}
              patternUnits="userSpaceOnUse"
            >
              <rect class={`window ${state}`} x="2" y="2" width="5" height="5" />
            </pattern>
          ))}
        </defs>
        {width.value > 0 && step < NARROWEST ? (
          <Silhouette symbols={symbols} step={step} />
        ) : (
          symbols.map((symbol, at) => (
            <Building key={symbol} symbol={symbol} x={at * step} width={Math.max(1, step - gap)} />
          ))
        )}
        <path class="street" d={`M0 ${HEIGHT + 0.5}H${width.value}`} />
      </svg>
    </div>
  );
}

function Silhouette({ symbols, step }: { symbols: readonly string[]; step: number }) {
  const shapes = { walls: "", roofs: "" };
  const width = Math.max(0.75, step - (step > 3 ? 1 : 0)).toFixed(2);
  symbols.forEach((symbol, at) => {
    const signal = row(symbol)?.signal;
    if (signal === undefined) return;
    const height = Math.round(signal.combined_trust * (HEIGHT - 4));
    const left = (at * step).toFixed(2);
    shapes.walls += `M${left} ${HEIGHT}v-${height}h${width}v${height}z`;
    if (signal.awaiting_approval)
      shapes.roofs += `M${left} ${HEIGHT - height}h${width}v-${ROOF}h-${width}z`;
  });
  return (
    <>
      <path class="wall" d={shapes.walls} />
      <path class="lit" d={shapes.roofs} />
    </>
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
  const symbols = sorted("trust");
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
            <Skyline symbols={sorted("symbol")} />
            <p class="legend quiet">
              One building per symbol, as tall as its trust; lit while it waits for a decision.
            </p>
            <MarketPanel />
            <section>
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
          <>
            <Notice title="An empty town.">
              <p>It grows with the first signals: send bars, then run the computation.</p>
            </Notice>
            <MarketPanel />
          </>
        ) : (
          <div class="bone city-bone" aria-hidden="true" />
        )}
      </div>
    </main>
  );
}
