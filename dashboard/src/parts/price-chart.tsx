// The chart's frame: span, legend, loading and failure; the chart itself comes as a chunk of its own.

import { signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { connection } from "../client";
import { price } from "../format/number";
import { session } from "../format/time";
import { loadBars, type Span } from "../store/detail";
import type { Anchor } from "../store/explain";
import { failureOf, type Failure } from "../store/failure";
import { weekly } from "../store/weekly";
import { theme } from "../theme";
import type { Bar } from "../types";
import type { PriceChart as Chart } from "./chart";
import { Failed, Notice } from "./states";

const SPANS: readonly { span: Span; label: string; long: string }[] = [
  { span: "6M", label: "6M", long: "6 months" },
  { span: "1Y", label: "1Y", long: "1 year" },
  { span: "crisis", label: "Since low", long: "Since the crisis low" },
];

/** Pixels per bar below which weeks are shown instead of days. */
const NARROWEST = 2.5;
/** How long a symbol stays chosen before its bars are asked for, milliseconds. */
const LEAF_MS = 90;

function summary(symbol: string, bars: readonly Bar[], anchor: Anchor | null) {
  const [first, last] = [bars[0], bars.at(-1)];
  if (first === undefined || last === undefined) return `${symbol}: no bars in this span`;
  const levels =
    anchor === null
      ? ""
      : `; crisis low ${price(anchor.low)}, 23.6% line ${price(anchor.fib23)}, 38.2% line ${price(anchor.fib38)}, high ${price(anchor.high)}`;
  return `${symbol} from ${session(first.date)} to ${session(last.date)}, last close ${price(last.close)}${levels}`;
}

/** Kept from symbol to symbol. */
const span = signal<Span>("crisis");

/** Candles of a symbol up to a session, with the anchor's levels. */
export function PriceChart({
  symbol,
  ts,
  anchor,
}: {
  symbol: string;
  ts: string;
  anchor: Anchor | null;
}) {
  const bars = useSignal<readonly Bar[] | null>(null);
  const failure = useSignal<Failure | null>(null);
  const turn = useSignal(0);
  const element = useRef<HTMLDivElement>(null);
  const chart = useRef<Chart | null>(null);
  const ready = useSignal(false);
  const broken = useSignal(false);
  const connected = connection.value.phase === "open";

  useEffect(() => {
    const abort = new AbortController();
    failure.value = null;
    const fits = (loaded: readonly Bar[]) =>
      loaded.length * NARROWEST <= (element.current?.clientWidth ?? 0);
    const load = async () => {
      try {
        const loaded = await loadBars(symbol, ts, span.peek(), abort.signal);
        bars.value = fits(loaded) ? loaded : weekly(loaded);
      } catch (error) {
        if (!abort.signal.aborted) failure.value = failureOf(error);
      }
    };
    // Who leafs through the list does not ask for every chart on the way.
    const timer = setTimeout(() => void load(), LEAF_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [symbol, ts, span.value, turn.value]);

  // Another symbol's candles must not stand under this one's name while its own are on their way.
  useEffect(() => {
    bars.value = null;
  }, [symbol]);

  useEffect(() => {
    let gone = false;
    const load = async () => {
      try {
        const { PriceChart: Loaded } = await import("./chart");
        if (gone || element.current === null || chart.current !== null) return;
        chart.current = new Loaded(element.current);
        ready.value = true;
        broken.value = false;
      } catch (error) {
        // A chunk that did not come, or a browser that cannot draw: said in the chart's place.
        console.warn("The chart could not be loaded.", error);
        broken.value = !gone;
      }
    };
    void load();
    return () => {
      gone = true;
      chart.current?.remove();
      chart.current = null;
      ready.value = false;
    };
  }, [turn.value]);

  // What could not be had from a server that was away is asked for again when it is back.
  useEffect(() => {
    if (connected && (broken.peek() || failure.peek() !== null)) turn.value += 1;
  }, [connected]);

  const { value: shown } = bars;
  useEffect(() => {
    if (ready.value) chart.current?.show({ bars: shown ?? [], anchor });
  }, [ready.value, shown, anchor]);
  useEffect(() => {
    if (ready.value) chart.current?.restyle();
  }, [ready.value, theme.value]);

  const waits = shown === null || !ready.value;
  return (
    <figure class="price-chart">
      <figcaption>
        <Levels anchor={anchor} />
        <div class="spans" role="group" aria-label="Span of the chart">
          {SPANS.map(({ span: value, label, long }) => (
            <button
              key={value}
              type="button"
              title={long}
              aria-pressed={span.value === value}
              onClick={() => {
                span.value = value;
              }}
            >
              {label}
            </button>
          ))}
        </div>
      </figcaption>
      <div class="canvas">
        <div
          ref={element}
          class="chart"
          role="img"
          aria-label={
            shown === null ? `${symbol}: chart is loading` : summary(symbol, shown, anchor)
          }
        />
        {broken.value ? (
          <div class="over" role="alert">
            <Notice
              title="The chart could not be loaded."
              action={{ label: "Try again", run: () => (turn.value += 1) }}
            >
              The reasons below do not depend on it.
            </Notice>
          </div>
        ) : failure.value !== null ? (
          <div class="over">
            <Failed what="The bars" failure={failure.value} retry={() => (turn.value += 1)} />
          </div>
        ) : (
          waits && <div class="over bone" aria-hidden="true" />
        )}
      </div>
    </figure>
  );
}

/** The four levels as numbers: what is out of the chart's view is still said. */
function Levels({ anchor }: { anchor: Anchor | null }) {
  if (anchor === null) return <dl class="levels" />;
  const levels: readonly [string, number | null, string | null][] = [
    ["Low", anchor.low, anchor.lowDate],
    ["23.6%", anchor.fib23, null],
    ["38.2%", anchor.fib38, null],
    ["High", anchor.high, anchor.highDate],
  ];
  return (
    <dl class="levels">
      {levels.map(([label, value, date]) => (
        <div key={label} title={date === null ? undefined : session(date)}>
          <dt>{label}</dt>
          <dd class="num">{price(value)}</dd>
        </div>
      ))}
    </dl>
  );
}
