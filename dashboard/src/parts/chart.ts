// The price chart, the only part that needs the chart library: loaded when a symbol is opened.

import {
  CandlestickSeries,
  createChart,
  CrosshairMode,
  LineStyle,
  type AutoscaleInfo,
  type CandlestickData,
  type IChartApi,
  type IPrimitivePaneRenderer,
  type ISeriesApi,
  type ISeriesPrimitive,
  type SeriesAttachedParameter,
  type Time,
} from "lightweight-charts";

import { price } from "../format/number";
import type { Anchor } from "../store/explain";
import type { Bar } from "../types";

/** A line of the chart: the anchor's low, its high, a Fibonacci level. */
interface Level {
  value: number;
  title: string;
  strong: boolean;
}

/** A zone between two levels. */
interface Zone {
  from: number;
  to: number;
  color: string;
}

/** What a chart shows. */
export interface ChartInput {
  bars: readonly Bar[];
  anchor: Anchor | null;
}

function levelsOf(anchor: Anchor | null): Level[] {
  if (anchor === null) return [];
  const levels: Level[] = [];
  const add = (value: number | null, title: string, strong = false) => {
    if (value !== null) levels.push({ value, title, strong });
  };
  add(anchor.low, "low", true);
  add(anchor.fib23, "23.6%");
  add(anchor.fib38, "38.2%");
  add(anchor.high, "high", true);
  return levels;
}

/** Shades the bands between the levels, behind the candles. */
class Zones implements ISeriesPrimitive<Time> {
  zones: readonly Zone[] = [];
  #series: SeriesAttachedParameter["series"] | null = null;

  attached({ series }: SeriesAttachedParameter) {
    this.#series = series;
  }

  detached() {
    this.#series = null;
  }

  paneViews() {
    const renderer: IPrimitivePaneRenderer = {
      draw: (target) =>
        target.useBitmapCoordinateSpace(({ context, bitmapSize, verticalPixelRatio }) => {
          for (const { from, to, color } of this.zones) {
            const top = this.#series?.priceToCoordinate(to) ?? null;
            const bottom = this.#series?.priceToCoordinate(from) ?? null;
            if (top === null || bottom === null) continue;
            context.fillStyle = color;
            context.fillRect(
              0,
              top * verticalPixelRatio,
              bitmapSize.width,
              (bottom - top) * verticalPixelRatio,
            );
          }
        }),
    };
    return [{ zOrder: () => "bottom" as const, renderer: () => renderer }];
  }
}

/** How far beyond the candles, in parts of their range, a level still widens the view. */
const REACH = 0.35;

/** A chart in an element, until `remove`. */
export class PriceChart {
  readonly #chart: IChartApi;
  readonly #series: ISeriesApi<"Candlestick">;
  readonly #zones = new Zones();
  #levels: Level[] = [];
  #last: number | null = null;
  #lines: ReturnType<ISeriesApi<"Candlestick">["createPriceLine"]>[] = [];

  constructor(readonly element: HTMLElement) {
    this.#chart = createChart(element, {
      autoSize: true,
      layout: { attributionLogo: false, fontSize: 11 },
      crosshair: { mode: CrosshairMode.Normal },
      localization: { priceFormatter: price },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.08, bottom: 0.08 } },
      timeScale: { borderVisible: false, fixLeftEdge: true, fixRightEdge: true },
      handleScroll: { vertTouchDrag: false },
    });
    this.#series = this.#chart.addSeries(CandlestickSeries, {
      priceLineVisible: false,
      lastValueVisible: false,
      autoscaleInfoProvider: (original: () => AutoscaleInfo | null) => {
        const info = original();
        if (info?.priceRange == null) return info;
        const { minValue, maxValue } = info.priceRange;
        const reach = (maxValue - minValue) * REACH;
        let [low, high] = [minValue, maxValue];
        for (const { value } of this.#levels) {
          if (value < low && value >= minValue - reach) low = value;
          if (value > high && value <= maxValue + reach) high = value;
        }
        return { ...info, priceRange: { minValue: low, maxValue: high } };
      },
    });
    this.#series.attachPrimitive(this.#zones);
    this.restyle();
  }

  /** Takes the colours of the present theme. */
  restyle() {
    const style = getComputedStyle(this.element);
    const color = (name: string) => style.getPropertyValue(name).trim();
    this.#chart.applyOptions({
      layout: {
        background: { color: color("--ground") },
        textColor: color("--ink-2"),
        fontFamily: style.fontFamily,
      },
      grid: {
        vertLines: { color: color("--line-faint") },
        horzLines: { color: color("--line-faint") },
      },
      crosshair: {
        vertLine: { color: color("--line-strong"), labelBackgroundColor: color("--chip") },
        horzLine: { color: color("--line-strong"), labelBackgroundColor: color("--chip") },
      },
    });
    this.#series.applyOptions({
      upColor: color("--ground"),
      borderUpColor: color("--up"),
      wickUpColor: color("--up"),
      downColor: color("--down"),
      borderDownColor: color("--down"),
      wickDownColor: color("--down"),
    });
    this.#levelsChanged();
  }

  /** Shows other bars and levels. */
  show({ bars, anchor }: ChartInput) {
    this.#levels = levelsOf(anchor);
    this.#last = bars.at(-1)?.close ?? null;
    this.#series.setData(
      bars.map(({ date, open, high, low, close }): CandlestickData => ({
        time: date,
        open,
        high,
        low,
        close,
      })),
    );
    this.#levelsChanged();
    this.#chart.timeScale().fitContent();
  }

  #levelsChanged() {
    const style = getComputedStyle(this.element);
    const color = (name: string) => style.getPropertyValue(name).trim();
    for (const line of this.#lines) this.#series.removePriceLine(line);
    this.#lines = this.#levels.map(({ value, title, strong }) =>
      this.#series.createPriceLine({
        price: value,
        title,
        color: color(strong ? "--level-strong" : "--level"),
        lineWidth: 1,
        lineStyle: strong ? LineStyle.Solid : LineStyle.Dashed,
        axisLabelVisible: true,
        axisLabelColor: color("--chip"),
        axisLabelTextColor: color("--chip-ink"),
      }),
    );
    if (this.#last !== null)
      this.#lines.push(
        this.#series.createPriceLine({
          price: this.#last,
          title: "",
          color: color("--ink"),
          lineWidth: 1,
          lineStyle: LineStyle.SparseDotted,
          axisLabelVisible: true,
          axisLabelColor: color("--ink"),
          axisLabelTextColor: color("--ground"),
        }),
      );
    const value = (title: string) => this.#levels.find((level) => level.title === title)?.value;
    const [low, fib23, fib38] = [value("low"), value("23.6%"), value("38.2%")];
    this.#zones.zones =
      low === undefined || fib23 === undefined || fib38 === undefined
        ? []
        : [
            { from: low, to: fib23, color: color("--zone-1") },
            { from: fib23, to: fib38, color: color("--zone-2") },
          ];
  }

  remove() {
    this.#chart.remove();
  }
}
