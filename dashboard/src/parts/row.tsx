// One row of the list of signals.

import { Component } from "preact";
import { useEffect } from "preact/hooks";
import { useComputed } from "@preact/signals";

import { score } from "../format/number";
import { age, parse, stamp } from "../format/time";
import { now } from "../store/clock";
import type { Pending } from "../store/decisions";
import type { Row } from "../store/rows";
import { closesOf, want } from "../store/sparks";
import type { Signal } from "../types";
import { Bar, fearStep, Spark } from "./bars";
import { Flash } from "./flash";
import { FreshTag, StatusTag, SuggestionTag } from "./tags";

/** The height of a row, pixels: the list's window is computed with it. */
export const ROW_HEIGHT = 36;

function Age({ at }: { at: string }) {
  const then = parse(at);
  const text = useComputed(() => age(then, now.value));
  return <span title={`Computed ${stamp(then)}`}>{text}</span>;
}

function SparkCell({ signal }: { signal: Signal }) {
  useEffect(() => want(signal), [signal.symbol, signal.ts]);
  return <Spark closes={closesOf(signal.symbol).value} />;
}

interface CellsProps {
  row: Row;
  mine: Pending | undefined;
  queued: boolean;
}

/** Renders anew only if what it shows changed: hundreds of events a second must cost nothing here. */
class Cells extends Component<CellsProps> {
  override shouldComponentUpdate(next: CellsProps) {
    const { row, mine, queued } = this.props;
    return next.row !== row || next.mine !== mine || next.queued !== queued;
  }

  override render({ row, mine, queued }: CellsProps) {
    const { signal, flashed } = row;
    return (
      <>
        <div role="gridcell" class="c-symbol">
          <Flash at={flashed.symbol}>{signal.symbol}</Flash>
        </div>
        <div role="gridcell" class="c-trust">
          <Flash at={flashed.trust} class="num">
            {score(signal.combined_trust)}
          </Flash>
          <Bar value={signal.combined_trust} />
        </div>
        <div role="gridcell" class="c-scores">
          <Flash at={flashed.scores} class="pair">
            <span class="sr">Unslug </span>
            <Bar value={signal.unslug_score} tone="unslug" />
            <span class="num">{score(signal.unslug_score)}</span>
            <span class="sr">, fear and greed </span>
            <Bar value={signal.fear_score} tone={`fear-${fearStep(signal.fear_score)}`} />
            <span class="num">{score(signal.fear_score)}</span>
          </Flash>
        </div>
        <div role="gridcell" class="c-suggestion">
          <Flash at={flashed.suggestion}>
            <SuggestionTag value={signal.recommendation.suggested} />
          </Flash>
        </div>
        <div role="gridcell" class="c-status">
          <Flash at={flashed.status}>
            <StatusTag signal={signal} mine={mine} queued={queued} brief />
          </Flash>
          <FreshTag signal={signal} />
        </div>
        <div role="gridcell" class="c-spark">
          <SparkCell signal={signal} />
        </div>
        <div role="gridcell" class="c-age num">
          <Age at={signal.computed_at} />
        </div>
      </>
    );
  }
}

/** A row at its place in the list. Moving it does not draw its cells anew. */
export function SignalRow({
  row,
  index,
  selected,
  mine,
  queued,
  onPick,
}: CellsProps & {
  index: number;
  selected: boolean;
  onPick: (symbol: string) => void;
}) {
  const { symbol, awaiting_approval } = row.signal;
  return (
    <div
      role="row"
      id={`row-${symbol}`}
      data-testid={`row-${symbol}`}
      class={awaiting_approval ? "row cols" : "row cols decided"}
      aria-rowindex={index + 2}
      aria-selected={selected}
      style={{ transform: `translateY(${index * ROW_HEIGHT}px)` }}
      onClick={() => onPick(symbol)}
    >
      <Cells row={row} mine={mine} queued={queued} />
    </div>
  );
}
